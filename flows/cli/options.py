"""What several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan file (YAML).")]
JSONOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")
]
TreeOption = Annotated[list[str] | None, typer.Option("--tree", help="Only this tree; may be repeated.")]
WindowOption = Annotated[
    str,
    typer.Option(help="Hours in which files may be sent: 'Mon-Fri 20:00-06:00, Sat-Sun Europe/Berlin'."),
]
