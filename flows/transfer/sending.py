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
from flows.transfer.migration import OpenPlan
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


def send_batch(opened: OpenPlan, batch: Batch) -> None:
    """Send these files with the run's threads; every one ends as a recorded result, or as released when stopped.

    Raises FatalError when Box or the share refuses everything from now on.
    """
    unkept = UnkeptStreams()
    pending = [opened.senders.submit(_send_and_record, opened, item, unkept) for item in batch.items]
    wait(pending)
    for kind, detail in unkept.remarks():
        opened.record_event(kind, detail)
    errors = [future.exception() for future in pending]
    for error in errors:
        if error is not None:
            raise error


def _send_and_record(opened: OpenPlan, item: ClaimedItem, unkept: UnkeptStreams) -> None:
    if opened.stopping():
        opened.park(item)
        return
    try:
        result = send_file(opened, item, unkept)
    except Stopped:
        opened.park(item)
        return
    except FatalError as exc:
        opened.park(item)
        opened.fail(exc)
        return
    if result is None:
        opened.park(item)
        return
    opened.recorder.put(result)


def send_file(opened: OpenPlan, item: ClaimedItem, unkept: UnkeptStreams) -> Uploaded | Failed | None:
    """One file: look, send, look again, answer. None: stopped before anything was decided."""
    try:
        return _sent(opened, item, unkept)
    except (Stopped, Interrupted):
        return None
    except FatalError:
        raise
    except ConnectorError as exc:
        if opened.stopping():
            return None
        if isinstance(exc, NotFound | AccessDenied):
            opened.require_root(item.tree_id)
        return Failed(item_id=item.id, reason=exc.reason, detail=str(exc), retry=isinstance(exc, RETRIED))


def _sent(opened: OpenPlan, item: ClaimedItem, unkept: UnkeptStreams) -> Uploaded:
    before = _still_a_file(opened.source.stat(item.path))
    opening = _Opening(opened, item)
    if item.sha1 is not None and _read_sha1(opened, item, before, opening) == item.sha1:
        return _as_it_was(item, with_streams(before, opening.streams), item.sha1)
    folder_id = opened.folders.box_id(item.folder_id)
    opened.let_uploaders_in(item.tree_id)
    try:
        receipt = _put(opened, item, before, folder_id, opening)
    except DestinationGone:
        _forget_what_is_gone(opened, item, folder_id)
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

    def __init__(self, opened: OpenPlan, item: ClaimedItem) -> None:
        self.streams = NO_STREAMS
        self._opened = opened
        self._path = item.path

    def __call__(self) -> SourceFile:
        file = self._opened.open_file(self._path)
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


def _read_sha1(opened: OpenPlan, item: ClaimedItem, before: Entry, opening: _Opening) -> str | None:
    """SHA-1 of the file as it is now; None where that cannot tell whether Box has it."""
    if item.box_file_id is None:
        return None
    return sha1_of(opening, before.size, lambda: _check_source(opened, item, before))


def _check_source(opened: OpenPlan, item: ClaimedItem, before: Entry) -> None:
    """ChangedWhileReading when the file is not what it was before it was read (P1)."""
    if not opened.source.stat(item.path).fingerprint.same_content_as(before.fingerprint):
        raise ChangedWhileReading


def _still_a_file(entry: Entry) -> Entry:
    if entry.kind is not EntryKind.FILE or entry.skip_reason is not None:
        raise NotFound("it is no longer an ordinary file; the next pass will record what it is now")
    return entry


def _put(opened: OpenPlan, item: ClaimedItem, before: Entry, folder_id: str, opening: _Opening) -> Receipt:
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
        return opened.box.put(
            wanted,
            opening,
            CheckpointSessions(opened.checkpoint, item.id),
            check_source=lambda: _check_source(opened, item, before),
        )

    try:
        receipt = put(upload)
    except DigestMismatch as exc:
        _remember(opened, item, exc.box_id, exc.etag)
        raise
    except NameInUse as exc:
        if not _is_ours(opened, item, exc):
            raise
        _remember(opened, item, exc.box_id, exc.etag)
        return put(replace(upload, file_id=exc.box_id, etag=exc.etag))
    if receipt.adopted and receipt.file_id != item.box_file_id:
        _refuse_held(opened, item, receipt.file_id)
    return receipt


def _forget_what_is_gone(opened: OpenPlan, item: ClaimedItem, folder_id: str) -> None:
    """Somebody deleted the file's older version, or its folder, in Box: the next try makes it again."""
    if item.box_file_id is not None:
        opened.checkpoint.record_verification_mismatch(
            item.tree_id, item_ids_by_reason={GONE_FROM_BOX: [item.id]}, detail="deleted in Box"
        )
        return
    try:
        opened.box.folder_info(folder_id)
    except DestinationGone:
        opened.folders.forget(item.tree_id, item.folder_id, folder_id)


def _is_ours(opened: OpenPlan, item: ClaimedItem, conflict: NameInUse) -> bool:
    """True when what is in Box can only be an upload of this very path that this plan could not write down.

    It lies in a folder that this plan made, our own account made it, and no other item holds it. Anything less is
    somebody else's file and stays untouched (trap 7).
    """
    if conflict.box_type != "file" or conflict.box_id is None:
        return False
    if item.box_file_id == conflict.box_id:
        return True
    if _holder(opened, item, conflict.box_id) or not opened.checkpoint.folder_was_created_by_plan(
        item.folder_id
    ):
        return False
    return opened.box.file_info(conflict.box_id).created_by_id in opened.our_user_ids


def _holder(opened: OpenPlan, item: ClaimedItem, box_file_id: str) -> Holder | None:
    """The file of another name that this file of Box belongs to, in a tree that this run moves."""
    holders = opened.checkpoint.other_holders_of_box_file(opened.plan_id, box_file_id, besides=item.id)
    return next((holder for holder in holders if holder.tree_id in opened.tree_ids), None)


def _refuse_held(opened: OpenPlan, item: ClaimedItem, box_file_id: str) -> None:
    """A file of Box holds one file of the source, even where two have the same content (P7)."""
    if holder := _holder(opened, item, box_file_id):
        raise NameInUse(
            f"the file of Box with this name holds {holder.path!r} of the share; give that one its own name back in"
            " Box, then retry",
            box_id=box_file_id,
            box_type="file",
        )


def _remember(opened: OpenPlan, item: ClaimedItem, box_id: str | None, etag: str | None) -> None:
    if box_id is not None:
        opened.checkpoint.remember_box_file(item.id, box_file_id=box_id, box_etag=etag)


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
