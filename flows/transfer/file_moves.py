"""Moves of files: what has another name or folder in the source gets it in Box by one call, once the walk has ended.

Only then is the old name known to be missing, since it may be listed after the new one; what was complete before waits
for that.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.box.types import Known, Place
from connectors.entry import EntryKind
from connectors.errors import OF_ONE_ENTRY
from flows.transfer.deletions import require_place
from flows.transfer.identity import Looked, is_one_file
from flows.transfer.migration import Migration
from flows.transfer.moved_folders import OTHER_TREE, tell, tell_copy
from state.change_records import MovedFile
from state.statuses import EventKind


def follow_file_moves(migration: Migration, tree_ids: Sequence[int]) -> None:
    """Once these trees are walked: move in Box the files that moved inside of them. They are read, and sent if they
    differ. What came from another tree is told."""
    left_alone: dict[int, bool] = {}
    for tree_id in tree_ids:
        for move in migration.checkpoint.files_from_other_trees(tree_id):
            tell_copy(migration, move.path.rpartition("/")[0], move.old_path, move.path, OTHER_TREE)
        for move in migration.checkpoint.moved_files(tree_id):
            migration.stop.raise_if_stopped()
            if not _is_ours_and_one(migration, move):
                continue
            if move.old_folder_id not in left_alone:
                left_alone[move.old_folder_id] = _is_left_alone(migration, move.old_folder_id)
            if left_alone[move.old_folder_id]:
                _follow_file(migration, move)


def _is_left_alone(migration: Migration, folder_id: int) -> bool:
    """False when somebody gave a folder that is gone from the source another name or place in Box: with what is in it
    it is theirs. Asks nothing where the folder is still in the source."""
    try:
        for gone in migration.checkpoint.gone_folders_above(folder_id):
            require_place(gone, migration.box.folder_info(gone.box_id))
    except OF_ONE_ENTRY:
        return False
    return True


def _is_ours_and_one(migration: Migration, move: MovedFile) -> bool:
    """True for one file of equal ids that this plan put there."""
    if move.adopted or move.old_parent_box_id is None:
        return False
    old, new = (Looked(seen.size, seen.modified_ns, created) for seen, created in (move.old_seen, move.seen))
    return is_one_file(migration, old, new, path=move.path, known_since=move.known_since)


def _follow_file(migration: Migration, move: MovedFile) -> None:
    folder = move.path.rpartition("/")[0]
    known = Known(
        kind=EntryKind.FILE,
        box_id=move.box_id,
        name=move.old_box_name,
        etag=move.box_etag,
        version_id=move.box_version_id,
    )
    old = Place(move.old_parent_box_id or "", move.old_box_name)
    try:
        new = Place(migration.folders.box_id(move.folder_id), move.box_name)
        changed = migration.box.items.move(known, old, new)
    except OF_ONE_ENTRY as exc:
        tell_copy(migration, folder, move.old_path, move.path, exc)
        return
    migration.checkpoint.record_file_moved(
        move,
        box_name=changed.name,
        # Of what somebody else wrote the etag that was known stays: whoever sends a version is to look at it.
        box_etag=changed.etag if changed.same_content else move.box_etag,
        detail=f"moved to {move.path}",
        worker=migration.worker,
    )
    tell(migration, EventKind.MOVE_FOLLOWED, folder, f"{move.old_path} is {move.path}")
