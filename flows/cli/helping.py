"""What helps somebody else to help: doctor.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import PlanArgument
from flows.console import say
from flows.errors import PlanError


def doctor(
    plan: PlanArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="The archive to write, .tar.gz; by default in this folder."
        ),
    ] = None,
    no_names: Annotated[
        bool, typer.Option("--no-names", help="Replace the names of files, folders and people.")
    ] = False,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long check and status may take, each.")
    ] = 120.0,
) -> None:
    """Write an archive for a colleague: versions, plan, check, status, failures, log, database; without secrets."""
    from flows.diagnosis.gathering import Diagnosis, diagnose
    from flows.words import block_name, printable

    if not plan.exists():
        raise PlanError(f"{plan}: is not there; an archive would say nothing")
    now = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    file = out or Path(f"{block_name(plan.stem) or 'plan'}-doctor-{now}.tar.gz")
    note = diagnose(
        Diagnosis(plan=plan, out=file, without_names=no_names, patience_seconds=patience),
        say,
    )
    print(f"written: {printable(str(file))}\n{note}")  # noqa: T201  what was asked for
