"""OnError: a context manager for what is to be done with the errors of its body, which costs hardly anything without.

Six of them stand around each file that is sent; made of a generator each costs three times as much.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType


class OnError:
    """Call `handle(error, *arguments)` with what the body raises; True: it goes no further.

    What the handler raises takes the place of the error, which is its context. `otherwise` is called with the same
    arguments where the body raises nothing.
    """

    __slots__ = ("_arguments", "_handle", "_otherwise")

    def __init__(
        self,
        handle: Callable[..., bool],
        *arguments: object,
        otherwise: Callable[..., object] | None = None,
    ) -> None:
        self._handle = handle
        self._arguments = arguments
        self._otherwise = otherwise

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if error is not None:
            return self._handle(error, *self._arguments)
        if self._otherwise is not None:
            self._otherwise(*self._arguments)
        return False
