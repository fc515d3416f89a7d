"""Walkers: how many folders are listed at once: one at first, more where listing is waiting. Measures, does no I/O."""

from __future__ import annotations

import threading

#: Listings that are looked at together, times the number of walkers.
WINDOW = 8
#: More walkers are tried where whoever takes the listings waits so many times as long as making them takes of the
#: processor. A machine that is busy with other things may double the time; a network makes it ten times as long.
WAITING_SHARE = 3.0
#: The same once a second walker was of use: it is a network.
PROVEN_SHARE = 1.5
#: Waiting for less than this a listing is not worth a thread.
WORTH_SECONDS = 0.000_3
#: More walkers stay where they shorten the wait for an entry to this part.
GAIN = 0.85
#: Windows for which a number that did not help is not tried again.
REST = 32


class Walkers:
    """Grows from one walker to `limit` as long as that shortens the waiting. Safe for threads.

    Python runs one thread at a time: where a listing is work of the processor (a local disk, a fast server) more
    walkers only take turns, at a cost; where it is waiting for a network they wait together.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 1
        self._listings = self._entries = 0
        self._waited = self._worked = 0.0
        #: Seconds of waiting for an entry with fewer walkers, while more are tried.
        self._before: float | None = None
        self._resting = 0

    def count(self, limit: int) -> int:
        """How many folders to list at once now."""
        return max(1, min(self._count, limit))

    def listed(self, entries: int, *, waited: float, worked: float, limit: int) -> None:
        """Take note of a listing: how long it was waited for, and how much of the processor it took, in seconds."""
        with self._lock:
            self._listings += 1
            self._entries += entries + 1
            self._waited += waited
            self._worked += worked
            if self._listings >= WINDOW * self._count:
                self._judge(limit)
                self._listings = self._entries = 0
                self._waited = self._worked = 0.0

    def _judge(self, limit: int) -> None:
        wait = self._waited / self._entries
        if self._before is not None and wait > self._before * GAIN:
            self._count, self._resting = max(1, self._count // 2), REST
        elif self._resting:
            self._resting -= 1
        elif self._count < limit and self._is_waiting():
            self._before, self._count = wait, min(limit, self._count * 2)
            return
        self._before = None

    def _is_waiting(self) -> bool:
        share = WAITING_SHARE if self._count == 1 else PROVEN_SHARE
        return self._waited > max(share * self._worked, WORTH_SECONDS * self._listings)
