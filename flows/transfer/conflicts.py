"""Conflicts: what Box already has under a name: ours, another file's, somebody else's, gone. Sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from connectors.box.names import collision_key
from connectors.box.types import BoxFile, BoxVersion, Receipt, Upload
from connectors.entry import EntryKind
from connectors.errors import ChangedInBox, DestinationGone, DigestMismatch, NameAwaited, NameInUse
from connectors.on_error import OnError
from flows.plan.transfer import Verification
from flows.transfer.migration import Migration
from flows.transfer.naming import other_name
from state.records import ClaimedItem, Holder
from state.statuses import GONE_FROM_BOX, EventKind

#: What somebody can do about a file that changed on both sides.
REMEDY = (
    "Move or rename that file in Box, then retry; or waive this one; or let the plan decide about all of them"
    " (changes: in_box), then retry."
)


@dataclass(frozen=True)
class Editor:
    """Who wrote a file's latest version, and when, as far as Box tells."""

    author: str
    at: datetime | None

    @property
    def day(self) -> str:
        """The day in UTC, or nothing."""
        return f"{self.at.astimezone(UTC):%Y-%m-%d}" if self.at else ""

    def __str__(self) -> str:
        return f"{self.author}, {self.at:%Y-%m-%d %H:%M %Z}" if self.at else self.author


class ChangedByPerson(ChangedInBox):
    """Somebody wrote another version of this very file in Box."""

    def __init__(self, stored: BoxFile, editor: Editor) -> None:
        super().__init__(f"changed in Box by {editor}; it was not sent. {REMEDY}")
        self.stored, self.editor = stored, editor


def editor_of(
    migration: Migration, stored: BoxFile, *, version_id: str | None, sha1: str | None
) -> Editor | None:
    """Return who wrote a file's latest version, and when; None when this plan did.

    It did when the version or its content is the one that was written down (`version_id`, `sha1`), or when one of our
    accounts is its author. Who renamed, moved or described the file since is not asked. Costs at most one call.
    """
    if stored.version_id is not None and stored.version_id == version_id:
        return None
    if sha1 is not None and stored.sha1 == sha1:
        return None
    latest = BoxVersion(id="", author=stored.modified_by, written_at=stored.modified_at)
    if stored.version_id is not None:
        found = migration.box.version_info(stored.id, stored.version_id)
        if found.author_id in migration.our_user_ids:
            return None
        latest = found if found.author else latest
    return Editor(latest.author or "somebody", latest.written_at)


def remembering(migration: Migration, item: ClaimedItem) -> OnError:
    """Write down what Box's refusal of an upload says of the file, so that the next try begins with it."""
    return OnError(_remember_refusal, migration, item)


def _remember_refusal(error: BaseException, migration: Migration, item: ClaimedItem) -> bool:
    if isinstance(error, DigestMismatch):
        _remember(migration, item, error.box_id, error.etag)  # torn content is never left as the last word
    elif isinstance(error, DestinationGone):
        _forget_what_is_gone(migration, item)
    return False


def second_try(migration: Migration, item: ClaimedItem, upload: Upload, error: NameInUse) -> Upload:
    """Return what to put when something has the file's name in Box: a new version of it when it is this very file's,
    the same content under another name when Box takes another entry's of the plan, or somebody's, for it. Else raise
    NameInUse; NameAwaited where another process of the plan may be about to write down whose it is."""
    holder = None if error.box_id is None else _holder(migration, item, error.box_id)
    if holder is None and item.box_file_id != error.box_id and not _is_same_name(item, error):
        _refuse_unrecorded(migration, item, error)
        return _renamed(migration, item, upload)
    if holder is None and not _is_ours(migration, item, error):
        raise error
    holder = holder or _remember(migration, item, error.box_id, error.etag)
    if holder is not None and holder.box_name == error.box_name:
        return _renamed(migration, item, upload)
    if holder is not None:
        raise _held(holder, error.box_id, error.box_name)  # a person gave it this name in Box
    # A name that a person gave it in Box stays.
    return replace(upload, file_id=error.box_id, etag=error.etag, name=error.box_name or upload.name)


def without_others_file(migration: Migration, item: ClaimedItem) -> ClaimedItem:
    """Return the item as it is sent: as a new file where what it adopted, for its equal content, is a person's own.

    That one gets no version of ours, wherever it is now; if it has the name still, Box says so (NameInUse).
    """
    if not item.adopted or item.box_file_id is None:
        return item
    try:
        creator = migration.box.file_info(item.box_file_id).created_by_id
    except DestinationGone:
        return item  # the sending finds out, and looks from the top
    if creator in migration.our_user_ids:
        return item
    return replace(item, box_file_id=None, box_version_id=None, box_etag=None, sha1=None)


def refuse_held(migration: Migration, item: ClaimedItem, receipt: Receipt) -> None:
    """NameInUse when what was adopted holds another file of the source, even of the same content (P7)."""
    if not receipt.adopted or receipt.file_id == item.box_file_id:
        return
    if holder := _holder(migration, item, receipt.file_id):
        raise _held(holder, receipt.file_id, receipt.name)


