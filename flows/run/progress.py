"""Progress: what has been done since the run began, counted by many threads, shown by whoever asks."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.entry import Entry, EntryKind
from flows.run.forecast import seconds_left
from flows.words import size_words
from state.diff import Change, ChangeKind
from state.records import Failed, TreeReport, Uploaded
from state.reports.sums import add_up
from state.statuses import ItemStatus

#: Seconds that the shown rate looks back.
RATE_WINDOW_SECONDS = 60.0

#: What an entry is after a walk saw this change.
_AFTER = {
    ChangeKind.NEW: ItemStatus.PENDING,
    ChangeKind.CHANGED: ItemStatus.PENDING,
    ChangeKind.MISSING: ItemStatus.GONE,
    ChangeKind.EXCLUDED: ItemStatus.EXCLUDED,
    ChangeKind.FAILED: ItemStatus.FAILED,
}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Progress at one moment, of the trees that this run moves; what earlier runs did counts.

    Files and bytes are those that are to move: what is excluded, waived or gone is not among them.
    """

    phase: str = "starting"
    folders_walked: int = 0
    entries_seen: int = 0
    files_total: int = 0
    files_uploaded: int = 0
    files_failed: int = 0
    #: Of those that are to move, what this run leaves to another one.
    files_left_out: int = 0
    bytes_left_out: int = 0
    bytes_total: int = 0
    bytes_uploaded: int = 0
    #: Bytes read and sent since the run began, unfinished files included.
    bytes_sent: int = 0
    #: Of those, the bytes of files that are not there yet.
    bytes_under_way: int = 0
    #: The share is still walked: there may be more than is counted.
    walks_on: bool = False
    adopted: int = 0
    rate_limited: int = 0
    calls: int = 0
    files_per_second: float = 0.0
    bytes_per_second: float = 0.0
    eta_seconds: float | None = None
    seconds: float = 0.0
    #: How many entries (files, folders and what is neither) are failed now, by reason.
    failures: dict[str, int] = field(default_factory=dict)
    #: How many tries failed in this run and are made again, by reason.
    tried_again: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Entries that are failed now: the number that status and report have."""
        return sum(self.failures.values())


def bytes_words(state: Snapshot) -> str:
    """How many bytes are in Box, of how many, and how many are on their way."""
    under_way = f", {size_words(state.bytes_under_way)} on their way" if state.bytes_under_way else ""
    return f"{size_words(state.bytes_uploaded)} of {size_words(state.bytes_total)}{under_way}"


class Progress:
    """Counts; knows nothing of screens or of Prefect."""

    def __init__(self, *, uploads_per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._began = clock()
        self._uploads_per_minute = uploads_per_minute
        self._state = Snapshot()
        self._ended = False
        self._failures: Counter[str] = Counter()
        self._tried_again: Counter[str] = Counter()
        self._done: deque[tuple[float, int, int]] = deque([(self._began, 0, 0)])
        self._sent_files = 0
        #: Bytes that other processes sent, as the checkpoint has them.
        self._others_bytes = 0

    def start_from(self, reports: Sequence[TreeReport]) -> None:
        """What the checkpoint knows of these trees replaces what was counted: where a run begins, and where it ends."""
        with self._lock:
            self._take_over(reports)

    def catch_up(self, reports: Sequence[TreeReport]) -> None:
        """What the checkpoint knows now, where other processes send as well: their files count for the rate, too."""
        with self._lock:
            before = self._state
            self._take_over(reports)
            self._sent_files += max(0, self._state.files_uploaded - before.files_uploaded)
            self._others_bytes += max(0, self._state.bytes_uploaded - before.bytes_uploaded)

    def _take_over(self, reports: Sequence[TreeReport]) -> None:
        sums = add_up(reports)
        self._failures = Counter(sums.failures_by_reason)
        self._state = replace(
            self._state,
            files_total=sums.files.to_move,
            files_uploaded=sums.files.uploaded,
            files_failed=sums.files.failed,
            bytes_total=sums.files.bytes_total,
            bytes_uploaded=sums.files.bytes_uploaded,
        )

    def leave_out(self, size: int) -> None:
        """One file of this size is left to another run."""
        with self._lock:
            files, total = self._state.files_left_out + 1, self._state.bytes_left_out + size
            self._state = replace(self._state, files_left_out=files, bytes_left_out=total)

    def enter(self, phase: str) -> None:
        """Name what is happening now."""
        with self._lock:
            self._state = replace(self._state, phase=phase)

    def end(self, phase: str) -> None:
        """Nothing is on its way any more, and this is how it ended."""
        with self._lock:
            self._ended = True
            self._state = replace(self._state, phase=phase)

    def walk(self, *, goes_on: bool) -> None:
        """The share is walked from now on, or no more."""
        with self._lock:
            self._state = replace(self._state, walks_on=goes_on)

    def walked(self, listing: Sequence[Entry], changes: Sequence[Change]) -> None:
        """One folder was listed."""
        changes = [change for change in changes if change.kind is not ChangeKind.IDENTIFIED]
        before = [_before(change) for change in changes]
        after = [_after(change) for change in changes]
        with self._lock:
            for change, (was, _), (now, _) in zip(changes, before, after, strict=True):
                if was is ItemStatus.FAILED and change.known is not None:
                    self._failures[change.known.reason or ""] -= 1
                if now is ItemStatus.FAILED:
                    self._failures[change.reason or ""] += 1
            self._state = replace(
                self._state,
                folders_walked=self._state.folders_walked + 1,
                entries_seen=self._state.entries_seen + len(listing),
                **self._with(after, before),
            )

    def _with(self, after: Sequence[Seen], before: Sequence[Seen]) -> dict[str, Any]:
        """The sums with what there is now in place of what there was."""
        gained, lost = _sums(after), _sums(before)
        return {name: getattr(self._state, name) + gained[name] - lost[name] for name in gained}

    def folder_failed(self, reason: str) -> None:
        """One folder could not be listed."""
        with self._lock:
            self._failures[reason] += 1

    def recorded(self, results: Sequence[Uploaded | Failed]) -> None:
        """These results are in the checkpoint."""
        with self._lock:
            sent = [result for result in results if isinstance(result, Uploaded)]
            failed = [each for each in results if isinstance(each, Failed) and each.settled_by is None]
            size = sum(result.entry.size for result in sent)
            arrived = sum(result.entry.size for result in sent if not result.adopted)
            self._sent_files += len(sent)
            for result in failed:
                (self._tried_again if result.retry else self._failures)[result.reason] += 1
            self._state = replace(
                self._state,
                files_uploaded=self._state.files_uploaded + len(sent),
                bytes_uploaded=self._state.bytes_uploaded + size,
                # How much of what failed had left for Box nobody knows: rather too little is shown than too much.
                bytes_under_way=0 if failed else max(0, self._state.bytes_under_way - arrived),
                adopted=self._state.adopted + sum(result.adopted for result in sent),
                files_failed=self._state.files_failed + sum(not result.retry for result in failed),
            )

    def called(self, *, calls: int, rate_limited: int, bytes_sent: int) -> None:
        """How many Box calls this run has made, how many were answered with 429, and what left for Box."""
        with self._lock:
            self._state = replace(
                self._state,
                calls=calls,
                rate_limited=rate_limited,
                bytes_sent=bytes_sent,
                bytes_under_way=self._state.bytes_under_way + max(0, bytes_sent - self._state.bytes_sent),
            )

    def snapshot(self) -> Snapshot:
        """Now, with rates over the last minute and the time that is left under the limits."""
        with self._lock:
            now = self._clock()
            # What left for Box counts, finished or not: a file that was all but sent before is no rate.
            sent = self._state.bytes_sent + self._others_bytes
            self._done.append((now, self._sent_files, sent))
            while len(self._done) > 2 and now - self._done[1][0] > RATE_WINDOW_SECONDS:
                self._done.popleft()
            then, files_then, bytes_then = self._done[0]
            span = max(now - then, 1e-6)
            files_rate = (self._sent_files - files_then) / span
            bytes_rate = (sent - bytes_then) / span
            state = replace(
                self._state,
                files_per_second=files_rate,
                bytes_per_second=bytes_rate,
                bytes_under_way=0 if self._ended else self._state.bytes_under_way,
                seconds=now - self._began,
                failures={reason: number for reason, number in self._failures.items() if number > 0},
                tried_again=dict(self._tried_again),
            )
        return replace(
            state,
            eta_seconds=seconds_left(
                files=max(
                    0, state.files_total - state.files_uploaded - state.files_failed - state.files_left_out
                ),
                size=max(
                    0,
                    state.bytes_total - state.bytes_uploaded - state.bytes_under_way - state.bytes_left_out,
                ),
                files_per_second=state.files_per_second,
                bytes_per_second=state.bytes_per_second,
                uploads_per_minute=self._uploads_per_minute,
            ),
        )


#: Status of an entry (None: there is none), and its size where it is a file.
Seen = tuple[ItemStatus | None, int | None]


def _before(change: Change) -> Seen:
    known = change.known
    if known is None:
        return None, None
    return known.status, known.fingerprint.size if known.kind is EntryKind.FILE else None


def _after(change: Change) -> Seen:
    entry = change.entry or change.known
    is_file = entry is not None and entry.kind is EntryKind.FILE
    return _AFTER[change.kind], (change.entry.size if change.entry is not None else 0) if is_file else None


def _sums(seen: Sequence[Seen]) -> dict[str, int]:
    """Sums over the files among them that are to move."""
    files = [
        (status, size)
        for status, size in seen
        if size is not None and status in (ItemStatus.PENDING, ItemStatus.UPLOADED, ItemStatus.FAILED)
    ]
    sent = [size for status, size in files if status is ItemStatus.UPLOADED]
    return {
        "files_total": len(files),
        "files_uploaded": len(sent),
        "files_failed": sum(status is ItemStatus.FAILED for status, _ in files),
        "bytes_total": sum(size for _, size in files),
        "bytes_uploaded": sum(sent),
    }
