"""ReopeningFile: a file that goes on after a dropped connection. Knows no protocol."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Protocol, Self, TypeVar, runtime_checkable

from connectors.entry import NO_STREAMS, Entry, Streams
from connectors.errors import ChangedWhileReading

T = TypeVar("T")


class RawFile(Protocol):
    """What an opened file of a protocol can do: foreign exceptions allowed, no retries."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, b"" only at the end."""
        ...

    def seek(self, offset: int, /) -> int:
        """Move to an absolute offset."""
        ...

    def close(self) -> None:
        """Release the handle."""
        ...


@runtime_checkable
class FillingFile(RawFile, Protocol):
    """One that can read into a buffer without a copy between."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer, or a part of it; 0 only at the end."""
        ...


class Retrying(Protocol):
    """Calls until it works or gives up."""

    def __call__(self, attempt: Callable[[], T], /) -> T: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedFile:
    """A raw file with the entry as it was when it was opened."""

    raw: RawFile
    entry: Entry
    streams: Streams = NO_STREAMS


class ReopeningFile(io.RawIOBase):
    """A SourceFile that survives a dropped connection: it opens the file again and goes on at its offset.

    `entry` is the file as it was when it was opened, `streams` what it has beside its content. Going on is
    refused with ChangedWhileReading when the file is not the same any more. Not for several threads at once.
    """

    def __init__(
        self,
        opened: OpenedFile,
        *,
        retrying: Retrying,
        open_again: Callable[[], OpenedFile],
        forget: Callable[[ReopeningFile], None],
    ) -> None:
        """`retrying` calls until it works or gives up; `open_again` may raise anything; `forget` hears of the end."""
        super().__init__()
        self.entry = opened.entry
        self.streams = opened.streams
        self._retrying = retrying
        self._open_again = open_again
        self._forget = forget
        self._raw: RawFile | None = opened.raw
        self._offset = 0
        self._raw_offset = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """`size` bytes, fewer only at the end of the file, all that is left for -1."""
        self._require_open()
        if size is None or size < 0:
            return self.readall()
        parts: list[bytes] = []
        missing = size
        while missing:
            data = self._retrying(partial(self._read_once, missing))
            if not data:
                break
            parts.append(data)
            missing -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readall(self) -> bytes:
        """Everything from here to the end."""
        parts = []
        while data := self.read(1 << 20):
            parts.append(data)
        return b"".join(parts)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # what anybody gives
        """Fill a writable buffer, less of it only at the end of the file; the number of bytes."""
        self._require_open()
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view):
            count = self._retrying(partial(self._fill_once, view[done:]))
            if not count:
                break
            done += count
        return done

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; nothing is asked of the server until the next read. The end is the size at opening."""
        self._require_open()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self.entry.size}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._offset = base + offset
        return self._offset

    def tell(self) -> int:
        """The position in bytes."""
        return self._offset

    def close(self) -> None:
        """Release the handle; never raises, may be called twice."""
        if not self.closed:
            self._drop()
            self._forget(self)
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("read of a closed file")

    def _read_once(self, size: int) -> bytes:
        try:
            data = self._raw_at_offset().read(size)
        except Exception:
            self._drop()
            raise
        self._offset += len(data)
        self._raw_offset = self._offset
        return data

    def _fill_once(self, view: memoryview) -> int:
        try:
            raw = self._raw_at_offset()
            count = raw.readinto(view) if isinstance(raw, FillingFile) else _copied(raw, view)
        except Exception:
            self._drop()
            raise
        self._offset += count
        self._raw_offset = self._offset
        return count

    def _raw_at_offset(self) -> RawFile:
        raw = self._raw or self._reopen()
        if self._raw_offset != self._offset:
            raw.seek(self._offset)
            self._raw_offset = self._offset
        return raw

    def _reopen(self) -> RawFile:
        opened = self._open_again()
        self._raw, self._raw_offset = opened.raw, 0
        if not opened.entry.fingerprint.same_content_as(self.entry.fingerprint):
            raise ChangedWhileReading(f"{self.entry.path!r} changed while the connection was away")
        return opened.raw

    def _drop(self) -> None:
        raw, self._raw = self._raw, None
        if raw is None:
            return
        # A handle that is gone with its connection has nothing left to release.
        with suppress(Exception):
            raw.close()


def _copied(raw: RawFile, view: memoryview) -> int:
    data = raw.read(len(view))
    view[: len(data)] = data
    return len(data)


def read_up_to(raw: RawFile, size: int) -> bytes:
    """Return that many bytes, or all there are if they are fewer."""
    pieces: list[bytes] = []
    while size and (piece := raw.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
