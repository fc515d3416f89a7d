"""Liars: the four kinds of sources over true ones, whose answers are altered as a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from connectors.entry import Entry
from connectors.source import WholeFile
from connectors.sources.filesystem import FilesystemSource
from connectors.sources.local import LocalSource
from connectors.sources.registry import Registration
from connectors.sources.reopening import OpenedFile, RawFile
from connectors.sources.resilient import ResilientSource
from connectors.sources.sftp.source import SFTPSource
from connectors.sources.smb.source import SMBSource


@dataclass
class Lies:
    """What is altered now; each may raise instead, anything that a protocol's library may raise."""

    #: Called before a folder is listed, and with what it listed.
    before_listing: Callable[[str], None] = lambda path: None
    listed: Callable[[str, list[Entry]], list[Entry]] = lambda path, entries: entries
    #: The same for one entry that is asked for by its path.
    before_look: Callable[[str], None] = lambda path: None
    looked_at: Callable[[Entry], Entry] = lambda entry: entry
    #: The same for a file that is opened.
    before_open: Callable[[str], None] = lambda path: None
    opened: Callable[[str, OpenedFile], OpenedFile] = lambda path, file: file


@dataclass
class Teller:
    """Holds the lies of the test that runs."""

    lies: Lies = field(default_factory=Lies)


TELLER = Teller()


class Lying(ResilientSource):
    """Alters what the source that it is mixed into says."""

    def _list(self, path: str) -> list[Entry]:
        TELLER.lies.before_listing(path)
        return TELLER.lies.listed(path, super()._list(path))  # type: ignore[safe-super]

    def _stat(self, path: str) -> Entry:
        TELLER.lies.before_look(path)
        return TELLER.lies.looked_at(super()._stat(path))  # type: ignore[safe-super]

    def _list_together(self, paths: Sequence[str]) -> dict[str, list[Entry]]:
        return {}  # what is told of one folder is told of each

    def read_together(self, wanted: Sequence[tuple[str, int]]) -> dict[str, WholeFile]:
        return {}  # likewise

    def _read_whole(self, path: str, limit: int) -> WholeFile | None:
        return ResilientSource._read_whole(
            self, path, limit
        )  # what is told of looks and of opening holds here, too

    def _open(self, path: str) -> OpenedFile:
        TELLER.lies.before_open(path)
        return TELLER.lies.opened(path, super()._open(path))  # type: ignore[safe-super]


class LyingLocal(Lying, LocalSource):
    """A folder of this machine."""


class LyingSFTP(Lying, SFTPSource):
    """A folder of an SSH server."""


class LyingSMB(Lying, SMBSource):
    """A share of an SMB server."""


class LyingFilesystem(Lying, FilesystemSource):
    """Any other fsspec filesystem."""


def registrations(known: dict[str, Registration]) -> dict[str, Registration]:
    """The table of sources with liars in the place of each."""
    classes = {"file": LyingLocal, "sftp": LyingSFTP, "smb": LyingSMB, "memory": LyingFilesystem}
    base = Registration(config="connectors.sources.filesystem:FilesystemConfig", source="")
    return {
        scheme: replace(known.get(scheme, base), source=f"{kind.__module__}:{kind.__name__}")
        for scheme, kind in classes.items()
    }


class Told:
    """A raw file whose bytes are altered: `say` gets what was read in all, and returns what comes instead."""

    def __init__(self, raw: RawFile, say: Callable[[bytes], bytes]) -> None:
        self._raw = raw
        whole = b"".join(iter(lambda: raw.read(1 << 20), b""))
        self._bytes = say(whole)
        self._offset = 0

    def read(self, size: int, /) -> bytes:
        """Up to `size` of the altered bytes."""
        data = self._bytes[self._offset : self._offset + size]
        self._offset += len(data)
        return data

    def seek(self, offset: int, /) -> int:
        """Move to an absolute offset."""
        self._offset = offset
        return offset

    def close(self) -> None:
        """Release the true one."""
        self._raw.close()
