"""Pool: connections to a server that gives a limited number of them. Each is lent to one user at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")

#: Connections kept for reuse.
IDLE_CONNECTIONS = 64

#: Seconds after which a server that gave no more is asked for one more again.
FULL_SECONDS = 30.0

#: Seconds for which a place is waited for; a server that was full may be one that went away.
WAIT_SECONDS = 20.0


class Pool(Generic[T]):
    """Makes a connection when none is free, and shrinks to what the server gives: then its users take turns.

    A server is full when it refuses a connection while it serves others of this pool. A file keeps its connection
    while it is read (`lasting`); one more is open than there are files, for the questions that are asked about them.
    """

    def __init__(
        self,
        make: Callable[[], T],
        *,
        is_usable: Callable[[T], bool],
        is_refusal: Callable[[Exception], bool],
        end: Callable[[T], object],
        drop: Callable[[T], object],
        wait_seconds: float = WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`make` connects; `is_refusal`: whether what it raised may mean that the server is full.

        `end` closes a connection that is at rest, `drop` any other; neither raises.
        """
        self._make = make
        self._is_usable = is_usable
        self._is_refusal = is_refusal
        self._end = end
        self._drop = drop
        self._wait_seconds = wait_seconds
        self._clock = clock
        # Reentrant: the garbage collector may give back a connection while this thread takes one.
        self._free = threading.Condition(threading.RLock())
        self._idle: list[T] = []
        self._keep = IDLE_CONNECTIONS
        self._making = 0
        self._lent = 0
        self._lasting = 0
        #: How many the server gave when it was full, and until when that is believed.
        self._limit = 0
        self._full_until = 0.0

    def add(self, connection: T) -> None:
        """Put in one that is open already."""
        with self._free:
            self._idle.append(connection)
            self._free.notify_all()

    def take(self, *, lasting: bool = False) -> T:
        """Return a connection that nobody else has; give it back. Raises what `make` raised."""
        deadline = self._clock() + self._wait_seconds
        refusal: Exception | None = None
        while True:
            with self._free:
                if self._may_take(lasting) and (connection := self._usable()) is not None:
                    self._lent += 1
                    self._lasting += lasting
                    return connection
                if refusal is not None and self._clock() >= deadline:
                    raise refusal
                if self._is_full():
                    refusal = refusal or TimeoutError("the server gives no more connections; all are in use")
                if self._is_full() or self._is_enough_under_way(lasting):
                    self._free.wait(min(1.0, self._wait_seconds))
                    continue
                self._making += 1
            refusal = self._make_one() or refusal

    def give_back(self, connection: T, *, keep: bool, lasting: bool = False) -> None:
        """Return it; one that is in no known state is not kept."""
        with self._free:
            kept = keep and self._is_usable(connection) and len(self._idle) < self._keep
            if kept:
                self._idle.append(connection)
            self._lent -= 1
            self._lasting -= lasting
            self._free.notify_all()
        if not kept:
            (self._end if keep else self._drop)(connection)

    @contextmanager
    def lent(self, *, keep_after: Callable[[Exception], bool]) -> Iterator[T]:
        """A connection for one call; `keep_after`: whether it is in a known state after this exception."""
        connection = self.take()
        keep = False
        try:
            yield connection
            keep = True
        except Exception as exc:
            keep = keep_after(exc)
            raise
        finally:
            self.give_back(connection, keep=keep)

    def close(self) -> None:
        """End all that are idle; those that are lent end when they come back. It may be used again."""
        with self._free:
            idle, self._idle, self._keep = self._idle, [], 0
        for connection in idle:
            self._end(connection)

    def _may_take(self, lasting: bool) -> bool:
        """A file takes the last one only where the server gives one in all."""
        if not lasting or self._lasting + 2 <= self._lent + len(self._idle):
            return True
        return self._is_full() and not self._lasting

    def _is_enough_under_way(self, lasting: bool) -> bool:
        """Tell whether others of this pool are connecting already to what a file needs."""
        total = self._lent + len(self._idle) + self._making
        return lasting and self._making > 0 and self._lasting + 2 <= total

    def _usable(self) -> T | None:
        while self._idle:
            connection = self._idle.pop()
            if self._is_usable(connection):
                return connection
        self._keep = IDLE_CONNECTIONS
        return None

    def _is_full(self) -> bool:
        return self._clock() < self._full_until and self._lent + len(self._idle) >= self._limit

    def _make_one(self) -> Exception | None:
        """Add one to the idle ones, or return why the server gives no more; raises what is no sign of that."""
        try:
            made = self._make()
        except BaseException as exc:
            with self._free:
                self._making -= 1
                others = self._lent + len(self._idle) + self._making
                self._free.notify_all()
                if not others or not isinstance(exc, Exception) or not self._is_refusal(exc):
                    raise
                self._limit, self._full_until = others, self._clock() + FULL_SECONDS
            return exc
        with self._free:
            self._making -= 1
        self.add(made)
        return None
