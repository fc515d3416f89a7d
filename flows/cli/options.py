"""What several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.errors import PlanError

if TYPE_CHECKING:
    from flows.plan.model import MigrationPlan

PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan file (YAML).")]
JSONOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")
]
TreeOption = Annotated[list[str] | None, typer.Option("--tree", help="Only this tree; may be repeated.")]
WindowOption = Annotated[
    str,
    typer.Option(help="Hours in which files may be sent: 'Mon-Fri 20:00-06:00, Sat-Sun Europe/Berlin'."),
]


def with_transfer(plan: MigrationPlan, **options: str | int) -> MigrationPlan:
    """Return the plan with these of its `transfer` keys as the command line has them; what is empty stays.

    PlanError, as for a plan file.
    """
    from pydantic import ValidationError

    given = {key: value for key, value in options.items() if value}
    if not given:
        return plan
    written = plan.transfer.model_dump() | given
    try:
        transfer = type(plan.transfer).model_validate(written)
    except ValidationError as exc:
        fault = exc.errors(include_input=False, include_url=False)[0]
        raise PlanError(f"{fault['loc'][0]}: {fault['msg'].removeprefix('Value error, ')}") from None
    return plan.model_copy(update={"transfer": transfer})
