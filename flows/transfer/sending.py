"""Sending: one file from the share to Box and back as a result; a batch of them by many threads. Never walks."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace

from connectors.box.types import PartState, Receipt, SessionState, Upload
from connectors.box.upload.reader import sha1_of
from connectors.entry import NO_STREAMS, Entry, EntryKind
from connectors.errors import (
    AccessDenied,
    ChangedWhileReading,
    ConnectorError,
    DestinationGone,
    DigestMismatch,
    FatalError,
    Locked,
    NameInUse,
    NotFound,
    ReadFailed,
    Stopped,
    TransientError,
)
from connectors.source import SourceFile
from flows.errors import Interrupted
from flows.run.leases import Part
from flows.run.stop import StoppableFile
from flows.transfer.migration import Migration
from flows.transfer.streams import UnkeptStreams, with_streams
from state.checkpoint import Checkpoint
from state.records import ClaimedItem, Failed, Holder, StoredPart, StoredSession, Uploaded
from state.statuses import GONE_FROM_BOX

#: Worth another try in the same pass; everything else needs a person, or another pass.
RETRIED = (TransientError, DestinationGone, Locked, ChangedWhileReading, DigestMismatch, ReadFailed)


class Batch:
    """Claimed files on their way to a task. No dataclass and no list: Prefect looks into those, item by item."""

    def __init__(self, items: Sequence[ClaimedItem]) -> None:
        self.items = items


def send_batch(migration: Migration, batch: Batch) -> None:
    """Send these files with the run's threads; every one ends as a recorded result, or as released when stopped.

    Raises FatalError when Box or the share refuses everything from now on.
    """
    unkept = UnkeptStreams()
    pending = [migration.senders.submit(_send_and_record, migration, item, unkept) for item in batch.items]
    wait(pending)
    for kind, detail in unkept.remarks():
        migration.record_event(kind, detail)
    errors = [future.exception() for future in pending]
    for error in errors:
        if error is not None:
            raise error


def _send_and_record(migration: Migration, item: ClaimedItem, unkept: UnkeptStreams) -> None:
    if migration.stop.is_set():
        migration.claims.give_back(item)
        return
    try:
        result = send_file(migration, item, unkept)
    except Stopped:
        migration.claims.give_back(item)
        return
    except FatalError as exc:
        migration.claims.give_back(item)
        migration.stop.fail(exc)
        return
    if result is None:
        migration.claims.give_back(item)
        return
    migration.recorder.put(result)


def let_uploaders_in(migration: Migration, tree_id: int) -> None:
    """Before a file of this tree is sent: see that the uploader app users may write into its folder."""
    if migration.box.identities and migration.part is not Part.SENDING:
        root = next(tree.root_folder_id for tree in migration.trees if tree.id == tree_id)
        migration.editors.let_in(tree_id, migration.folders.box_id(root))


def send_file(migration: Migration, item: ClaimedItem, unkept: UnkeptStreams) -> Uploaded | Failed | None:
    """One file: look, send, look again, answer. None: stopped before anything was decided."""
    try:
        return _sent(migration, item, unkept)
    except (Stopped, Interrupted):
        return None
    except FatalError:
        raise
    except ConnectorError as exc:
        if migration.stop.is_set():
            return None
        if isinstance(exc, NotFound | AccessDenied):
            migration.guard.require_root(item.tree_id)
        return Failed(item_id=item.id, reason=exc.reason, detail=str(exc), retry=isinstance(exc, RETRIED))


def _sent(migration: Migration, item: ClaimedItem, unkept: UnkeptStreams) -> Uploaded:
    before = _still_a_file(migration.source.stat(item.path))
    opening = _Opening(migration, item)
    if item.sha1 is not None and _read_sha1(migration, item, before, opening) == item.sha1:
        return _as_it_was(item, with_streams(before, opening.streams), item.sha1)
    folder_id = migration.folders.box_id(item.folder_id)
    let_uploaders_in(migration, item.tree_id)
    try:
        receipt = _put(migration, item, before, folder_id, opening)
    except DestinationGone:
        _forget_what_is_gone(migration, item, folder_id)
        raise
    unkept.add(item.path, opening.streams)
    return Uploaded(
        item_id=item.id,
        box_file_id=receipt.file_id,
        box_version_id=receipt.version_id,
        box_etag=receipt.etag,
        box_name=receipt.name,
        sha1=receipt.sha1,
        entry=with_streams(before, opening.streams),
        adopted=receipt.adopted,
        identity=receipt.identity,
    )


class _Opening:
    """Opens a file as often as it must be read, and keeps what that shows of it beside its content."""

    def __init__(self, migration: Migration, item: ClaimedItem) -> None:
        self.streams = NO_STREAMS
        self._migration = migration
        self._path = item.path

    def __call__(self) -> SourceFile:
        file = StoppableFile(self._migration.source.open(self._path), self._migration.stop)
        self.streams = file.streams or self.streams
        return file


def _as_it_was(item: ClaimedItem, before: Entry, sha1: str) -> Uploaded:
    """Times, rights or owner changed and the bytes did not: Box has them already and is asked nothing (P6)."""
    return Uploaded(
        item_id=item.id,
        box_file_id=item.box_file_id or "",
        box_version_id=item.box_version_id,
        box_etag=item.box_etag,
        box_name=item.box_name,
        sha1=sha1,
        entry=before,
        adopted=True,
    )


def _read_sha1(migration: Migration, item: ClaimedItem, before: Entry, opening: _Opening) -> str | None:
    """SHA-1 of the file as it is now; None where that cannot tell whether Box has it."""
    if item.box_file_id is None:
        return None
    return sha1_of(opening, before.size, lambda: _check_source(migration, item, before))


def _check_source(migration: Migration, item: ClaimedItem, before: Entry) -> None:
    """ChangedWhileReading when the file is not what it was before it was read (P1)."""
    if not migration.source.stat(item.path).fingerprint.same_content_as(before.fingerprint):
        raise ChangedWhileReading


def _still_a_file(entry: Entry) -> Entry:
    if entry.kind is not EntryKind.FILE or entry.skip_reason is not None:
        raise NotFound("it is no longer an ordinary file; the next pass will record what it is now")
    return entry


def _put(
    migration: Migration, item: ClaimedItem, before: Entry, folder_id: str, opening: _Opening
) -> Receipt:
    """Hand the file to Box under the rule *adopt, don't ask*; torn content is never left as the last word."""
    upload = Upload(
        folder_id=folder_id,
        name=item.box_name,
        size=before.size,
        modified_ns=before.modified_ns,
        created_ns=before.created_ns,
        file_id=item.box_file_id,
        etag=item.box_etag,
        fingerprint=before.fingerprint,
    )

    def put(wanted: Upload) -> Receipt:
        return migration.box.put(
            wanted,
            opening,
            CheckpointSessions(migration.checkpoint, item.id),
            check_source=lambda: _check_source(migration, item, before),
        )

    try:
        receipt = put(upload)
    except DigestMismatch as exc:
        _remember(migration, item, exc.box_id, exc.etag)
        raise
    except NameInUse as exc:
        if not _is_ours(migration, item, exc):
            raise
        _remember(migration, item, exc.box_id, exc.etag)
        return put(replace(upload, file_id=exc.box_id, etag=exc.etag))
    if receipt.adopted and receipt.file_id != item.box_file_id:
        _refuse_held(migration, item, receipt.file_id)
    return receipt


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
    """True when what is in Box can only be an upload of this very path that this plan could not write down.

    It lies in a folder that this plan made, our own account made it, and no other item holds it. Anything less is
    somebody else's file and stays untouched (trap 7).
    """
    if conflict.box_type != "file" or conflict.box_id is None:
        return False
    if item.box_file_id == conflict.box_id:
        return True
    if _holder(migration, item, conflict.box_id) or not migration.checkpoint.folder_was_created_by_plan(
        item.folder_id
    ):
        return False
    return migration.box.file_info(conflict.box_id).created_by_id in migration.our_user_ids


