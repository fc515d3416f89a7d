"""HashingReader: a source file as a request's body, hashed while it is read, exact to the byte."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from connectors.box.client.errors import NotBox
from connectors.box.types import CheckSource, OpenFile
from connectors.errors import ChangedWhileReading
from connectors.source import SourceFile

T = TypeVar("T")

#: The source is read in pieces of this size, whatever the network asks for: one SMB request each.
PIECE_BYTES = 1024 * 1024
#: A file that is only hashed is read in pieces of this size: several requests at a time.
HASHED_BYTES = 8 * PIECE_BYTES


class HashingReader:
    """Exactly `size` bytes of a source file as a stream that knows its length.

    Before the last bytes are given out the end of the file and check_source are looked at: a file that grew, shrank
    or moved meanwhile breaks the request off, so that Box never stores it. Whatever goes wrong with the source comes
    out as NotBox, which passes through the transport unchanged (it would take an OSError for a lost connection).
    """

    def __init__(self, source: SourceFile, size: int, check_source: CheckSource | None = None) -> None:
        self.len = size
        self._source = source
        self._check_source = check_source
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._piece = memoryview(b"")
        self._at = 0
        self._given = 0
        self._taken = 0

    @property
    def complete(self) -> bool:
        """True when every byte was read, so that hexdigest() is the file's."""
        return self._taken == self.len

    def hexdigest(self) -> str:
        """Return the SHA-1 of what was read so far, 40 hex digits."""
        return self._sha1.hexdigest()

    def read(self, size: int | None = -1, /) -> bytes | memoryview:
        """Return up to `size` bytes, b"" at the end; a view of what was read from the source, not a copy."""
        left = self.len - self._given
        want = left if size is None or size < 0 else min(size, left)
        if want <= 0:
            return b""
        if self._at == len(self._piece):
            self._fill()
        out = self._piece[self._at : self._at + want]
        self._at += len(out)
        self._given += len(out)
        return out

    def finish(self) -> None:
        """Look at the end of an empty file; longer ones do it by themselves."""
        if self.len == 0:
            self._guarded(self._look_at_end)

    def tell(self) -> int:
        return self._given

    def _fill(self) -> None:
        self._piece = memoryview(self._guarded(self._next_piece))
        self._at = 0

    def _next_piece(self) -> bytes:
        left = self.len - self._taken
        piece = self._source.read(min(PIECE_BYTES, left))
        if not piece:
            raise ChangedWhileReading(
                f"The file ended {left} bytes before its size of {self.len}; it was not stored."
            )
        self._sha1.update(piece)
        self._taken += len(piece)
        if self._taken == self.len:
            self._look_at_end()
        return piece

    def _look_at_end(self) -> None:
        look_at_end(self._source, self.len, self._check_source)

    @staticmethod
    def _guarded(step: Callable[[], T]) -> T:
        try:
            return step()
        except Exception as exc:
            raise NotBox(exc) from exc


def look_at_end(source: SourceFile, size: int, check_source: CheckSource | None) -> None:
    """Raise ChangedWhileReading when there is more than `size`, or when check_source says so. Closes the source first:
    its server may give one connection alone.
    """
    if source.read(1):
        raise ChangedWhileReading(
            f"The file grew beyond its size of {size} while it was read; it was not stored."
        )
    source.close()
    if check_source:
        check_source()


def read_exactly(source: SourceFile, size: int) -> bytearray:
    """Return the next `size` bytes; ChangedWhileReading when there are fewer."""
    content = bytearray(size)
    _fill(source, memoryview(content))
    return content


def _fill(source: SourceFile, view: memoryview) -> None:
    done = 0
    while done < len(view):
        count = source.readinto(view[done:])
        if not count:
            raise ChangedWhileReading(f"The file ended {len(view) - done} bytes early; it was not stored.")
        done += count


def sha1_of(open_file: OpenFile, size: int, check_source: CheckSource | None = None) -> str:
    """Read the whole file for its SHA-1, 40 hex digits; raises what the source raises."""
    digest = hashlib.sha1(usedforsecurity=False)
    left = size
    buffer = memoryview(bytearray(min(left, HASHED_BYTES)))
    with open_file() as source:
        while left:
            piece = buffer[:left]
            _fill(source, piece)
            digest.update(piece)
            left -= len(piece)
        look_at_end(source, size, check_source)
    return digest.hexdigest()


def opened(open_file: OpenFile) -> closing[SourceFile]:
    """Open the source file inside a Box call: an error of opening it comes out as NotBox."""
    try:
        return closing(open_file())
    except Exception as exc:
        raise NotBox(exc) from exc
