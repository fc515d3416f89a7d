"""simulate_pass: what the next pass would do and how long it would take, without a byte of the share sent.

Requires: the share; the plan's checkpoint, which is made where there is none yet, to keep the forecast. Box is
asked for a probe of the line alone.
"""

from __future__ import annotations

from typing import Any

from flows.errors import PlanError
from flows.foresight.probing import line_speed as measured_speed
from flows.foresight.selection import selection_of
from flows.foresight.simulating import PassSimulation
from flows.orchestration.counting import saying
from flows.orchestration.foreseeing import simulated
from flows.orchestration.traces import traced
from flows.plan.filters import FilterPlan
from flows.plan.model import MigrationPlan
from flows.run.forecast import Speeds, parse_speed
from flows.run.window import Window


def simulate_pass(
    plan: MigrationPlan,
    trees: list[str] = [],  # noqa: B006  read by the form
    line_speed: str = "",
    window: str = "",
    probe: bool = False,
    checksum: bool = False,
    since: str = "",
    filters: FilterPlan | None = None,
) -> Any:
    """Say what a pass would send, rename, move, trash and share, by how many calls, and when it would be over.

    Args:
        plan: What moves from where to where.
        trees: Names of the trees to look at; none for all of the plan.
        line_speed: What the line to Box gives, such as `100MB/s` or `1Gbit/s`; empty: no bound.
        window: Hours in which files may be sent: `Mon-Fri 20:00-06:00, Sat-Sun Europe/Berlin`; empty: any time.
        probe: Measure the line by four files of 2 MB that are sent into the landing folder, and put into Box's trash.
        checksum: As if every file were read again; what differs in its bytes alone is not foreseen.
        since: A quick pass: look only at files that changed since `7d`, `12h` or a date.
        filters: Only what these let through is sent.
    """
    selection = selection_of(filters, since, checksum=checksum)
    if probe and line_speed:
        raise PlanError("--probe: measures what --line-speed says already; give one of them")
    speeds = Speeds(line=parse_speed(line_speed) if line_speed else None)
    with traced(plan.name, "simulate"):
        if probe:
            speeds = Speeds(line=measured_speed(plan))
        simulation = PassSimulation(
            plan, trees=trees, speeds=speeds, window=Window.parse(window), selection=selection
        )
        with saying(simulation.words):
            document = simulation.run()
    return simulated(document)
