"""Progress: what has been done since the run began, counted by many threads, shown by whoever asks."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from connectors.entry import Entry, EntryKind
from state.diff import Change, ChangeKind
from state.records import Counts, Failed, KnownChild, Uploaded
from state.statuses import ItemStatus

#: Seconds that the shown rate looks back.
RATE_WINDOW_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Progress at one moment. Files and bytes of the whole plan, earlier runs included."""

    phase: str = "starting"
    folders_walked: int = 0
    entries_seen: int = 0
    files_total: int = 0
    files_uploaded: int = 0
    files_failed: int = 0
    files_excluded: int = 0
    bytes_total: int = 0
    bytes_uploaded: int = 0
    #: Bytes read and sent since the run began, unfinished files included.
    bytes_sent: int = 0
    adopted: int = 0
    rate_limited: int = 0
    calls: int = 0
    files_per_second: float = 0.0
    bytes_per_second: float = 0.0
    eta_seconds: float | None = None
    seconds: float = 0.0
    failures: dict[str, int] = field(default_factory=dict)


class Progress:
    """Counts; knows nothing of screens or of Prefect."""

    def __init__(self, *, uploads_per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._began = clock()
        self._uploads_per_minute = uploads_per_minute
        self._state = Snapshot()
        self._failures: Counter[str] = Counter()
        self._done: deque[tuple[float, int, int]] = deque([(self._began, 0, 0)])
        self._sent_files = 0

    def start_from(self, counts: Sequence[Counts]) -> None:
        """What the checkpoint already knows of the plan's files."""
        with self._lock:
            self._take_over(counts)

    def catch_up(self, counts: Sequence[Counts]) -> None:
        """What the checkpoint knows now, where other processes send as well: their files count for the rate, too."""
        with self._lock:
            before = self._state.files_uploaded
            self._take_over(counts)
            self._sent_files += max(0, self._state.files_uploaded - before)

    def _take_over(self, counts: Sequence[Counts]) -> None:
        self._state = replace(
            self._state,
            files_total=sum(count.total for count in counts),
            files_uploaded=sum(count.uploaded for count in counts),
            files_failed=sum(count.failed for count in counts),
            files_excluded=sum(count.excluded for count in counts),
            bytes_total=sum(count.bytes_total for count in counts),
            bytes_uploaded=sum(count.bytes_uploaded for count in counts),
        )

    def enter(self, phase: str) -> None:
        """Name what is happening now."""
        with self._lock:
            self._state = replace(self._state, phase=phase)

    def walked(self, listing: Sequence[Entry], changes: Sequence[Change]) -> None:
        """One folder was listed."""
        new = [
            change.entry
            for change in changes
            if change.kind is ChangeKind.NEW
            and change.entry is not None
            and change.entry.kind is EntryKind.FILE
        ]
        failed = [change for change in changes if change.kind is ChangeKind.FAILED]
        # Counted already, and from now on sent once more, gone, excluded or failed.
        undone = [
            known for known in map(_known_file, changes) if known and known.status is ItemStatus.UPLOADED
        ]
        missing = [
            known
            for change in changes
            if change.kind is ChangeKind.MISSING and (known := _known_file(change))
        ]
        with self._lock:
            self._failures.update(change.reason or "" for change in failed)
            self._state = replace(
                self._state,
                folders_walked=self._state.folders_walked + 1,
                entries_seen=self._state.entries_seen + len(listing),
                files_total=self._state.files_total
                + len(new)
                - len(missing)
                + sum(change.known is None for change in failed),
                files_uploaded=self._state.files_uploaded - len(undone),
                files_failed=self._state.files_failed + len(failed),
                bytes_total=self._state.bytes_total
                + sum(entry.size for entry in new)
                + sum(map(_growth, changes))
                - sum(known.fingerprint.size for known in missing),
                bytes_uploaded=self._state.bytes_uploaded - sum(known.fingerprint.size for known in undone),
            )

    def folder_failed(self) -> None:
        """One folder could not be listed."""
        with self._lock:
            self._failures["folder unreadable"] += 1

    def recorded(self, results: Sequence[Uploaded | Failed]) -> None:
        """These results are in the checkpoint."""
        with self._lock:
            for result in results:
                if isinstance(result, Uploaded):
                    self._sent_files += 1
                    self._state = replace(
                        self._state,
                        files_uploaded=self._state.files_uploaded + 1,
                        bytes_uploaded=self._state.bytes_uploaded + result.entry.size,
                        adopted=self._state.adopted + result.adopted,
                    )
                else:
                    self._failures[result.reason] += 1
                    if not result.retry:
                        self._state = replace(self._state, files_failed=self._state.files_failed + 1)

    def called(self, *, calls: int, rate_limited: int, bytes_sent: int) -> None:
        """How many Box calls this run has made, how many were answered with 429, and what left for Box."""
        with self._lock:
            self._state = replace(self._state, calls=calls, rate_limited=rate_limited, bytes_sent=bytes_sent)

    def snapshot(self) -> Snapshot:
        """Now, with rates over the last minute and the time that is left under the limits."""
        with self._lock:
            now = self._clock()
            self._done.append((now, self._sent_files, self._state.bytes_uploaded))
            while len(self._done) > 2 and now - self._done[1][0] > RATE_WINDOW_SECONDS:
                self._done.popleft()
            then, files_then, bytes_then = self._done[0]
            span = max(now - then, 1e-6)
            files_rate = (self._sent_files - files_then) / span
            bytes_rate = (self._state.bytes_uploaded - bytes_then) / span
            state = replace(
                self._state,
                files_per_second=files_rate,
                bytes_per_second=bytes_rate,
                seconds=now - self._began,
                failures=dict(self._failures),
            )
        return replace(state, eta_seconds=eta_seconds(state, uploads_per_minute=self._uploads_per_minute))


def _known_file(change: Change) -> KnownChild | None:
    return change.known if change.known is not None and change.known.kind is not EntryKind.FOLDER else None


def _growth(change: Change) -> int:
    """Return by how many bytes a file that is sent again is larger now."""
    if (
        change.kind is not ChangeKind.CHANGED
        or change.entry is None
        or (known := _known_file(change)) is None
    ):
        return 0
    return change.entry.size - known.fingerprint.size


def eta_seconds(state: Snapshot, *, uploads_per_minute: int) -> float | None:
    """Seconds left: Box's limit on files, or the kinder of the measured file and byte rates when those are slower.

    A minute of small files says nothing about the large ones to come, and the other way round; the kinder of the two
    rates is wrong for shorter.
    """
    files_left = max(0, state.files_total - state.files_uploaded - state.files_failed - state.files_excluded)
    bytes_left = max(0, state.bytes_total - state.bytes_uploaded)
    if files_left == 0:
        return 0.0
    if state.files_per_second <= 0:
        return None
    by_limit = (files_left - uploads_per_minute) * 60 / uploads_per_minute
    by_files = files_left / state.files_per_second
    by_bytes = bytes_left / state.bytes_per_second if bytes_left and state.bytes_per_second > 0 else by_files
    return max(by_limit, min(by_files, by_bytes))
