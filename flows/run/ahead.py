"""ReadAhead: small files of a batch read some together, by whichever sender comes first, before the others need them.

What was read ahead serves only a file that was then what the walk had seen; every other file, and every error, is left
to whoever reads that file by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple, Self

from connectors.entry import Fingerprint
from connectors.source import Source, WholeFile
from flows.run.job import Job
from state.records import ClaimedItem

#: Larger files gain nothing: their bytes take longer than their questions.
SMALL_BYTES = 256 << 10
#: Read together at most: whoever needs one of them waits for all.
FILES_TOGETHER, BYTES_TOGETHER = 64, 1 << 20
#: The next ones are read when no more than this part of as many wait: else all senders would wait for them at once.
LOW_PART = 4
#: Content that waits for its sender, in the whole process.
ROOM_BYTES = 8 << 20
#: What waited longer is read again, since its file may well be another one by now; and from then on fewer are read
#: together, at least so many. One identity's limit, 240 files a minute, sends 120 meanwhile.
FRESH_SECONDS, LEAST_TOGETHER = 30.0, 4


class Room:
    """How many bytes may still be read ahead in this process. Safe for threads."""

    def __init__(self, size: int = ROOM_BYTES) -> None:
        self._lock = threading.Lock()
        self._free = size

    @property
    def free(self) -> int:
        """Bytes that may be taken."""
        return self._free

    def take(self, size: int) -> bool:
        """Take so many bytes; False where there are fewer."""
        with self._lock:
            if size > self._free:
                return False
            self._free -= size
            return True

    def give_back(self, size: int) -> None:
        """So many are free again."""
        with self._lock:
            self._free += size


class Held(NamedTuple):
    """A file that was read ahead, and when the reading began, in nanoseconds since 1970."""

    file: WholeFile
    began_ns: int


class _Together(NamedTuple):
    """What was read by one call: when that began, by two clocks, and the files by their paths."""

    began_ns: int
    began: float
    files: dict[str, WholeFile]


class ReadAhead:
    """The small files of one batch. Safe for threads; close it when the batch is over."""

    def __init__(
        self,
        source: Source,
        room: Room,
        items: Sequence[ClaimedItem],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`items`: in the order in which they will be taken, more or less."""
        self._source = source
        self._room = room
        self._clock = clock
        self._lock = threading.Lock()
        #: Those that nobody has taken or read yet.
        self._unread = (
            {item.id: item for item in items if _is_worth_it(item)} if source.reads_together else {}
        )
        #: Those that are read, or are being read, and wait for their senders.
        self._waiting: dict[int, tuple[ClaimedItem, Job[_Together]]] = {}
        #: Threads that are reading now.
        self._reading = 0
        self._together = FILES_TOGETHER

    def take(self, item: ClaimedItem) -> Held | None:
        """The file as the walk saw it, unchanged while it was read; None: read it by itself.

        It may be read now, and others with it, or others while those before them are sent; what another thread is
        reading is waited for.
        """
        with self._lock:
            waiting = self._waiting.pop(item.id, None)
            is_enough = waiting is not None and self._is_enough()
            begun = None if is_enough else self._begin(item if waiting is None else None)
        if begun is not None:
            begun.run()
            with self._lock:
                self._reading -= 1
        job = waiting[1] if waiting is not None else begun
        if job is None:
            return None
        try:
            read = job.result()
            whole = read.files.pop(item.path, None)
        finally:
            self._room.give_back(item.size)
        if self._clock() - read.began > FRESH_SECONDS:
            self._together = max(LEAST_TOGETHER, self._together // 2)
            return None
        if whole is None or not _is_sound(item, whole):
            return None
        return Held(whole, read.began_ns)

    def close(self) -> None:
        """Forget what nobody took, and read nothing more; may be called twice."""
        with self._lock:
            left, self._waiting, self._unread = self._waiting, {}, {}
        self._room.give_back(sum(item.size for item, _ in left.values()))

    def _is_enough(self) -> bool:
        """Whether nothing more need be begun for those to come. Holds the lock."""
        return bool(self._reading) or len(self._waiting) > self._together // LOW_PART

    def _begin(self, item: ClaimedItem | None) -> Job[_Together] | None:
        """The reading of this file and the next ones, or of the next ones alone; None where that is no more than one.
        Holds the lock."""
        chunk, size = [], 0
        if item is not None:
            if self._unread.pop(item.id, None) is None or not self._room.take(item.size):
                return None
            chunk, size = [item], item.size
        for each in islice(self._unread.values(), self._together - len(chunk)):
            if size + each.size > BYTES_TOGETHER or not self._room.take(each.size):
                break
            chunk.append(each)
            size += each.size
        if len(chunk) < 2:
            self._room.give_back(size)
            return None
        job = Job(self._read, (chunk,))
        for each in chunk:
            if each is not item:
                del self._unread[each.id]
                self._waiting[each.id] = (each, job)
        self._reading += 1
        return job

    def _read(self, chunk: Sequence[ClaimedItem]) -> _Together:
        began_ns, began = time.time_ns(), self._clock()
        return _Together(
            began_ns, began, self._source.read_together([(item.path, item.size) for item in chunk])
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def is_as_walked(item: ClaimedItem, found: Fingerprint) -> bool:
    """Whether a file that was read by one handle is proven to be the one that the walk saw inside of the root (P5): by
    an id and a change time that both have, as an id alone is no proof."""
    return _is_known(item) and found == item.fingerprint


def _is_worth_it(item: ClaimedItem) -> bool:
    return item.size <= SMALL_BYTES and _is_known(item)


def _is_known(item: ClaimedItem) -> bool:
    return item.fingerprint.file_id is not None and item.fingerprint.changed_ns is not None


def _is_sound(item: ClaimedItem, whole: WholeFile) -> bool:
    found = whole.before.fingerprint
    unchanged = whole.after.fingerprint.same_content_as(found) and len(whole.content) == found.size
    return unchanged and whole.one_handle and is_as_walked(item, found)