def _held(holder: Holder, box_id: str | None, box_name: str | None) -> NameInUse:
    return NameInUse(
        f"the file of Box with this name holds {holder.path!r} of the share; give that one its own name back in"
        " Box, then retry",
        box_id=box_id,
        box_type="file",
        box_name=box_name,
    )


def _renamed(migration: Migration, item: ClaimedItem, upload: Upload) -> Upload:
    """Two entries never become one file of Box, whichever trees they are of: this one gets another name (P7)."""
    choice = other_name(item.path.rpartition("/")[2], EntryKind.FILE, refused=upload.name)
    detail = {"path": item.path, "box_name": choice.box_name, "reason": choice.reason}
    migration.record_event(EventKind.RENAMED, detail)
    return replace(upload, name=choice.box_name, file_id=None, etag=None)


def _refuse_unrecorded(migration: Migration, item: ClaimedItem, error: NameInUse) -> None:
    """NameAwaited when one of our accounts made what Box takes for this name, and nothing is written down of it.

    Another process may have made it for another entry a moment ago; or a lost answer is this very file's (P3).
    """
    if error.box_id is None or error.box_type != "file":
        return
    if migration.checkpoint.knows_box_file(migration.plan_id, error.box_id):
        return
    if migration.box.file_info(error.box_id).created_by_id in migration.our_user_ids:
        raise NameAwaited(box_id=error.box_id, box_type=error.box_type, box_name=error.box_name)


def _forget_what_is_gone(migration: Migration, item: ClaimedItem) -> None:
    """Somebody deleted the file's older version, or its folder, in Box: the next try makes it again.

    Box's word for one thing is not enough: what is above it is looked at first, since what is hidden is not gone.
    """
    migration.folders.forget_below_top(item.folder_id)
    if item.box_file_id is None:
        return
    try:
        gone = migration.box.file_info(item.box_file_id).trashed
    except DestinationGone:
        gone = True
    if gone:
        migration.checkpoint.record_verification_mismatch(
            item.tree_id,
            item_ids_by_reason={GONE_FROM_BOX: [item.id]},
            detail="deleted in Box",
            worker=migration.worker,
        )


def _is_ours(migration: Migration, item: ClaimedItem, conflict: NameInUse) -> bool:
    """Tell whether a version of ours may follow what is in Box: we wrote its latest version, and for this path.

    That is the version that is written down; or one that this plan could not write down: our own account wrote it, in
    a file of ours in a folder that this plan made, and no other item holds it. Anything else is somebody else's and
    stays untouched (trap 7). ChangedInBox when somebody changed this very file.
    """
    if conflict.box_type != "file" or conflict.box_id is None:
        return False
    known = item.box_file_id == conflict.box_id
    if known and conflict.version_id is not None and conflict.version_id == item.box_version_id:
        return True  # moved or renamed, and the content is still ours
    if not known and not migration.checkpoint.folder_was_created_by_plan(item.folder_id):
        return False
    stored = migration.box.file_info(conflict.box_id)
    if not known and stored.created_by_id not in migration.our_user_ids:
        return False
    version_id, sha1 = (item.box_version_id, item.sha1) if known else (None, None)
    editor = editor_of(migration, stored, version_id=version_id, sha1=sha1)
    if editor is None:
        return True
    raise ChangedByPerson(stored, editor)


def _is_same_name(item: ClaimedItem, conflict: NameInUse) -> bool:
    return conflict.box_name is None or collision_key(conflict.box_name) == collision_key(item.box_name)


def _holder(migration: Migration, item: ClaimedItem, box_file_id: str) -> Holder | None:
    """Return the other file of the share that this file of Box belongs to, in whatever tree of the plan.

    What is on its way, or not written down yet, counts as well (P7).
    """
    migration.in_flight.wait_for_others(item.folder_id, item.id)
    unrecorded = migration.recorder.unrecorded_holder(box_file_id, besides=item.id)
    if unrecorded is not None:
        return Holder(tree_id=item.tree_id, path=unrecorded.entry.path, box_name=unrecorded.box_name)
    holders = migration.checkpoint.other_holders_of_box_file(migration.plan_id, box_file_id, besides=item.id)
    return next(iter(holders), None)


def is_proven(migration: Migration, item: ClaimedItem) -> bool:
    """Tell whether Box is known, or going to be asked, to hold the content that is written down for this file.

    Where Box's listing is not compared afterwards, Box is asked now: without its answer there is no proof (P1).
    """
    if migration.plan.transfer.verify is Verification.LISTING:
        return True
    try:
        stored = migration.box.file_info(item.box_file_id or "")
    except DestinationGone:
        return False
    return not stored.trashed and stored.sha1 == item.sha1


def renamed_by_box(item: ClaimedItem, upload: Upload, receipt: Receipt) -> dict[str, str] | None:
    """Return the event's detail when Box stored the file under another name than the one asked for."""
    if receipt.name == upload.name:
        return None
    return {"path": item.path, "box_name": receipt.name, "reason": "Box stored it under this name"}


def _remember(migration: Migration, item: ClaimedItem, box_id: str | None, etag: str | None) -> Holder | None:
    """Write down that this file of Box is this item's; return who holds it already, when somebody does."""
    if box_id is None:
        return None
    return migration.checkpoint.remember_box_file(
        item.id, box_file_id=box_id, box_etag=etag, worker=migration.worker
    )
