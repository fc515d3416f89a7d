"""People: who gets in, and what they do in Box: collaborate, watch.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.options import JSONOption, PlanArgument
from flows.console import console, load, print_json, run_flow
from flows.exit_codes import COMPLETE, INCOMPLETE


def collaborate(
    plan: PlanArgument,
    prune: Annotated[
        bool, typer.Option("--prune", help="Take away what the plan no longer names and once gave.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    as_json: JSONOption = False,
) -> None:
    """Make the people of every complete tree what the plan says, the deepest folder first."""
    from flows.commands.collaborate import collaborate_share
    from flows.sharing.tables import collaboration_table

    document = run_flow(collaborate_share, load(plan), prune, dry_run)
    if as_json:
        print_json(document)
    else:
        console().print(collaboration_table(document))
    raise typer.Exit(COMPLETE if document["complete"] else INCOMPLETE)


def watch(
    plan: PlanArgument,
    once: Annotated[bool, typer.Option("--once", help="Tell what there is by now, and end.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks, at least 1.")] = 10.0,
    share: Annotated[
        bool, typer.Option(help="Look at the share, too: what the next pass will see to.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Tell what people do in Box with what was moved, and what waits in the share for the next pass."""
    from flows.commands.watch import watch_box
    from flows.orchestration.observing import on_stdout

    with on_stdout(as_json=as_json):
        found = run_flow(watch_box, load(plan), once, every, share)["found"]
    raise typer.Exit(INCOMPLETE if found else COMPLETE)
