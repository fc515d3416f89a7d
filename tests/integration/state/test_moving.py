"""Folders that got another name in the share: what happens to their files that are not in Box yet."""

from __future__ import annotations

from connectors.errors import NotFound
from state.records import Failed
from state.statuses import ItemStatus
from tests.integration.state.scene import Scene


def missed(item_id: int) -> Failed:
    """What a sender says of a file that is not where the walk saw it."""
    return Failed(item_id=item_id, reason=NotFound.reason, detail="it is not there any more")


def move(scene: Scene, name: str, *, to: str) -> None:
    """The folder has another name beside the others, in Box too."""
    scene.checkpoint.record_folder_moved(
        scene.folder_id(name),
        parent_id=scene.root_id,
        name=to,
        path=f"A/{to}",
        box_name=to,
        box_etag="1",
        worker=scene.worker,
    )


def test_files_missed_under_the_old_name_are_tried_under_the_new_one(scene: Scene) -> None:
    """Whether they were missed before the move was seen or after, and how deep they lie; other failures stay."""
    scene.walk({"old": {"a": 1, "b": 1, "c": 1, "deep": {"d": 1, "e": 1}}})
    claimed = {item.path: item.id for item in scene.claim()}
    record = scene.checkpoint.record_results
    record(scene.worker, [missed(claimed[path]) for path in ("A/old/a", "A/old/deep/d")])
    record(scene.worker, [Failed(item_id=claimed["A/old/c"], reason="access_denied", detail="no")])

    move(scene, "old", to="new")
    record(scene.worker, [missed(claimed[path]) for path in ("A/old/b", "A/old/deep/e")])

    assert {"A/new/a", "A/new/b", "A/new/deep/d", "A/new/deep/e"} == {item.path for item in scene.claim()}
    [denied] = [
        child for child in scene.checkpoint.known_children(scene.folder_id("new")) if child.name == "c"
    ]
    assert (ItemStatus.FAILED, "access_denied") == (denied.status, denied.reason)
