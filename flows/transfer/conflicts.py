"""Conflicts: what Box already has under a name: ours, another file's, somebody else's, gone. Sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from connectors.box.names import collision_key
from connectors.box.types import Receipt, Upload
from connectors.errors import DestinationGone, DigestMismatch, NameInUse
from flows.transfer.migration import Migration
from state.records import ClaimedItem, Holder
from state.statuses import GONE_FROM_BOX


@contextmanager
def remembering(migration: Migration, item: ClaimedItem, folder_id: str) -> Iterator[None]:
    """Write down what Box's refusal of an upload says of the file, so that the next try begins with it."""
    try:
        yield
    except DigestMismatch as exc:
        _remember(migration, item, exc.box_id, exc.etag)  # torn content is never left as the last word
        raise
    except DestinationGone:
        _forget_what_is_gone(migration, item, folder_id)
        raise


def version_of_ours(migration: Migration, item: ClaimedItem, upload: Upload, error: NameInUse) -> Upload:
    """Return the upload as a new version of what has its name, when that is ours; else raise the error."""
    if not _is_ours(migration, item, error):
        raise error
    _remember(migration, item, error.box_id, error.etag)
    return replace(upload, file_id=error.box_id, etag=error.etag)


def refuse_held(migration: Migration, item: ClaimedItem, receipt: Receipt) -> None:
    """NameInUse when what was adopted holds another file of the source, even of the same content (P7)."""
    if not receipt.adopted or receipt.file_id == item.box_file_id:
        return
    if holder := _holder(migration, item, receipt.file_id):
        raise NameInUse(
            f"the file of Box with this name holds {holder.path!r} of the share; give that one its own name back in"
            " Box, then retry",
            box_id=receipt.file_id,
            box_type="file",
        )


def _forget_what_is_gone(migration: Migration, item: ClaimedItem, folder_id: str) -> None:
    """Somebody deleted the file's older version, or its folder, in Box: the next try makes it again."""
    if item.box_file_id is not None:
        migration.checkpoint.record_verification_mismatch(
            item.tree_id, item_ids_by_reason={GONE_FROM_BOX: [item.id]}, detail="deleted in Box"
        )
        return
    try:
        migration.box.folder_info(folder_id)
    except DestinationGone:
        migration.folders.forget(item.tree_id, item.folder_id, folder_id)


def _is_ours(migration: Migration, item: ClaimedItem, conflict: NameInUse) -> bool:
    """Tell whether what is in Box can only be an upload of this very path that this plan could not write down.

    It lies in a folder that this plan made, our own account made it, and no other item holds it. Anything less is
    somebody else's file and stays untouched (trap 7).
    """
    if conflict.box_type != "file" or conflict.box_id is None:
        return False
    if item.box_file_id == conflict.box_id:
        return True
    if conflict.box_name is not None and collision_key(conflict.box_name) != collision_key(item.box_name):
        return False  # for Box alone the same name: another entry's, though its result may not be recorded yet (P7)
    if _holder(migration, item, conflict.box_id):
        return False
    if not migration.checkpoint.folder_was_created_by_plan(item.folder_id):
        return False
    return migration.box.file_info(conflict.box_id).created_by_id in migration.our_user_ids


def _holder(migration: Migration, item: ClaimedItem, box_file_id: str) -> Holder | None:
    """The file of another name that this file of Box belongs to, in a tree that this run moves."""
    holders = migration.checkpoint.other_holders_of_box_file(migration.plan_id, box_file_id, besides=item.id)
    return next((holder for holder in holders if holder.tree_id in migration.tree_ids), None)


def _remember(migration: Migration, item: ClaimedItem, box_id: str | None, etag: str | None) -> None:
    if box_id is not None:
        migration.checkpoint.remember_box_file(item.id, box_file_id=box_id, box_etag=etag)
