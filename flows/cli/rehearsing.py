"""What is tried before it counts: rehearse.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import JSONOption, PlanArgument, TreeOption
from flows.console import console, print_json, run_flow, say
from flows.errors import Interrupted, PlanError
from flows.exit_codes import COMPLETE, INCOMPLETE


@contextmanager
def _beginning_anew() -> Iterator[None]:
    """Say of an interrupt what is true of a rehearsal."""
    try:
        yield
    except Interrupted:
        raise Interrupted(
            "interrupted; the local Box has ended, and the next rehearsal begins anew"
        ) from None


def rehearse(
    plan: PlanArgument,
    sample: Annotated[
        str,
        typer.Option(metavar="N%", help="Only so much of the files, the same ones each time, such as 2%."),
    ] = "",
    limits: Annotated[
        str,
        typer.Option(
            metavar="off|scaled|real", help="Box's limits: none, those with minutes of a second, or those."
        ),
    ] = "scaled",
    tree: TreeOption = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where it keeps what it makes; by default PLAN.rehearsal beside the plan."),
    ] = None,
    line_speed: Annotated[
        str,
        typer.Option(
            "--line-speed", metavar="SPEED", help="What the line to Box gives, for the forecast: 1Gbit/s."
        ),
    ] = "",
    as_json: JSONOption = False,
) -> None:
    """Migrate into a local Box that knows the plan's people, and say what to expect; asks the real Box nothing."""
    from flows.rehearsal.local_box import Scale
    from flows.rehearsal.rehearsing import Wishes, rehearse_plan
    from flows.rehearsal.table import rehearsal_table

    if limits not in set(Scale):
        raise PlanError(f"--limits: {limits!r} is none; write off, scaled or real")
    wishes = Wishes(
        sample=sample, scale=Scale(limits), trees=tuple(tree or ()), folder=folder, line_speed=line_speed
    )
    with _beginning_anew():
        document = run_flow(rehearse_plan, plan, wishes, say, plainly=True)
    if as_json:
        print_json(document)
    else:
        console().print(rehearsal_table(document))
    raise typer.Exit(COMPLETE if document["complete"] else INCOMPLETE)
