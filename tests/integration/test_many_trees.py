"""What a plan of many trees costs: twice the trees, twice the work. Counted in statements and rows, never in time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from connectors.box.sandbox import Sandbox
from flows.checks.checklist import check_everything
from flows.orchestration.runs import move_share
from flows.plan.file import load_plan
from flows.plan.model import MigrationPlan
from flows.reporting.report import write_report
from flows.reporting.status import status_document
from flows.sharing.agreement import agree_with_plan
from flows.transfer.completing import complete_verified_tree
from tests.program import program_for

FEW, MANY = 25, 50

#: Twice the trees cost at most so many times the work: a part of it does not depend on them, and another one, up to a
#: tenth of all rows, on how often a pass looks for what is there to send while the walk goes on.
AT_MOST = 2.2


@dataclass
class Work:
    """What was asked of the database."""

    statements: int = 0
    rows: int = 0


@contextmanager
def counted() -> Iterator[Work]:
    """Count the statements sent to any database, and the rows that come back."""
    work = Work()

    def executed(*_: Any) -> None:
        work.statements += 1

    def connected(connection: sqlite3.Connection, _: Any) -> None:
        def row(_: sqlite3.Cursor, values: tuple[Any, ...]) -> tuple[Any, ...]:
            work.rows += 1
            return values

        connection.row_factory = row

    event.listen(Engine, "before_cursor_execute", executed)
    event.listen(Engine, "connect", connected)
    try:
        yield work
    finally:
        event.remove(Engine, "connect", connected)
        event.remove(Engine, "before_cursor_execute", executed)


def flat(number: int) -> str:
    """A folder for each, side by side."""
    return f"Home/{number:03d}"


def nested(number: int) -> str:
    """All of them inside the folder of the first."""
    return "Home" if number == 0 else f"Home/{number:03d}"


def plan_of(folder: Path, box: Sandbox, trees: int, place: Callable[[int], str]) -> MigrationPlan:
    """A plan of so many trees with a file each, for one colleague."""
    people = [{"login": "ann@example.com", "role": "viewer"}]
    planned = []
    for number in range(trees):
        tree = folder / "share" / f"{number:03d}"
        tree.mkdir(parents=True)
        (tree / "a.txt").write_text(str(number))
        planned.append({"source": tree.name, "folder": place(number), "collaborators": people})
    source = {"url": (folder / "share").as_uri()}
    return load_plan(program_for(folder / "run", box, source, trees=planned).plan_path)


def moved(plan: MigrationPlan) -> None:
    """One pass, to its end."""
    assert move_share(plan)["complete"]


COMMANDS: dict[str, Callable[[MigrationPlan], Any]] = {
    "first pass": moved,
    "second pass": moved,
    "check": check_everything,
    "status": status_document,
    "report": write_report,
    "collaborate": lambda plan: agree_with_plan(
        plan, prune=False, dry_run=False, complete_tree=complete_verified_tree
    ),
}

Measured = dict[str, tuple[Work, Work]]


@pytest.fixture(scope="module", params=[flat, nested], ids=["side by side", "inside the first"])
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """What each command costs with few trees and with many, one command after the other."""
    works: dict[str, list[Work]] = {name: [] for name in COMMANDS}
    for trees in (FEW, MANY):
        with Sandbox(content="hash") as box:
            box.add_user("ann@example.com", name="Ann Example")
            plan = plan_of(tmp_path_factory.mktemp("many"), box, trees, request.param)
            for name, command in COMMANDS.items():
                with counted() as work:
                    command(plan)
                works[name].append(work)
    return {name: (few, many) for name, (few, many) in works.items()}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.gate(4)
def test_twice_the_trees_cost_twice_the_work(measured: Measured, command: str) -> None:
    """Statements and rows, wherever the trees lie: none is looked at again for each of the others."""
    few, many = measured[command]
    assert AT_MOST * few.statements >= many.statements >= MANY, (few, many)
    assert AT_MOST * few.rows >= many.rows >= MANY, (few, many)