def _holder(migration: Migration, item: ClaimedItem, box_file_id: str) -> Holder | None:
    """The file of another name that this file of Box belongs to, in a tree that this run moves."""
    holders = migration.checkpoint.other_holders_of_box_file(migration.plan_id, box_file_id, besides=item.id)
    return next((holder for holder in holders if holder.tree_id in migration.tree_ids), None)


def _refuse_held(migration: Migration, item: ClaimedItem, box_file_id: str) -> None:
    """A file of Box holds one file of the source, even where two have the same content (P7)."""
    if holder := _holder(migration, item, box_file_id):
        raise NameInUse(
            f"the file of Box with this name holds {holder.path!r} of the share; give that one its own name back in"
            " Box, then retry",
            box_id=box_file_id,
            box_type="file",
        )


def _remember(migration: Migration, item: ClaimedItem, box_id: str | None, etag: str | None) -> None:
    if box_id is not None:
        migration.checkpoint.remember_box_file(item.id, box_file_id=box_id, box_etag=etag)


@dataclass(frozen=True)
class CheckpointSessions:
    """The upload session of one item, kept in the checkpoint so that it outlives the process (P3)."""

    checkpoint: Checkpoint
    item_id: int

    def load(self) -> SessionState | None:
        """The stored session with its finished parts, or None."""
        stored = self.checkpoint.upload_session(self.item_id)
        if stored is None:
            return None
        parts = tuple(
            PartState(part_id=part.part_id, offset=part.offset, size=part.size, sha1=part.sha1)
            for part in stored.parts
        )
        return SessionState(
            session_id=stored.session_id,
            endpoints=stored.endpoints,
            part_size=stored.part_size,
            total_parts=stored.total_parts,
            expires_at=stored.expires_at,
            fingerprint=stored.fingerprint,
            identity=stored.identity,
            parts=parts,
        )

    def save(self, session: SessionState) -> None:
        """Keep a session that Box has just opened."""
        self.checkpoint.save_upload_session(
            self.item_id,
            StoredSession(
                session_id=session.session_id,
                endpoints=session.endpoints,
                part_size=session.part_size,
                total_parts=session.total_parts,
                expires_at=session.expires_at,
                fingerprint=session.fingerprint,
                identity=session.identity,
            ),
        )

    def add_part(self, part: PartState) -> None:
        """Keep a part that Box has answered for."""
        self.checkpoint.add_upload_part(
            self.item_id,
            StoredPart(part_id=part.part_id, offset=part.offset, size=part.size, sha1=part.sha1),
        )

    def clear(self) -> None:
        """Forget the session: committed, aborted or gone."""
        self.checkpoint.clear_upload_session(self.item_id)
