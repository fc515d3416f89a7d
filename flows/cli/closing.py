"""What hands a share over: cutover.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.options import PlanArgument
from flows.console import console, load, run_flow
from flows.exit_codes import COMPLETE, INCOMPLETE
from flows.words import printable


def cutover(
    plan: PlanArgument,
    quiet: Annotated[
        str,
        typer.Option(
            metavar="SPAN",
            help="How long nothing may change in the share before: 10m (without a command), 1h; 0: do not look.",
        ),
    ] = "",
    freeze_command: Annotated[
        str,
        typer.Option(
            metavar="CMD", help="Makes the share read-only; run without a shell, it must end with 0."
        ),
    ] = "",
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="All but freeze, people and close; says how long it will take.")
    ] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND", help="A kind of difference that may stay, as verify names it; repeat it."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Let people in and close without asking.")] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin at the first step, whatever an earlier run has done.")
    ] = False,
    who: Annotated[
        str, typer.Option("--who", help="Who hands over; by default the account that runs this.")
    ] = "",
    give_up: Annotated[
        bool,
        typer.Option(
            "--give-up", help="Instead: end the one that is under way; other passes may move again."
        ),
    ] = False,
) -> None:
    """Hand over: the share stands still, last pass, verify, people in, report, and no pass after that."""
    from flows.closing.table import cutover_table
    from flows.commands.cutover import cutover_share

    document = run_flow(
        cutover_share, load(plan), quiet, freeze_command, rehearse, accept or [], yes, anew, who, give_up
    )
    if document.get("given_up"):
        typer.echo(printable(document["words"][0]))
        raise typer.Exit(COMPLETE)
    console().print(cutover_table(document))
    raise typer.Exit(COMPLETE if document["ready" if document["rehearsal"] else "closed"] else INCOMPLETE)
