"""SMBFile: an open file of a share, read ahead when it is read in order."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable
from typing import Any

from connectors.sources.smb.connection import FIRST_READ, READ_SIZE, SMBHandle, SMBLink
from connectors.sources.smb.status import SMBStatusError

#: READs in flight for a file that is read in order.
READS_IN_FLIGHT = 4
#: The same into a buffer that the caller gave.
READS_INTO_FLIGHT = 8


class SMBFile(io.RawIOBase):
    """A file opened with full sharing on a connection of its own; reads in order are pipelined.

    It ends where the file ended when it was opened. `details` is its `info` at that moment, `streams` what it
    has beside its content.
    """

    def __init__(
        self, link: SMBLink, handle: SMBHandle, details: dict[str, Any], *, give_back: Callable[[bool], None]
    ) -> None:
        """`give_back` takes the connection in the end, and whether it may be kept."""
        super().__init__()
        self.details = details
        self.streams = handle.streams
        self.path: str = details["name"]
        self._give_back = give_back
        self._link = link
        self._handle = handle
        self._size = handle.record.size
        self._offset = 0
        #: Bytes at _offset that have arrived already.
        self._ready = memoryview(handle.first_bytes[: self._size])
        #: READs under way, with the buffer that each fills.
        self._flying: deque[tuple[memoryview, Any]] = deque()
        #: Where the next READ begins, and how much was delivered since the last seek.
        self._next = len(self._ready)
        self._run = 0
        self._broken = False

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes, at least one before the end."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(READ_SIZE), b""))
        if not self._ready and size and self._offset < self._size:
            self._ready = self._receive_next(size)
        data = bytes(self._ready[:size])
        self._ready = self._ready[len(data) :]
        self._offset += len(data)
        self._run += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        """Fill a writable buffer as far as the file goes, what the server sends right into it; at least one byte
        before the end."""
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._offset)]
        if self._ready or self._flying or not view:
            data = self.read(len(view))
            view[: len(data)] = data
            return len(data)
        done = self._receive_into(view)
        self._offset += done
        self._next = self._offset
        self._run += done
        return done

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; what was read ahead is dropped unless the position stays."""
        position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._size}[whence]
        if position != self._offset:
            self._settle()
            self._ready = memoryview(b"")
            self._offset = self._next = position
            self._run = 0
        return position

    def tell(self) -> int:
        """The position in bytes."""
        return self._offset

    def close(self) -> None:
        """Release handle and connection; may be called twice."""
        if self.closed:
            return
        super().close()
        try:
            if not self._broken:
                self._settle()
                self._link.release(self._handle.id)
        except OSError:
            self._broken = True
        finally:
            self._give_back(not self._broken)

    def _receive_next(self, wanted: int) -> memoryview:
        """The next bytes in order, with more reads sent ahead as the caller reads in order."""
        try:
            self._send_ahead(wanted)
            piece, sent = self._flying.popleft()
            count = self._link.finish_read(self.path, sent)
            if count < len(piece):
                self._settle()
                self._next = self._offset + count
            return piece[:count]
        except SMBStatusError:
            self._settle()
            self._next = self._offset
            raise
        except BaseException:
            self._broken = True
            raise

    def _receive_into(self, view: memoryview) -> int:
        """Fill the view with reads in order, some in flight; less only where the server gives less."""
        started = done = 0
        try:
            while done < len(view):
                while started < len(view) and len(self._flying) < READS_INTO_FLIGHT:
                    room = self._room(len(view) - started)
                    if not room:
                        break
                    piece = view[started : started + room]
                    sent = self._link.start_read(self._handle, self._offset + started, piece)
                    self._flying.append((piece, sent))
                    started += room
                piece, sent = self._flying.popleft()
                count = self._link.finish_read(self.path, sent)
                done += count
                if count < len(piece):
                    break
            self._settle()
        except SMBStatusError:
            self._settle()
            if not done:
                raise
        except BaseException:
            self._broken = True
            raise
        return done

    def _room(self, wanted: int) -> int:
        """How much the next READ asks for; 0 when it is better to wait for those in flight."""
        room = self._link.read_room()
        if room < min(FIRST_READ, wanted) and self._flying:
            return 0
        return min(wanted, max(room, 1))

    def _send_ahead(self, wanted: int) -> None:
        """What is wanted for a first or a random access; when the caller reads in order, as much as is useful."""
        in_order = self._run >= FIRST_READ
        depth = READS_IN_FLIGHT if in_order else min(READS_IN_FLIGHT, max(1, -(-wanted // READ_SIZE)))
        most = READ_SIZE if in_order else max(wanted, FIRST_READ)
        while len(self._flying) < depth and self._next < self._size:
            length = self._room(min(self._size - self._next, most))
            if not length:
                return
            piece = memoryview(bytearray(length))
            self._flying.append((piece, self._link.start_read(self._handle, self._next, piece)))
            self._next += length

    def _settle(self) -> None:
        """Take the answers of all reads in flight, so that the connection is at rest."""
        while self._flying:
            try:
                self._link.finish_read(self.path, self._flying.popleft()[1])
            except SMBStatusError:
                continue  # the reader asks again if it still wants these bytes
            except BaseException:
                self._broken = True
                raise
