"""Bandwidth: content leaves for Box at a rate that may change at any time, evenly, whoever else shares the line.

The line is time: each of its users reserves a short span, and sends in it what the line carries in that time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from connectors.box.client.curl import Body, Content, Reader
from connectors.box.client.errors import NotBox
from connectors.errors import Stopped

#: Bytes a second now; None: as many as there are.
Rate = Callable[[], int | None]

#: Reserves so many seconds of the line, and returns in how many seconds they begin; a little less than none for a
#: span that nobody used.
Reserve = Callable[[float], float]

#: What is reserved at once. Of all who share the line somebody reserves ten times a second.
SPAN_SECONDS = 0.1
#: What is sent at once lasts no longer, however slow the line is.
PIECE_SECONDS, LEAST_PIECE_BYTES = 0.1, 256
#: So late a span may still be used.
LATE_SECONDS = 0.25
#: Seconds between two looks at a stop, and at the rate, while somebody waits.
LOOK_SECONDS = 0.25


class Bandwidth:
    """One process's use of the line. Safe for threads; costs nothing where there is no limit now but the look at it."""

    def __init__(
        self,
        rate: Rate,
        reserve: Reserve,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate, self._reserve, self._stop, self._clock = rate, reserve, stop, clock
        self._lock = threading.Lock()
        #: When the next byte may leave, and how many seconds of the line are reserved from then on.
        self._next, self._left = clock(), 0.0

    def paced(self, body: Body) -> Reader:
        """Return the body as a reader that gives out its bytes as the line takes them.

        Stopped, as NotBox, when the run ends; what reserving raises as NotBox as well.
        """
        return _Paced(body, self)

    def piece_bytes(self, wanted: int) -> int:
        """Return how many of so many bytes are sent at once."""
        rate = self._rate()
        return wanted if rate is None else min(wanted, max(LEAST_PIECE_BYTES, int(rate * PIECE_SECONDS)))

    def wait(self, count: int) -> None:
        """Return when so many bytes may leave. Stopped; what reserving raises."""
        rate = self._rate()
        if rate is None or not count:
            return
        due = self._due(count / rate)
        while (left := due - self._clock()) > 0:
            if self._stop.wait(min(left, LOOK_SECONDS)):
                raise Stopped
            if self._rate() is None:
                return

    def _due(self, seconds: float) -> float:
        """When what the line carries in so many seconds may leave."""
        with self._lock:
            if self._clock() > self._next + self._left + LATE_SECONDS:
                self._left = 0.0
            while self._left < seconds:
                span = max(SPAN_SECONDS, seconds - self._left)
                begins = self._clock() + self._reserve(span)
                # What is left of the span before is used at the beginning of this one.
                self._next, self._left = begins - self._left, self._left + span
            due = self._next
            self._next += seconds
            self._left -= seconds
            return due


class _Paced:
    def __init__(self, body: Body, bandwidth: Bandwidth) -> None:
        self.len = len(body) if isinstance(body, Content) else body.len
        self._bandwidth = bandwidth
        self._body = body if not isinstance(body, Content) else _Bytes(body)

    def read(self, size: int, /) -> bytes | memoryview:
        piece = self._body.read(self._bandwidth.piece_bytes(size))
        try:
            self._bandwidth.wait(len(piece))
        except Exception as exc:
            raise NotBox(exc) from exc
        return piece


class _Bytes:
    def __init__(self, content: Content) -> None:
        self.len = len(content)
        self._view = memoryview(content)

    def read(self, size: int, /) -> memoryview:
        piece, self._view = self._view[:size], self._view[size:]
        return piece
