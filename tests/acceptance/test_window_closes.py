"""A run is stopped while it sends, verifies, lets people in or only looks: what stopped it is what is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.migrate import migrate_share
from flows.orchestration.runs import look_share, move_share
from flows.orchestration.watching import watching_with
from flows.plan.file import load_plan
from flows.run.window import Window
from flows.transfer.migration import Migration
from state.errors import LostLease
from tests.acceptance.proof import assert_arrived, sums_add_up
from tests.program import Program, program_for
from tests.trees import build_tree

FILES, SENT = 200, 30


def test_window_that_ends_in_the_middle(
    tmp_path: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in flight ends and is written down, the tree says "limit reached", and the next run sends the rest."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"All": {f"{number:03}.txt": b"%d" % number for number in range(FILES)}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "All"}])
    # The clock alone: the hours are over once so many files are there.
    monkeypatch.setattr(Window, "is_open", lambda self, moment: len(box.files()) < SENT)
    monkeypatch.setattr("flows.run.window.LOOK_SECONDS", 0.05)
    box.limits.latency_seconds = 0.05

    summary = migrate_share.fn(load_plan(program.plan_path), window="Mon-Fri 20:00-06:00")

    box.limits.latency_seconds = None
    sent = len(box.files())
    assert SENT <= sent < FILES
    assert not summary["complete"]
    (tree,) = sums_add_up(program)["trees"]
    assert ("incomplete", "limit reached", sent) == (
        tree["state"],
        tree["incomplete_reason"],
        tree["items"]["uploaded"],
    )
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    assert FILES == box.calls.by_route["POST /files/content"]
    assert_arrived(program, box, share)


@pytest.mark.parametrize("call", ["GET /folders/:id/items", "POST /collaborations"])
@pytest.mark.gate(1)
def test_window_that_ends_while_a_call_waits(
    tmp_path: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Verifying or letting people in: the tree says "limit reached", the pass goes on, and nobody's mail is lost."""
    people = [f"p{number}@example.com" for number in range(5)]
    for login in people:
        box.add_user(login)
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"All": {"a.txt": b"a", "sub": {"b.txt": b"b"}}})
    trees = [{"source": "All", "collaborators": [{"login": login} for login in people]}]
    program = program_for(
        tmp_path / "run", box, {"url": share.as_uri()}, trees=trees, transfer={"notify": True}
    )
    monkeypatch.setattr("flows.run.window.LOOK_SECONDS", 0.05)
    # In the first night something is left to send, in the second nothing.
    for night, waiting in enumerate(["GET /folders/:id/items", call], start=1):
        # Box asks for a pause, and the hours are over before that is.
        box.faults.next(waiting).status(429, retry_after=300)
        monkeypatch.setattr(
            Window, "is_open", lambda self, moment, nights=night: box.calls.by_status[429] < nights
        )

        summary = migrate_share.fn(load_plan(program.plan_path), window="Mon-Fri 20:00-06:00")

        assert [("incomplete", "limit reached")] == [
            (tree["state"], tree["incomplete_reason"]) for tree in summary["trees"]
        ]
        assert ("incomplete", "limit reached") == state_of(program)
        assert "failed" not in {person["status"] for person in program.status()["trees"][0]["collaborators"]}
    first = program.status()["pass"]
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    assert first == program.status()["pass"]
    assert Counter(people) == Counter(address for address, _ in box.mails)
    assert_arrived(program, box, share)


def test_dry_run_that_is_stopped_is_not_told_as_a_finished_one(tmp_path: Path, box: Sandbox) -> None:
    """What it has seen by then is no forecast: it ends with what stopped it."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"All": {"a.txt": b"a"}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "All"}])

    @contextmanager
    def losing_its_lease(migration: Migration) -> Iterator[None]:
        migration.stop.fail(LostLease("taken over"))
        yield

    with watching_with(losing_its_lease), pytest.raises(LostLease):
        look_share(load_plan(program.plan_path), trees=[])


def test_run_whose_lease_was_taken_over_says_nothing_of_trees_and_pass(tmp_path: Path, box: Sandbox) -> None:
    """It ends with the lease's own error; trees and pass are as its successor, or nobody, left them."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"All": {"a.txt": b"a"}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "All"}])
    assert 0 == program.run("migrate").code
    before = program.status()
    (share / "All" / "b.txt").write_bytes(b"b")

    @contextmanager
    def taken_over(migration: Migration) -> Iterator[None]:
        migration.checkpoint.release_worker(migration.worker)
        yield

    with watching_with(taken_over), pytest.raises(LostLease, match="taken over"):
        move_share(load_plan(program.plan_path))
    after = program.status()
    assert ("complete", before["trees"], before["pass"]) == (
        after["trees"][0]["state"],
        after["trees"],
        after["pass"],
    )
    assert 0 == program.run("migrate").code
    assert_arrived(program, box, share)


def state_of(program: Program) -> tuple[str, str]:
    """State of the only tree, and why it is incomplete."""
    (tree,) = sums_add_up(program)["trees"]
    return tree["state"], tree["incomplete_reason"]
