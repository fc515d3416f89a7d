"""What is known before anything is sent: inventory, simulate.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import filtering
from flows.cli.options import JSONOption, PlanArgument, TreeOption, WindowOption
from flows.cli.pass_options import ChecksumOption, SinceOption
from flows.console import console, load, print_json, run_flow
from flows.errors import Interrupted

if TYPE_CHECKING:
    from flows.plan.filters import FilterPlan


@contextmanager
def looking_alone() -> Iterator[None]:
    """Say of an interrupt what is true of a command that only looks."""
    try:
        yield
    except Interrupted:
        raise Interrupted("interrupted; nothing was sent, the same command looks anew") from None


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


def simulate(
    plan: PlanArgument,
    tree: TreeOption = None,
    line_speed: Annotated[
        str,
        typer.Option("--line-speed", metavar="SPEED", help="What the line to Box gives: 100MB/s, 1Gbit/s."),
    ] = "",
    window: WindowOption = "",
    probe: Annotated[
        bool, typer.Option("--probe", help="Measure the line by 8 MB that are sent and removed again.")
    ] = False,
    checksum: ChecksumOption = False,
    since: SinceOption = "",
    include: filtering.IncludeOption = None,
    exclude: filtering.ExcludeOption = None,
    filter_from: filtering.FilterFromOption = None,
    ignore_case: filtering.IgnoreCaseOption = False,
    min_size: filtering.MinSizeOption = "",
    max_size: filtering.MaxSizeOption = "",
    min_age: filtering.MinAgeOption = "",
    max_age: filtering.MaxAgeOption = "",
    as_json: JSONOption = False,
) -> None:
    """Say what the next pass would do, by how many Box calls and until when; sends nothing.

    --checksum, --since and the filters choose what migrate with the same flags would send.
    """
    sizes = {"min_size": min_size, "max_size": max_size, "min_age": min_age, "max_age": max_age}
    filters = filtering.filters_of(include, exclude, filter_from, ignore_case=ignore_case, **sizes)
    chosen = (checksum, since, filters)
    print_simulation(plan, tree or [], line_speed, window, probe=probe, chosen=chosen, as_json=as_json)


def print_simulation(
    plan: Path,
    trees: list[str],
    line_speed: str = "",
    window: str = "",
    *,
    probe: bool = False,
    chosen: tuple[bool, str, FilterPlan | None] = (False, "", None),
    as_json: bool = False,
) -> None:
    """Simulate a pass, and print what came of it."""
    from flows.commands.simulate import simulate_pass
    from flows.foresight.forecast_table import simulation_table

    with looking_alone():
        document = run_flow(simulate_pass, load(plan), trees, line_speed, window, probe, *chosen)
    if as_json:
        print_json(document)
    else:
        console().print(simulation_table(document))
