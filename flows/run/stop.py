"""StopSignal: one word for all threads that a run ends, and why; files whose reading ends soon after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from connectors.entry import Streams
from connectors.errors import Stopped
from connectors.source import SourceFile
from flows.errors import Interrupted

#: A file is read in pieces of at most this size between two looks at the signal.
STOPPABLE_BYTES = 16 << 20


class StopSignal:
    """Set once, by whoever ends the run; the first error that was told is the one that counts. Safe for threads."""

    def __init__(self) -> None:
        #: The same word for the connectors, which know no StopSignal.
        self.event = threading.Event()
        self._error: BaseException | None = None

    def is_set(self) -> bool:
        """Tell whether nothing new should begin."""
        return self.event.is_set()

    def set(self) -> None:
        """Begin nothing new; what is in flight ends or is given back."""
        self.event.set()

    def fail(self, error: BaseException) -> None:
        """Stop the whole run for this error. A later error changes nothing."""
        if self._error is None:
            self._error = error
        self.event.set()

    def raise_if_stopped(self) -> None:
        """Raise what stopped the run: the error, or Interrupted."""
        if self._error is not None:
            raise self._error
        if self.event.is_set():
            raise Interrupted

    @contextmanager
    def telling_the_cause(self) -> Iterator[None]:
        """Raise what stopped the run in place of a call that only noticed the stop."""
        try:
            yield
        except (Stopped, Interrupted):
            self.raise_if_stopped()
            raise

    def wait(self, seconds: float) -> bool:
        """Sleep, but not past a stop; True when the run is to stop."""
        return self.event.wait(seconds)


class StoppableFile:
    """A file of the source whose next read raises Stopped once the run is to stop. Changes no byte."""

    def __init__(
        self, file: SourceFile, stop: StopSignal, seen: Callable[[int], None] = lambda position: None
    ) -> None:
        """`seen`: told of the position in the file that was read up to."""
        self._file = file
        self._stop = stop
        self._seen = seen
        self._position = 0

    @property
    def streams(self) -> Streams:
        """As SourceFile.streams."""
        return self._file.streams

    def read(self, size: int = -1, /) -> bytes:
        """As SourceFile.read; Stopped when the run is to stop."""
        if self._stop.is_set():
            raise Stopped
        content = self._file.read(size)
        self._at(self._position + len(content))
        return content

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """As SourceFile.readinto; Stopped, soon, when the run is to stop."""
        view, done = memoryview(buffer), 0
        while done < len(view):
            if self._stop.is_set():
                raise Stopped
            piece = view[done : done + STOPPABLE_BYTES]
            count = self._file.readinto(piece)
            done += count
            self._at(self._position + count)
            if count < len(piece):
                break
        return done

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As SourceFile.seek."""
        position = self._file.seek(offset, whence)
        self._at(position)
        return position

    def tell(self) -> int:
        """As SourceFile.tell."""
        return self._file.tell()

    def close(self) -> None:
        """As SourceFile.close."""
        self._file.close()

    def _at(self, position: int) -> None:
        self._position = position
        self._seen(position)

    def __enter__(self) -> SourceFile:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
