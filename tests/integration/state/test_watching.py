"""The place in Box's events and what was found up to it: one transaction, and nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from state.checkpoint import Checkpoint
from state.errors import StateError
from state.reports.events import events
from state.statuses import EventKind
from state.watch_records import ShareFinding, WatchFinding, WatchPlace
from tests.integration.state.scene import Scene

AT = datetime(2026, 3, 1, tzinfo=UTC)


def finding(scene: Scene, number: int) -> WatchFinding:
    """A file that somebody edited."""
    return WatchFinding(
        event_id=f"e{number}", kind=EventKind.PEOPLE_CHANGED, at=AT, tree_id=scene.tree.id, tree="A",
        what="edited", path=f"A/{number}.txt", box_id=str(number), by="ann@example.com", by_id="5",
    )  # fmt: skip


def paths(checkpoint: Checkpoint, plan_id: int) -> list[str]:
    """The paths of what is written down."""
    return [line.detail["path"] for line in events(checkpoint, plan_id, kind=EventKind.PEOPLE_CHANGED)]


def test_place_and_findings_together(scene: Scene) -> None:
    """What is known is not written down again, in one call or the next; the place moves all the same."""
    checkpoint, plan_id = scene.checkpoint, scene.plan_id
    first = [finding(scene, number) for number in (1, 2, 1)]
    before = checkpoint.watch_place(plan_id)
    checkpoint.record_watched(plan_id, WatchPlace(stream="all", position="10", seen_until=AT), first)
    checkpoint.record_watched(
        plan_id, WatchPlace(stream="all", position="20"), [finding(scene, 2), finding(scene, 3)]
    )

    assert before is None
    assert WatchPlace(stream="all", position="20") == checkpoint.watch_place(plan_id)
    assert ["A/1.txt", "A/2.txt", "A/3.txt"] == paths(checkpoint, plan_id)
    assert {"e1", "e3"} == checkpoint.known_events(plan_id, ["e1", "e3", "e4"])


def test_neither_without_the_other(scene: Scene) -> None:
    """A finding that cannot be written takes those before it and the place along."""
    checkpoint, plan_id = scene.checkpoint, scene.plan_id
    broken = replace(finding(scene, 2), tree_id=4711)
    with pytest.raises(StateError, match=r"IntegrityError|ForeignKeyViolation"):
        checkpoint.record_watched(
            plan_id, WatchPlace(stream="all", position="10"), [finding(scene, 1), broken]
        )

    assert (None, []) == (checkpoint.watch_place(plan_id), paths(checkpoint, plan_id))
    assert set() == checkpoint.known_events(plan_id, ["e1"])


def test_what_was_told(scene: Scene) -> None:
    """Findings wait until they are told, in the order of writing; an older word of it takes nothing back."""
    checkpoint, plan_id = scene.checkpoint, scene.plan_id
    checkpoint.record_watched(
        plan_id, WatchPlace(stream="all", position="1"), [finding(scene, number) for number in (1, 2, 3)]
    )
    numbers = [number for number, _ in checkpoint.untold_findings(plan_id)]
    checkpoint.record_told(plan_id, numbers[1])
    checkpoint.record_told(plan_id, numbers[0])

    assert sorted(numbers) == numbers
    assert ["A/3.txt"] == [line.detail["path"] for _, line in checkpoint.untold_findings(plan_id)]
    assert [] == checkpoint.untold_findings(plan_id, after=numbers[-1])


def test_what_was_seen_in_the_share(scene: Scene) -> None:
    """It is told beside what people do in Box; its marks hold until the next pass, whatever Box's events are called."""
    checkpoint, plan_id = scene.checkpoint, scene.plan_id
    pass_id = checkpoint.last_pass(plan_id)
    assert pass_id is not None
    checkpoint.record_watched(plan_id, WatchPlace(stream="all", position="10"), [finding(scene, 1)])
    seen = ShareFinding(
        marks=[f"{number}" for number in range(1_200)], at=AT, tree_id=None, tree="A", what="created", path="A/x",
        count=1_200, names=["A/x"],
    )  # fmt: skip
    checkpoint.record_seen_in_share(plan_id, pass_id, ["alone"], [seen])
    told = [(line.kind, line.detail["path"]) for _, line in checkpoint.untold_findings(plan_id)]

    assert [(EventKind.PEOPLE_CHANGED, "A/1.txt"), (EventKind.CHANGED_IN_SHARE, "A/x")] == told
    assert {"7", "alone"} == checkpoint.seen_in_share(plan_id, pass_id, ["7", "alone", "other"])
    assert set() == checkpoint.seen_in_share(plan_id, pass_id + 1, ["7"])
    checkpoint.record_seen_in_share(plan_id, pass_id + 1, [], [])
    assert set() == checkpoint.seen_in_share(plan_id, pass_id, ["7", "alone"])
    assert {"e1"} == checkpoint.known_events(plan_id, ["e1"])
