"""OddServer: an SFTP server that says too little, or too much, as those of Windows and of embedded systems do."""

from __future__ import annotations

import os
import posixpath
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncssh

from tests.servers.sftp_password import PasswordServer

Attributes = Callable[[asyncssh.SFTPAttrs], asyncssh.SFTPAttrs]


@dataclass
class Oddities:
    """What the server does differently; may be changed while it runs."""

    #: What a listing says of each entry, and what stat and lstat say.
    listed: Attributes = lambda attributes: attributes
    looked_at: Attributes = lambda attributes: attributes
    #: Names that are listed a second time, with these attributes changed.
    twice: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Names that no listing shows.
    hidden: set[str] = field(default_factory=set)
    #: Names of folders that cannot be listed: they are not there, says the server.
    not_found: set[str] = field(default_factory=set)
    #: Names of which nothing is told to whoever asks.
    denied: set[str] = field(default_factory=set)
    #: Requests that the server does not know.
    unsupported: set[str] = field(default_factory=set)
    #: Called with the path before anything is opened for reading.
    on_open: Callable[[bytes], None] = lambda path: None


def without_types(attributes: asyncssh.SFTPAttrs) -> asyncssh.SFTPAttrs:
    """Permissions without the bits that say what it is."""
    attributes.permissions = None if attributes.permissions is None else attributes.permissions & 0o7777
    attributes.type = asyncssh.FILEXFER_TYPE_UNKNOWN
    return attributes


def without_anything(attributes: asyncssh.SFTPAttrs) -> asyncssh.SFTPAttrs:
    """No attribute at all."""
    return asyncssh.SFTPAttrs()


class OddServer(PasswordServer):
    """A PasswordServer with `oddities`."""

    def __init__(self, root: Path) -> None:
        self.oddities = Oddities()
        super().__init__(root, partial(_OddSFTPServer, self.oddities))


class _OddSFTPServer(asyncssh.SFTPServer):
    def __init__(self, oddities: Oddities, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._oddities = oddities

    async def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Altered."""
        self._require_allowed(path)
        return self._oddities.looked_at(await self.convert_attrs(super().stat(path)))

    async def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Altered."""
        self._require_allowed(path)
        return self._oddities.looked_at(await self.convert_attrs(super().lstat(path)))

    async def fstat(self, file_obj: Any) -> asyncssh.SFTPAttrs:
        """Altered."""
        return self._oddities.looked_at(await self.convert_attrs(super().fstat(file_obj)))

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """The listing, altered."""
        self._require_allowed(path)
        if posixpath.basename(path).decode() in self._oddities.not_found:
            raise asyncssh.SFTPNoSuchFile("no such file")
        async for name in super().scandir(path):
            plain = bytes(name.filename).decode(errors="surrogateescape")
            if plain in self._oddities.hidden:
                continue
            attributes = vars(name.attrs)
            name.attrs = self._oddities.listed(name.attrs)
            yield name
            if plain in self._oddities.twice:
                changed = asyncssh.SFTPAttrs(**{**attributes, **self._oddities.twice[plain]})
                yield asyncssh.SFTPName(name.filename, attrs=self._oddities.listed(changed))

    def readlink(self, path: bytes) -> Any:
        """Not known to every server; asyncssh's own resolves relative targets from its working directory."""
        self._require("readlink")
        return os.readlink(self.map_path(path))

    def realpath(self, path: bytes) -> Any:
        """Nor is this."""
        self._require("realpath")
        return super().realpath(path)

    def open(self, path: bytes, pflags: int, attributes: asyncssh.SFTPAttrs) -> Any:
        """Tell the test first."""
        self._oddities.on_open(path)
        return super().open(path, pflags, attributes)

    def _require_allowed(self, path: bytes) -> None:
        if not self._oddities.denied.isdisjoint(path.decode(errors="surrogateescape").split("/")):
            raise asyncssh.SFTPPermissionDenied("permission denied")

    def _require(self, request: str) -> None:
        if request in self._oddities.unsupported:
            raise asyncssh.SFTPOpUnsupported(f"no {request} here")
