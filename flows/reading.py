"""StoppableFile: a source file whose reading ends soon after somebody says stop. Changes no byte."""

from __future__ import annotations

import threading

from connectors.entry import Streams
from connectors.errors import Stopped
from connectors.source import SourceFile


class StoppableFile:
    """Delegates to the source's file; every read looks at the stop event first."""

    def __init__(self, file: SourceFile, stop: threading.Event) -> None:
        self._file = file
        self._stop = stop

    @property
    def streams(self) -> Streams:
        """As SourceFile.streams."""
        return self._file.streams

    def read(self, size: int = -1, /) -> bytes:
        """As SourceFile.read; Stopped when the run is stopping."""
        if self._stop.is_set():
            raise Stopped
        return self._file.read(size)

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
