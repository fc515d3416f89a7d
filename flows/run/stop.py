"""StopSignal: one word for all threads that a run ends, and why; files whose reading ends soon after it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
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

    def __init__(self, file: SourceFile, stop: StopSignal) -> None:
        self._file = file
        self._stop = stop

    @property
    def streams(self) -> Streams:
        """As SourceFile.streams."""
        return self._file.streams

    def read(self, size: int = -1, /) -> bytes:
        """As SourceFile.read; Stopped when the run is to stop."""
        if self._stop.is_set():
            raise Stopped
        return self._file.read(size)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        """As SourceFile.readinto; Stopped, soon, when the run is to stop."""
        view, done = memoryview(buffer), 0
        while done < len(view):
            if self._stop.is_set():
                raise Stopped
            piece = view[done : done + STOPPABLE_BYTES]
            count = self._file.readinto(piece)
            done += count
            if count < len(piece):
                break
        return done

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As SourceFile.seek."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As SourceFile.tell."""
        return self._file.tell()

    def close(self) -> None:
        """As SourceFile.close."""
        self._file.close()

    def __enter__(self) -> SourceFile:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
