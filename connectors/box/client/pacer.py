"""Pacer: exact client-side sliding windows over calls, which are spread evenly over each window.

It knows nothing of HTTP or Box. A place in a window is held while a call is in flight and given back one window
after its *answer* arrived: whenever between sending and answer the server counts the call, the server never sees
more than the limit in any window of that length. Box does not say how it counts; a token bucket that keeps a twentieth
of a window's budget refuses a minute's budget at once (P10), so calls begin at the limit's own rate (the generic cell
rate algorithm of ITU-T I.371), with half of that twentieth at once after a rest: the other half is for calls that
catch up with each other on the way.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from connectors.errors import Stopped

#: Writes a block down before it is used: reserve(uploads, calls).
Reserve = Callable[[int, int], None]

#: A block that somebody wrote down earlier: (reserved_at, uploads, calls); reserved_at is aware.
EarlierBlock = tuple[datetime, int, int]

#: A window's budget is reserved in this many blocks.
BLOCKS_PER_WINDOW = 8

#: After a rest one in so many calls of a window's budget may begin at once.
BURSTS_PER_WINDOW = 40


class Pacer:
    """The budget of one Box user: uploads and calls per window. An upload counts as a call, too.

    The budget outlives the process by blocks that are written down before they are used. A block counts as used
    until one window after the next block was reserved, the last one until one window after now. A block that is
    written down includes the calls still in flight, so that their late effect is never forgotten.
    """

    def __init__(
        self,
        *,
        uploads: int,
        calls: int,
        window_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        stop: threading.Event | None = None,
    ) -> None:
        """uploads and calls: per window_seconds. sleep replaces waiting on the condition (tests)."""
        if min(uploads, calls) < 1:
            raise ValueError("a pacer needs at least one upload and one call per window")
        self.window_seconds = window_seconds
        self.waited_seconds = 0.0
        self._uploads = _Window(uploads, window_seconds, clock())
        self._calls = _Window(calls, window_seconds, clock())
        #: By whether it is an upload, what a call counts in.
        self._windows = {True: (self._calls, self._uploads), False: (self._calls,)}
        self._clock = clock
        self._sleep = sleep
        self._now = now
        self._stop = stop or threading.Event()
        self._changed = threading.Condition()
        # One of each kind waits for its time, the others behind it: else all wake up for each place.
        self._turns = {True: threading.Lock(), False: threading.Lock()}
        self._not_before = clock()
        self._waiting_uploads = 0
        self._reserve: Reserve | None = None

    def set_budget(self, *, reserve: Reserve | None, earlier: Sequence[EarlierBlock] = ()) -> None:
        """Take over what was used before, and where blocks are written down from now on."""
        with self._changed:
            self._reserve = reserve
            self._uploads.allowance = self._calls.allowance = 0
            now, clock = self._now(), self._clock()
            ends = [reserved_at for reserved_at, _, _ in earlier[1:]] + [now]
            for (_, uploads, calls), end in zip(earlier, ends, strict=False):
                # A block from the future: somebody's clock was ahead, or was set back since; it holds nobody up.
                free_at = (
                    clock + (min(end, now) + timedelta(seconds=self.window_seconds) - now).total_seconds()
                )
                self._uploads.occupy(uploads, free_at)
                self._calls.occupy(calls, free_at)

    def call(self, *, upload: bool = False) -> _Place:
        """Hold a place while the body runs. Waits for one; Stopped when the stop event is set meanwhile.

        An exception of the reserve callback leaves as it is, before anything was sent.
        """
        return _Place(self, upload=upload)

    def enter(self, *, upload: bool) -> None:
        """Take a place: for call() alone."""
        windows = self._windows[upload]
        turn = self._turns[upload]
        # Mostly nobody waits, and a place is free.
        if turn.acquire(blocking=False):
            try:
                if self._took(windows):
                    return
            finally:
                turn.release()
        self._enter(windows, upload=upload)

    def leave(self, *, upload: bool) -> None:
        """Give the place back, one window from now: for call() alone."""
        with self._changed:
            free_at = self._clock() + self.window_seconds
            for window in self._windows[upload]:
                window.answered(free_at)
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Begin no call for so many seconds: the server said so."""
        with self._changed:
            self._not_before = max(self._not_before, self._clock() + seconds)

    def wait(self, seconds: float) -> None:
        """Sleep, interruptible: Stopped when the stop event is set."""
        if self._sleep is not None:
            self._sleep(seconds)
        else:
            self._stop.wait(seconds)
        if self._stop.is_set():
            raise Stopped

    def give_back(self) -> tuple[int, int]:
        """Return (uploads, calls) of the last block that nobody used, once: the next call reserves a block anew.

        (0, 0) where nothing writes blocks down. For an orderly end: what is written down then is what was used.
        """
        with self._changed:
            unused = max(0, self._uploads.allowance), max(0, self._calls.allowance)
            self._uploads.allowance = self._calls.allowance = 0
            return unused if self._reserve is not None else (0, 0)

    def pressure(self) -> float:
        """Return how much of the upload window is taken, from 0 on, waiting ones included."""
        with self._changed:
            self._uploads.expire(self._clock())
            return (self._uploads.taken + self._waiting_uploads) / self._uploads.limit

    # --- private ---

    def _took(self, windows: Sequence[_Window]) -> bool:
        with self._changed:
            if self._stop.is_set() or self._delay(windows) != 0:
                return False
            self._top_up(windows)
            now = self._clock()
            for window in windows:
                window.take(now)
            return True

    def _enter(self, windows: Sequence[_Window], *, upload: bool) -> None:
        began = self._clock()
        with self._changed:
            self._waiting_uploads += upload
        try:
            with self._turns[upload], self._changed:
                while (delay := self._delay(windows)) is None or delay > 0:
                    self._wait_for_change(delay)
                    if self._stop.is_set():
                        raise Stopped
                if self._stop.is_set():
                    raise Stopped
                self._top_up(windows)
                for window in windows:
                    window.take(self._clock())
        finally:
            with self._changed:
                self._waiting_uploads -= upload
                self.waited_seconds += self._clock() - began

    def _delay(self, windows: Sequence[_Window]) -> float | None:
        """Seconds until a place may be free; 0: now; None: not before an answer arrives."""
        now = self._clock()
        delay: float | None = max(0.0, self._not_before - now)
        for window in windows:
            window.expire(now)
            delay = max(delay or 0.0, window.not_before - now)
            if window.taken >= window.limit:
                free_at = window.next_free_at()
                if free_at is None:
                    return None
                delay = max(delay or 0.0, free_at - now)
        return delay

    def _wait_for_change(self, delay: float | None) -> None:
        """Wait until a place may be free, a quarter of a second at most, so that a stop is noticed."""
        seconds = 0.25 if delay is None else delay
        if self._sleep is None:
            self._changed.wait(min(seconds, 0.25))
            return
        self._changed.release()
        try:
            self._sleep(seconds)
        finally:
            self._changed.acquire()

    def _top_up(self, windows: Sequence[_Window]) -> None:
        """Reserve a new block when one of these windows has used its own up."""
        if self._reserve is None or all(window.allowance > 0 for window in windows):
            return
        uploads, calls = (
            max(1, window.limit // BLOCKS_PER_WINDOW) for window in (self._uploads, self._calls)
        )
        self._reserve(uploads + self._uploads.in_flight, calls + self._calls.in_flight)
        self._uploads.allowance, self._calls.allowance = uploads, calls


class _Place:
    """A place in the budget while the body runs."""

    __slots__ = ("_pacer", "_upload")

    def __init__(self, pacer: Pacer, *, upload: bool) -> None:
        self._pacer = pacer
        self._upload = upload

    def __enter__(self) -> None:
        self._pacer.enter(upload=self._upload)

    def __exit__(self, *exc_info: object) -> None:
        self._pacer.leave(upload=self._upload)


class _Window:
    """Places of one kind: in flight, or answered less than a window ago. They are taken at an even rate."""

    def __init__(self, limit: int, seconds: float, now: float) -> None:
        self.limit = limit
        self._interval = seconds / limit
        self._tolerance = (max(1, limit // BURSTS_PER_WINDOW) - 1) * self._interval
        #: When a call would begin that comes exactly at the rate. Nothing is saved up at first: the process before
        #: this one may have used it a moment ago.
        self._due = now + self._tolerance
        self.in_flight = 0
        #: Left of the block that was written down last.
        self.allowance = 0
        #: (free at, how many), a heap; earlier blocks may end out of order.
        self._used: list[tuple[float, int]] = []
        self._used_count = 0

    @property
    def taken(self) -> int:
        return self.in_flight + self._used_count

    @property
    def not_before(self) -> float:
        """When the next call may begin, by the rate alone."""
        return self._due - self._tolerance

    def take(self, now: float) -> None:
        self.in_flight += 1
        self.allowance -= 1
        self._due = max(self._due, now) + self._interval

    def answered(self, free_at: float) -> None:
        self.in_flight -= 1
        self.occupy(1, free_at)

    def occupy(self, count: int, free_at: float) -> None:
        if count > 0:
            heapq.heappush(self._used, (free_at, count))
            self._used_count += count

    def expire(self, now: float) -> None:
        """A place is free strictly after its window: the server may still count the very instant."""
        while self._used and self._used[0][0] < now:
            self._used_count -= heapq.heappop(self._used)[1]

    def next_free_at(self) -> float | None:
        if not self._used:
            return None
        # The next float: expire() frees only what lies strictly in the past.
        return self._used[0][0] + 1e-4
