"""What people are still to be told, and since when nobody takes it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from state.statements.messages import WAIT_AT_MOST, WAITS_DAYS
from state.statuses import TreeState
from tests.integration.state.scene import ManualClock, Scene

DAY = 24 * 3600.0


def test_complete_tree_is_to_be_told_once(scene: Scene) -> None:
    """Written down with its state, if it was not complete before; by whom it is told; gone once it was taken."""
    checkpoint, tree_id = scene.checkpoint, scene.tree.id
    assert (False, None) == checkpoint.complete_tree(tree_id, message="complete", by="run")  # not verified
    assert TreeState.COMPLETE is not checkpoint.tree(tree_id).state
    checkpoint.database.write(lambda connection: connection.execute(text("update trees set verified = true")))

    new, number = checkpoint.complete_tree(tree_id, message="complete", by="run")
    waiting = [(number, scene.clock.now, "complete")]
    assert (True, waiting) == (new, checkpoint.messages_to_send(scene.plan_id, "run"))
    assert TreeState.COMPLETE is checkpoint.tree(tree_id).state
    assert [] == checkpoint.messages_to_send(scene.plan_id, "watch")
    assert (False, None) == checkpoint.complete_tree(tree_id, message="complete", by="run")
    assert number is not None
    checkpoint.forget_message(number)
    assert [] == checkpoint.messages_to_send(scene.plan_id, "run")


def test_what_nobody_takes_is_given_up(scene: Scene, clock: ManualClock) -> None:
    """After some days, and beyond so many lines; those of others stay."""
    checkpoint, plan_id = scene.checkpoint, scene.plan_id
    checkpoint.record_told(plan_id, 0, by="watch", messages=["old"])
    checkpoint.record_told(plan_id, 0, by="run", messages=["theirs"])
    clock.forward(DAY)
    lines = [f"line {number}" for number in range(WAIT_AT_MOST + 5)]
    checkpoint.record_told(plan_id, 0, by="watch", messages=lines)
    assert lines[5:] == [words for *_, words in checkpoint.messages_to_send(plan_id, "watch")]
    assert ["theirs"] == [words for *_, words in checkpoint.messages_to_send(plan_id, "run")]
    clock.forward(WAITS_DAYS * DAY + 1)
    assert [] == checkpoint.messages_to_send(plan_id, "watch")


def test_since_when_messages_are_refused(scene: Scene, clock: ManualClock) -> None:
    """From the first one on; until one is taken."""
    checkpoint, plan_id, began = scene.checkpoint, scene.plan_id, clock.now
    checkpoint.record_messages_taken(plan_id, "json", taken=True)
    assert None is checkpoint.messages_refused(plan_id)
    for _ in range(3):
        checkpoint.record_messages_taken(plan_id, "json", taken=False)
        clock.forward(DAY)
    refused = checkpoint.messages_refused(plan_id)
    assert refused is not None
    assert ("json", began, began + timedelta(days=2)) == (refused.by, refused.since, refused.last)
    checkpoint.record_messages_taken(plan_id, "json", taken=True)
    assert None is checkpoint.messages_refused(plan_id)
