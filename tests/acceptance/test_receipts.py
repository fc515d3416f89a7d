"""Where Box's listing is not compared (`verify: receipts`), what comes back is asked for before it counts (P1)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.orchestration.runs import move_share
from flows.plan.file import load_plan
from state.checkpoint import Checkpoint
from state.reports.events import events
from state.statuses import EventKind
from tests.program import Program, program_for
from tests.trees import build_tree

#: Longer ago than any source's times are coarse: what is read is settled.
LONG_AGO = 1_000_000_000


def migrate(program: Program, **changes: object) -> bool:
    """Run the plan in this process, after these changes; whether all of it is complete."""
    program.write_plan(**changes)
    return bool(move_share(load_plan(program.plan_path), check=False)["complete"])


def by_rule(program: Program, file: Path, between: Callable[[], None]) -> None:
    """A rule leaves the file out, and is taken back."""
    assert migrate(program, exclude=["*.tmp"])
    between()
    assert migrate(program, exclude=["nothing"])


def by_absence(program: Program, file: Path, between: Callable[[], None]) -> None:
    """The file is away, and comes back as it was."""
    aside = file.parent.parent / file.name
    file.rename(aside)
    assert migrate(program)
    between()
    aside.rename(file)
    assert migrate(program)


@pytest.mark.parametrize("verify", ["receipts", "listing"])
@pytest.mark.parametrize("lost", [True, False], ids=["lost", "there"])
@pytest.mark.parametrize("comes_back", [by_rule, by_absence])
@pytest.mark.gate(2)
def test_file_that_comes_back_is_in_box(
    tmp_path: Path, box: Sandbox, comes_back: Callable[..., None], lost: bool, verify: str
) -> None:
    """Tidied away in Box meanwhile it is sent anew; where Box has it still, nothing is sent."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {"f.tmp": b"needed after all", "x.txt": b"x"}})
    file = share / "A/f.tmp"
    os.utime(file, (LONG_AGO, LONG_AGO))
    program = program_for(
        tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}], transfer={"verify": verify}
    )
    assert migrate(program)
    entry = box.tree()["A/f.tmp"]["id"]

    comes_back(program, file, lambda: box.person().trash(entry) if lost else None)

    assert {"A/f.tmp", "A/x.txt"} == set(box.files())
    assert {1} == {each.versions for each in box.files().values()}
    assert lost is (entry != box.tree()["A/f.tmp"]["id"])


@pytest.mark.parametrize("renamed", [True, False])
def test_killed_between_the_answer_and_the_record(tmp_path: Path, box: Sandbox, renamed: bool) -> None:
    """What Box got, nobody wrote down, and has another name in the share by now is told, by one look at its folder;
    what is still in the share is found by its name, and nobody looks."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {"draft.txt": b"draft", "sub": {"d.txt": b"d"}, "x.txt": b"x"}})
    source, receipts = {"url": share.as_uri()}, {"verify": "receipts"}
    program = program_for(tmp_path / "run", box, source, trees=[{"source": "A"}], transfer=receipts)
    box.faults.next("POST /files/content").about("draft.txt").status(503, retry_after=60, after_effect=True)
    # A folder that is being made at the kill would be looked for as well.
    assert program.kill_when(lambda: {"A/draft.txt", "A/sub/d.txt", "A/x.txt"} <= box.tree().keys())
    if renamed:
        (share / "A/draft.txt").rename(share / "A/final.txt")
    box.calls.reset()

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    with Checkpoint.open(f"sqlite:///{program.folder}/state.db") as checkpoint:
        plan_id = checkpoint.find_plan("test (rehearsal)")
        assert plan_id is not None
        told = [line.detail["names"] for line in events(checkpoint, plan_id, kind=EventKind.ONLY_IN_BOX)]
    assert ([["draft.txt"]] if renamed else []) == told
    assert renamed is ("A/final.txt" in box.files())
    assert int(renamed) == box.calls.by_route["GET /folders/:id/items"]
    assert 0 == program.run("migrate").code
    assert int(renamed) == box.calls.by_route["GET /folders/:id/items"]
