"""A simulated pass over files of one size that all moved asks the checkpoint as often as over a few of them."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from connectors.box.sandbox import Sandbox
from flows.foresight.scope import scope_of
from flows.foresight.selection import Selection, selection_of
from flows.foresight.simulation import Simulation
from flows.orchestration.runs import move_share
from flows.plan.connections import open_checkpoint, open_share
from flows.plan.file import load_plan
from flows.plan.model import MigrationPlan
from state.database.scratch import pass_changes
from tests.program import program_for

FEW, MANY = 10, 60


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements sent to any checkpoint meanwhile."""
    said: list[str] = []

    def executed(_c: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", executed)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", executed)


def moved_share(folder: Path, files: int) -> MigrationPlan:
    """So many files of one size are in Box, and all of them have another name and folder since."""
    share = folder / "share"
    (share / "A/old").mkdir(parents=True)
    (share / "A/kept").write_bytes(b"k")
    for number in range(files):
        (share / f"A/old/{number}").write_bytes(b"%06d" % number)
        os.utime(share / f"A/old/{number}", (1_500_000_000, 1_500_000_000 + number))
    with Sandbox(content="hash") as box:
        plan = load_plan(program_for(folder / "run", box, {"url": share.as_uri()}).plan_path)
        move_share(plan)
    (share / "A/new").mkdir()
    for path in list((share / "A/old").iterdir()):
        path.rename(share / f"A/new/n{path.name}")
    shutil.rmtree(share / "A/old")
    return plan


def simulate(plan: MigrationPlan, selection: Selection) -> tuple[int, Simulation]:
    """How many statements it takes, and what it found."""
    with (
        closing(open_checkpoint(plan)) as checkpoint,
        closing(open_share(plan)) as source,
        pass_changes() as changes,
    ):
        plan, plan_id, known, specs = scope_of(plan, source, checkpoint)
        simulation = Simulation(plan, source, checkpoint, changes, plan_id, selection)
        with counted() as said:
            simulation.walk(specs, known, threading.Event())
    return len(said), simulation


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (lambda: selection_of(None, "", checksum=False), lambda walked: walked.trees[0].items["moved"]),
        (
            lambda: selection_of(None, "9000d", checksum=False),
            lambda walked: walked.selection.quick.document()["left"],
        ),
    ],
    ids=["whole", "quick"],
)
def test_many_moved_files_are_looked_up_together(
    tmp_path: Path, selection: Callable[[], Selection], found: Callable[[Simulation], int]
) -> None:
    """No statement a file, whether they are followed or left to a whole pass."""
    asked, seen = [], []
    for files in (FEW, MANY):
        count, walked = simulate(moved_share(tmp_path / str(files), files), selection())
        asked.append(count)
        seen.append(found(walked))

    assert MANY - FEW == seen[1] - seen[0]
    assert asked[1] - asked[0] < 3, asked
