"""What a person decides about entries that the report names: they need not move. Writes into the checkpoint alone."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from flows.errors import PlanError
from flows.plan.connections import known_plan, open_checkpoint
from flows.plan.model import MigrationPlan
from flows.reporting.items import csv_cell
from flows.words import normal_form, printable
from state.checkpoint import Checkpoint
from state.records import ItemLine
from state.reports.lines import failures, item_lines
from state.statuses import ItemStatus

#: Characters of a reason, at least.
LEAST_WHY = 8

#: Failures among which a path is looked for that is given as the report shows it.
LOOKED_AT = 1_000_000


def waive_path(
    plan: MigrationPlan, path: str, *, why: str, who: str = "", pending: bool = False
) -> dict[str, Any]:
    """Waive what failed at this path and below, and with `pending` also what was never tried there.

    Return plan, path, waived (how many entries), who and why. PlanError for an empty path, which would mean everything,
    for a reason of less than a few words, and where there is nothing to waive.
    """
    if not _says_why(why.strip()):
        raise PlanError(
            "why: say in a few words who agreed and why it need not move; an auditor will read it"
        )
    name = who.strip() or whoever_runs_this()
    with closing(open_checkpoint(plan)) as checkpoint:
        plan_id = known_plan(plan, checkpoint)

        def waive(path: str) -> int:
            return checkpoint.waive(plan_id, path, who=name, why=why.strip(), pending_too=pending)

        path, count = _at_path_as_shown(_required(path), waive, checkpoint, plan_id, ItemStatus.FAILED)
    if not count:
        nothing = "nothing failed and nothing is pending" if pending else "nothing failed"
        more = "" if pending else "; --pending waives what was never tried, too"
        raise PlanError(f"{nothing} at {printable(path)}; give the path as the report names it{more}")
    return {"plan": plan.name, "path": path, "waived": count, "who": name, "why": why.strip()}


def unwaive_path(plan: MigrationPlan, path: str, *, who: str = "") -> dict[str, Any]:
    """Take back what was waived at this path and below: it is tried again in the next run.

    Return plan, path, unwaived (how many entries) and who. PlanError where nothing is waived.
    """
    name = who.strip() or whoever_runs_this()
    with closing(open_checkpoint(plan)) as checkpoint:
        plan_id = known_plan(plan, checkpoint)

        def unwaive(path: str) -> int:
            return checkpoint.unwaive(plan_id, path, who=name)

        path, count = _at_path_as_shown(_required(path), unwaive, checkpoint, plan_id, ItemStatus.WAIVED)
    if not count:
        raise PlanError(f"nothing is waived at {printable(path)}; give the path as the report names it")
    return {"plan": plan.name, "path": path, "unwaived": count, "who": name}


def _says_why(text: str) -> bool:
    """Tell whether this is more than a word; not every script puts spaces between words."""
    return len(text) >= LEAST_WHY and (len(text.split()) > 1 or not text.isascii())


def _required(path: str) -> str:
    """Return the path without slashes around it. PlanError for an empty one: a shell variable that is not set."""
    path = path.strip("/")
    if not path:
        raise PlanError(
            "path: it is empty, and would mean the whole share; name a file or a folder of the report"
        )
    return path


def _at_path_as_shown(
    path: str, decide: Callable[[str], int], checkpoint: Checkpoint, plan_id: int, status: ItemStatus
) -> tuple[str, int]:
    """Decide about this path, or about the one that the report shows like this; return it and how many entries."""
    count = decide(path)
    if not count and (meant := _path_shown_as(path, checkpoint, plan_id, status)) is not None:
        path = meant
        count = decide(path)
    return path, count


def _path_shown_as(shown: str, checkpoint: Checkpoint, plan_id: int, status: ItemStatus) -> str | None:
    """Return the path at or below which something has this status, and which the report shows like this; None when
    there is none, or there is too much to be sure.

    The report escapes what is not fit for a terminal. PlanError when it shows several paths like this.
    """
    found: set[str] = set()
    for number, line in enumerate(_lines(checkpoint, plan_id, status)):
        if number == LOOKED_AT:
            return None
        prefix = "/".join(line.path.split("/")[: shown.count("/") + 1])
        if normal_form(shown) in map(normal_form, (prefix, printable(prefix), csv_cell(prefix))):
            found.add(prefix)
        if len(found) > 1:
            raise PlanError(
                f"the report shows several paths as {printable(shown)}; waive the folder that holds them"
            )
    return found.pop() if found else None


def _lines(checkpoint: Checkpoint, plan_id: int, status: ItemStatus) -> Iterator[ItemLine]:
    if status is ItemStatus.FAILED:
        return failures(checkpoint, plan_id)
    return (line for line in item_lines(checkpoint, plan_id) if line.status is status)


def reopen_reason(why: str) -> str | None:
    """Why closed trees are moved again; None for no text. PlanError for less than a few words."""
    if not why.strip():
        return None
    if not _says_why(why.strip()):
        raise PlanError(
            "why: say in a few words who agreed and why it is moved again; an auditor will read it"
        )
    return why.strip()


def whoever_runs_this() -> str:
    """User and machine, for the report."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
