"""waive_items: a person says that what failed at one path need not arrive; who, when and why is written down.

Requires: nothing but the plan's checkpoint; neither the share nor Box is asked.
"""

from __future__ import annotations

import getpass
import socket
from contextlib import closing
from typing import Any

from prefect import flow

from flows.errors import PlanError
from flows.plan.connections import open_checkpoint
from flows.plan.model import MigrationPlan
from flows.reporting.items import csv_cell
from flows.words import printable
from state.checkpoint import Checkpoint
from state.reports.lines import failures

#: Failures among which a path is looked for that is given as the report shows it.
LOOKED_AT = 1_000_000


@flow(flow_run_name="{plan.name}-waive", persist_result=False)
def waive_items(plan: MigrationPlan, path: str, why: str, who: str = "") -> dict[str, Any]:
    """Waive what has failed or is pending at this path and below. The next run completes the tree without it.

    Args:
        plan: What moves from where to where.
        path: A file or folder as the report names it; everything below a folder counts.
        why: The reason, for the report; what an auditor will read.
        who: Who decides; by default the account that runs this.
    """
    if not why.strip():
        raise PlanError("why: an auditor will read it; it must not be empty")
    path = path.strip("/")
    name = who.strip() or whoever_runs_this()
    with closing(open_checkpoint(plan)) as checkpoint:
        plan_id = checkpoint.find_plan(plan.name)
        if plan_id is None:
            raise PlanError(f"nothing is known of the plan {plan.name} yet; run: boxhaul migrate")
        count = checkpoint.waive(plan_id, path, who=name, why=why.strip())
        if not count and (meant := _path_shown_as(path, checkpoint, plan_id)) is not None:
            path = meant
            count = checkpoint.waive(plan_id, path, who=name, why=why.strip())
    if not count:
        raise PlanError(
            f"nothing failed and nothing is pending at {printable(path) or 'the root'};"
            " give the path as the report names it"
        )
    return {"plan": plan.name, "path": path, "waived": count, "who": name, "why": why.strip()}


def _path_shown_as(shown: str, checkpoint: Checkpoint, plan_id: int) -> str | None:
    """The path at or below which something failed, and which the report shows like this; None when there is none, or
    too much failed to be sure.

    The report escapes what is not fit for a terminal. PlanError when it shows several paths like this.
    """
    found: set[str] = set()
    for number, line in enumerate(failures(checkpoint, plan_id)):
        if number == LOOKED_AT:
            return None
        prefix = "/".join(line.path.split("/")[: shown.count("/") + 1])
        if shown in (printable(prefix), csv_cell(prefix)):
            found.add(prefix)
        if len(found) > 1:
            raise PlanError(
                f"the report shows several paths as {printable(shown)}; waive the folder that holds them"
            )
    return found.pop() if found else None


def whoever_runs_this() -> str:
    """User and machine, for the report."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
