"""What is known before anything is sent: inventory.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import JSONOption, PlanArgument
from flows.console import console, load, print_json, run_flow
from flows.errors import Interrupted


@contextmanager
def looking_alone() -> Iterator[None]:
    """Say of an interrupt what is true of a command that only looks."""
    try:
        yield
    except Interrupted:
        raise Interrupted(
            "interrupted; nothing was sent and nothing kept, the same command looks anew"
        ) from None


def inventory(
    plan: PlanArgument,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write all findings there.")
    ] = None,
    hashes: Annotated[
        bool, typer.Option("--hashes", help="Read files of equal size, and say which are the same.")
    ] = False,
    as_json: JSONOption = False,
) -> None:
    """List what the share holds and what will make trouble; needs no Box and sends nothing."""
    from flows.commands.inventory import inventory_share
    from flows.foresight.table import inventory_table

    file = str(csv.absolute()) if csv is not None else ""
    with looking_alone():
        document = run_flow(inventory_share, load(plan), hashes, file)
    if as_json:
        print_json(document)
    else:
        console().print(inventory_table(document))
