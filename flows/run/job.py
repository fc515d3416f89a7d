"""Job: one call that another thread makes, and what came of it: a Future of concurrent.futures at half the price."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Job(Generic[T]):
    """A call to be made once, by whoever runs it, or never. Its result is for all threads."""

    __slots__ = ("_call", "_cancelled", "_error", "_over", "_result")

    def __init__(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> None:
        self._call: tuple[Callable[..., T], tuple[Any, ...]] | None = function, arguments
        self._result: Any = None
        self._error: BaseException | None = None
        self._cancelled = False
        #: Held until it is over: a lock costs less than an event.
        self._over = threading.Lock()
        self._over.acquire()

    def run(self) -> None:
        """Make the call; whoever asks for its result gets what it raises."""
        if self._call is not None:
            function, arguments = self._call
            try:
                self._result = function(*arguments)
            except BaseException as exc:  # noqa: BLE001  (whoever waits for it gets it)
                self._error = exc
            self._call = None  # else what it was called with lives as long as the result
            self._over.release()

    def cancel(self) -> None:
        """It is never made; for a job that nobody runs."""
        self._call, self._cancelled = None, True
        self._over.release()

    def cancelled(self) -> bool:
        """Tell whether it is never made."""
        return self._cancelled

    def wait(self, seconds: float | None = None) -> None:
        """Return when it is over; TimeoutError after so many seconds."""
        if not self._over.acquire(timeout=-1 if seconds is None else seconds):
            raise TimeoutError
        self._over.release()

    def exception(self, seconds: float | None = None) -> BaseException | None:
        """Wait, and return what it raised. CancelledError when it was cancelled."""
        self.wait(seconds)
        if self._cancelled:
            raise CancelledError
        return self._error

    def result(self, seconds: float | None = None) -> T:
        """Wait, and return what it returned, or raise what it raised. CancelledError when it was cancelled."""
        error = self.exception(seconds)
        if error is not None:
            raise error
        result: T = self._result
        return result
