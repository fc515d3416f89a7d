"""Files set aside: nobody is given them while the lease lasts, and everybody afterwards; their status stays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from connectors.errors import PermissionMissing
from flows.run.claims import Claims
from flows.run.leases import Part
from flows.transfer.choosing import require_no_way_refused
from state.records import ClaimedItem, Failed
from state.statuses import ItemStatus
from tests.integration.state.scene import Scene


def names(scene: Scene, worker: object = None) -> list[str]:
    """The files that a worker is given now, in their order."""
    batch = scene.checkpoint.claim_batch(
        worker or scene.worker,  # type: ignore[arg-type]
        tree_ids=[scene.tree.id],
        max_items=10,
        max_bytes=10_000,
    )
    return [item.path.rpartition("/")[2] for item in batch]


def test_what_is_set_aside_waits_for_the_end_of_the_lease(scene: Scene) -> None:
    """Neither its holder nor anybody else sends it; it is free when the worker is done."""
    scene.walk({"f": 10, "g": 20, "h": 30})
    batch = scene.claim()
    aside = [item.id for item in batch if not item.path.endswith("f")]
    other = scene.checkpoint.register_worker(scene.plan_id, name="other")
    scene.checkpoint.set_aside(other, aside)  # not its own

    scene.checkpoint.release_worker(other)
    other = scene.checkpoint.register_worker(scene.plan_id, name="another")
    assert [] == names(scene, other)
    scene.checkpoint.set_aside(scene.worker, aside)
    assert scene.checkpoint.has_files_to_send(scene.worker, [scene.tree.id])
    assert scene.checkpoint.has_files_to_send(other, [scene.tree.id])
    scene.checkpoint.record_results(
        scene.worker, [scene.uploaded(item) for item in batch if item.id not in aside]
    )
    assert not scene.checkpoint.has_files_to_send(scene.worker, [scene.tree.id])
    assert [] == names(scene) == names(scene, other)
    assert scene.checkpoint.has_pending_files([scene.tree.id])
    assert 2 == scene.checkpoint.tree_report(scene.tree.id).files.pending
    scene.checkpoint.release_worker(scene.worker)
    assert ["g", "h"] == names(scene, other)


def test_whoever_conducts_does_not_wait_for_what_a_sender_set_aside(scene: Scene) -> None:
    """Box refuses that sender one way of sending, whatever is sent: the run ends with it, and says so."""
    scene.walk({"f": 10, "g": 20})
    sender = scene.checkpoint.register_worker(scene.plan_id, name="sender")
    claims = Claims(scene.checkpoint, scene.worker, batch_items=1, batch_bytes=10_000, is_shared=True)
    claims.take_up(scene.pass_id, [scene.tree.id])
    migration: Any = SimpleNamespace(
        checkpoint=scene.checkpoint, part=Part.CONDUCTING, refused_ways={}, tree_ids=[scene.tree.id]
    )
    first, other = scene.checkpoint.claim_batch(
        sender, tree_ids=[scene.tree.id], max_items=10, max_bytes=10_000
    )
    assert claims.has_pending_files()
    scene.checkpoint.record_results(sender, [scene.uploaded(first)])
    require_no_way_refused(migration)

    scene.checkpoint.set_aside(sender, [other.id])

    assert not claims.has_pending_files()
    with pytest.raises(PermissionMissing, match="a process that sends"):
        require_no_way_refused(migration)


def test_failures_are_tried_again_one_by_one(scene: Scene) -> None:
    """Only those named, and none that needs a person."""
    scene.walk({"f": 10, "g": 20, "h": 30})
    batch = {item.path.rpartition("/")[2]: item for item in scene.claim()}
    scene.checkpoint.record_results(
        scene.worker,
        [
            Failed(item_id=batch["f"].id, reason="locked", detail="x"),
            Failed(item_id=batch["g"].id, reason="locked", detail="x"),
            Failed(item_id=batch["h"].id, reason="name_rejected", detail="x"),
        ],
    )
    found = scene.checkpoint.failed_files(scene.tree.id)
    assert ["A/f", "A/g"] == [file.path for file in found]
    assert [(10, 1_000), (20, 1_000)] == [(file.size, file.modified_ns) for file in found]
    assert found[1:] == scene.checkpoint.failed_files(scene.tree.id, after=found[0].id)
    scene.checkpoint.revive_files([found[1].id], worker=scene.worker)
    assert ["g"] == names(scene)
    assert {"f": ItemStatus.FAILED, "g": ItemStatus.PENDING, "h": ItemStatus.FAILED} == {
        child.name: child.status for child in scene.checkpoint.known_children(scene.root_id)
    }


def test_choosing_ends_when_the_run_does(scene: Scene) -> None:
    """Whoever looks for a few among many stops looking; what was left out is counted by tree."""
    scene.walk({"f": 10, "g": 20, "h": 30})
    claims = Claims(scene.checkpoint, scene.worker, batch_items=1, batch_bytes=10_000)
    claims.take_up(scene.pass_id, [scene.tree.id])
    looked: list[str] = []

    def chosen(item: ClaimedItem) -> bool:
        looked.append(item.path)
        return item.path.endswith("h")

    claims.choose(chosen, lambda: len(looked) == 1)
    assert [] == claims.next_batch(attempts_at_most=None)
    assert ["A/f"] == looked
    assert ["A/h"] == [item.path for item in claims.next_batch(attempts_at_most=None)]
    assert ({scene.tree.id: 2}, {scene.tree.id: 30}) == claims.left_out
