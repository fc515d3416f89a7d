"""Source files for the tests: in memory, and misbehaving on request."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.box.types import OpenFile, PartState, SessionState, Upload
from connectors.box.upload.session_store import MemorySessions


def content(size: int, seed: int = 1) -> bytes:
    """So many bytes, different everywhere."""
    return random.Random(seed).randbytes(size)


def sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def opener(data: bytes) -> OpenFile:
    return lambda: io.BytesIO(data)  # type: ignore[return-value]


def upload(folder_id: str, name: str, data: bytes, **more: object) -> Upload:
    return Upload(
        folder_id=folder_id,
        name=name,
        size=len(data),
        modified_ns=1_600_000_000_999_999_999,
        created_ns=1_500_000_000 * 10**9,
        **more,  # type: ignore[arg-type]
    )


@dataclass
class Source:
    """A file that counts how often it is opened and does something at a given byte."""

    data: bytes
    at: int = -1
    act: Callable[[], None] = lambda: None
    opened: int = 0
    _position: int = field(default=0, init=False)

    def __call__(self) -> Source:
        self.opened += 1
        self._position = 0
        return self

    def read(self, size: int = -1, /) -> bytes:
        if 0 <= self.at <= self._position:
            self.act()
        piece = self.data[self._position :][: size if size >= 0 else None]
        if self._position < self.at < self._position + len(piece):
            piece = piece[: self.at - self._position]
        self._position += len(piece)
        return piece

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise AssertionError("uploads read from start to end")

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        pass

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Sessions(MemorySessions):
    """A session store that counts, and fails like a killed process after so many parts."""

    def __init__(self, die_after: int | None = None) -> None:
        super().__init__()
        self.recorded: list[PartState] = []
        self.saved: list[SessionState] = []
        self.die_after = die_after

    def save(self, session: SessionState) -> None:
        super().save(session)
        self.saved.append(session)

    def add_part(self, part: PartState) -> None:
        if self.die_after is not None and len(self.recorded) >= self.die_after:
            raise Killed
        super().add_part(part)
        self.recorded.append(part)


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program catches it."""
