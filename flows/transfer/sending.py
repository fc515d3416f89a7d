"""Sending: one file from the share to Box and back as a result; a batch of them by many threads. Never walks."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from connectors.box.types import Receipt, Upload
from connectors.box.upload.reader import sha1_of
from connectors.entry import NO_STREAMS, Entry, EntryKind, Fingerprint
from connectors.errors import ChangedWhileReading, NameInUse, NotFound, Stopped, item_error
from connectors.source import Source, SourceFile, WholeFile
from connectors.tracing import about, carried, note, span
from flows.plan.changes import InBox
from flows.run.ahead import ReadAhead, is_as_walked
from flows.run.job import Job
from flows.run.leases import Part
from flows.run.stop import StoppableFile, StopSignal
from flows.transfer.conflicts import (
    is_proven,
    refuse_held,
    remembering,
    renamed_by_box,
    without_others_file,
)
from flows.transfer.edits import PlanDecides, leaving_the_trash, left_to_box, put_folders_back
from flows.transfer.migration import Migration
from flows.transfer.outcomes import outcome
from flows.transfer.sessions import CheckpointSessions
from flows.transfer.streams import UnkeptStreams, with_streams
from flows.transfer.touched import keep_date
from flows.words import size_words
from state.records import ClaimedItem, Uploaded
from state.statuses import EventKind

log = logging.getLogger(__name__)

#: Files up to this size are read at once and held in memory by whoever sends them.
WHOLE_BYTES = 1 << 20
#: A folder is made so many files before its first one: two rounds of as many senders as there are at most by default.
FILES_AHEAD = 128


class HeldFile(io.BytesIO):
    """A file whose bytes were read already."""

    streams = NO_STREAMS

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Batch:
    """Claimed files on their way to a task. No dataclass and no list: Prefect looks into those, item by item."""

    def __init__(self, items: Sequence[ClaimedItem]) -> None:
        self.items = items


def send_batch(migration: Migration, batch: Batch) -> int:
    """Send these files with the run's threads; every one ends as a recorded result, or as given back when stopped.

    Return how many of them were not sent, whatever the reason. Raises what is no file's business, such as a state
    database that is gone.
    """
    said = {"boxhaul.files": len(batch.items), **migration.trees_of(batch.items)}
    unkept = UnkeptStreams()
    with span("batch", said), ReadAhead(migration.source, migration.room_ahead, batch.items) as ahead:
        send, make_ahead = carried(send_file), carried(_make_ahead)
        pending = []
        for each in with_folders_ahead(batch.items, FILES_AHEAD):
            if not isinstance(each, int):
                pending.append(migration.senders.submit(send, migration, each, unkept, ahead))
            elif migration.part is not Part.SENDING:
                migration.senders.submit(make_ahead, migration, each)
        for job in reversed(pending):  # the last first, so that not each of them wakes this thread up
            job.wait()
        for kind, detail in unkept.remarks():
            migration.record_event(kind, detail)
        unsent = _not_sent(pending)
        note({"boxhaul.files_not_sent": unsent})
        return unsent


def _not_sent(jobs: Sequence[Job[bool]]) -> int:
    """How many of these did not send their file; raises the first error of any."""
    for error in [job.exception() for job in jobs]:
        if error is not None:
            raise error
    return sum(not job.result() for job in jobs)


def with_folders_ahead(items: Sequence[ClaimedItem], ahead: int) -> Iterator[ClaimedItem | int]:
    """Yield these files in their order, and the id of each folder once, so many files before the first one in it."""
    known: set[int] = set()
    unseen = iter(items)
    for position, item in enumerate(items):
        for later in islice(unseen, ahead + 1 if position == 0 else 1):
            if later.folder_id not in known:
                known.add(later.folder_id)
                yield later.folder_id
        yield item


def _make_ahead(migration: Migration, folder_id: int) -> None:
    """Make a folder while the files before its own are sent; else all senders wait for it at once."""
    if migration.stop.is_set():
        return
    with suppress(Exception):  # whichever file needs the folder meets the error itself
        migration.folders.box_id(folder_id)


def send_file(
    migration: Migration, item: ClaimedItem, unkept: UnkeptStreams, ahead: ReadAhead | None = None
) -> bool:
    """Look at one file, put it into Box, look again, and hand the result to the recorder; True when Box has it, or has
    something else that the plan leaves to Box."""
    with (
        about(migration.tree_names.get(item.tree_id, ""), item.path),
        outcome(migration, item),
        migration.in_flight.sending(item.folder_id, item.id, item.path, item.size) as on_its_way,
    ):
        _refuse_when_stopping(migration.stop)
        with left_to_box(migration, item):
            reading = Reading(migration.source, migration.stop, item, on_its_way.seen, ahead)
            if _is_unchanged(item, reading) and is_proven(migration, item):
                with remembering(migration, item), leaving_the_trash(migration, item):
                    etag, date = keep_date(migration, item, reading.before)
                migration.recorder.put(_as_it_was(item, reading, etag, date))
                return True
            item = without_others_file(migration, item)
            folder_id = migration.folders.box_id(item.folder_id)
            let_uploaders_in(migration, item.tree_id)
            sessions = CheckpointSessions(migration.checkpoint, migration.worker, item.id)
            decision = PlanDecides(migration, item)
            upload = _upload(item, reading.before, folder_id, asks_place=migration.places.asks(folder_id))
            with remembering(migration, item), leaving_the_trash(migration, item):
                while True:
                    try:
                        receipt = migration.box.put(upload, reading, sessions, check_source=reading.check)
                        refuse_held(migration, item, receipt)
                        _require_place(migration, item, upload, receipt)
                        break
                    except NameInUse as exc:
                        upload = decision.instead(upload, exc)
            decision.tell()
            if renamed := renamed_by_box(item, upload, receipt):
                migration.record_event(EventKind.RENAMED, renamed)
            unkept.add(item.path, reading.streams)
            migration.recorder.put(_uploaded(item, reading, receipt))
            if log.isEnabledFor(logging.DEBUG):
                log.debug("in Box: %s, %s", item.path, size_words(item.size))
        return True
    return False


def _require_place(migration: Migration, item: ClaimedItem, upload: Upload, receipt: Receipt) -> None:
    if not receipt.above:
        return
    root_id = migration.folders.box_id(migration.root_folder_ids[item.tree_id])
    if not migration.places.is_away(upload, receipt, root_id):
        return
    if migration.plan.changes.in_box is not InBox.SOURCE:
        migration.places.refuse(item, upload, receipt)
    put_folders_back(migration, item.folder_id)
    migration.places.settle(upload.folder_id)


def let_uploaders_in(migration: Migration, tree_id: int) -> None:
    """Before a file of this tree is sent: see that the uploader app users may write into its folder."""
    if migration.box.identities and migration.part is not Part.SENDING:
        migration.editors.let_in(tree_id, migration.folders.box_id(migration.root_folder_ids[tree_id]))


class Reading:
    """One file of the share, as it is now: opened as often as it must be read, and compared afterwards (P1).

    A small one is read at once, with one look before and after: its bytes are held for every attempt. It keeps what
    opening shows of the file beside its content. NotFound when it is no ordinary file any more, ChangedWhileReading.
    """

    def __init__(
        self,
        source: Source,
        stop: StopSignal,
        item: ClaimedItem,
        seen: Callable[[int], None] = lambda position: None,
        ahead: ReadAhead | None = None,
    ) -> None:
        """`seen`: told how far the file was read. `ahead`: may have read it already, together with others."""
        self.streams = NO_STREAMS
        self._source = source
        self._stop = stop
        self._path = item.path
        self._seen = seen
        held = ahead.take(item) if ahead is not None else None
        started_ns = held.began_ns if held else time.time_ns()
        whole = held.file if held else self._read_whole(item)
        #: The file before it was read.
        self.before: Entry = _still_a_file(whole.before if whole else source.stat(item.path))
        #: Set when it is read too early to tell it from what may be written right after.
        found = self.before.fingerprint
        self.settles_ns = _settles_ns(item, found, started_ns)
        if not _is_the_one(item, found, whole):
            source.require_inside(item.path)
        self._content: bytes | None = None
        if whole is not None:
            if not whole.after.fingerprint.same_content_as(found):
                raise ChangedWhileReading
            if len(whole.content) != whole.before.size:
                raise ChangedWhileReading
            self.streams, self._content = whole.streams, whole.content

    def __call__(self) -> SourceFile:
        """Open it at its start."""
        if self._content is not None:
            return StoppableFile(HeldFile(self._content), self._stop, self._seen)
        file = StoppableFile(self._source.open(self._path), self._stop, self._seen)
        self.streams = file.streams or self.streams
        return file

    def _read_whole(self, item: ClaimedItem) -> WholeFile | None:
        return self._source.read_whole(item.path, item.size) if item.size <= WHOLE_BYTES else None

    def check(self) -> None:
        """ChangedWhileReading when the file is not what it was before it was read; AccessDenied when a folder above it
        is a link by now, which may have led the reading out of the root (P5)."""
        if self._content is not None:
            return  # all that was looked at when it was read
        self._source.require_inside(self._path)
        if not self._source.stat(self._path).fingerprint.same_content_as(self.before.fingerprint):
            raise ChangedWhileReading

    def sha1(self) -> str:
        """Read the whole file and return its SHA-1, 40 hex digits. ChangedWhileReading."""
        return sha1_of(self, self.before.size, self.check)

    @property
    def entry(self) -> Entry:
        """The file as it was read, with a note of what does not arrive."""
        return with_streams(self.before, self.streams)


def _is_the_one(item: ClaimedItem, found: Fingerprint, whole: WholeFile | None) -> bool:
    """Whether it is proven to be the file that the walk saw inside of the root (P5).

    A file that was read whole is known to be so afterwards only. Any other is looked for now, and once more when it has
    been read.
    """
    if whole is None:
        return found.same_content_as(item.fingerprint)
    return whole.one_handle and is_as_walked(item, found)


def _settles_ns(item: ClaimedItem, found: Fingerprint, started_ns: int) -> int | None:
    """Count from the time when the walk first saw this fingerprint; from now on where it is another."""
    settles_ns = item.settles_ns if found == item.fingerprint else None
    if settles_ns is None:
        settles_ns = found.settles_ns(time.time_ns())
    return None if settles_ns is None or settles_ns <= started_ns else settles_ns


def _refuse_when_stopping(stop: StopSignal) -> None:
    if stop.is_set():
        raise Stopped


def _still_a_file(entry: Entry) -> Entry:
    if entry.fault is not None:
        raise item_error(*entry.fault)
    if entry.kind is not EntryKind.FILE or entry.skip_reason is not None:
        raise NotFound("it is no longer an ordinary file; the next pass will record what it is now")
    return entry


def _upload(item: ClaimedItem, before: Entry, folder_id: str, *, asks_place: bool) -> Upload:
    return Upload(
        folder_id=folder_id,
        name=item.box_name,
        size=before.size,
        modified_ns=before.modified_ns,
        created_ns=before.created_ns,
        file_id=item.box_file_id,
        etag=item.box_etag,
        fingerprint=before.fingerprint,
        asks_place=asks_place,
    )


def _uploaded(item: ClaimedItem, reading: Reading, receipt: Receipt) -> Uploaded:
    return Uploaded(
        item_id=item.id,
        box_file_id=receipt.file_id,
        box_version_id=receipt.version_id,
        box_etag=receipt.etag,
        box_name=receipt.name,
        sha1=receipt.sha1,
        entry=reading.entry,
        adopted=receipt.adopted,
        identity=receipt.identity,
        settles_ns=reading.settles_ns,
        claimed=item,
    )


def _is_unchanged(item: ClaimedItem, reading: Reading) -> bool:
    return item.sha1 is not None and item.box_file_id is not None and reading.sha1() == item.sha1


def _as_it_was(item: ClaimedItem, reading: Reading, etag: str | None, date_in_box: int | None) -> Uploaded:
    """Times, rights or owner changed and the bytes did not: Box has them already, and nothing is sent (P6)."""
    return Uploaded(
        item_id=item.id,
        box_file_id=item.box_file_id or "",
        box_version_id=item.box_version_id,
        box_etag=etag,
        box_name=item.box_name,
        sha1=item.sha1 or "",
        entry=reading.entry,
        adopted=item.adopted,
        box_modified_ns=date_in_box,
        settles_ns=reading.settles_ns,
    )
