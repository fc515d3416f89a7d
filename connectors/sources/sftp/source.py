"""SFTPSource: a folder of an SSH server, through sshfs and asyncssh."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Self

import asyncssh

from connectors.entry import Entry, EntryKind, Fault
from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectorError,
    ItemError,
    Stopped,
    item_error,
)
from connectors.sources.filesystem import entry_of_info
from connectors.sources.location import Location
from connectors.sources.patience import Patience
from connectors.sources.reopening import OpenedFile
from connectors.sources.resilient import ResilientSource
from connectors.sources.sftp.attributes import child_entry, is_unclassified
from connectors.sources.sftp.config import DEFAULT_PORT, SFTPConfig
from connectors.sources.sftp.filesystem import PAGE_SECONDS, SFTPFile, SFTPFileSystem
from connectors.sources.sftp.status import LOST, is_lost, login_error, sftp_error

#: What a listing says too little of is asked for so many at a time.
LOOKED_AT_TOGETHER = 64


class SFTPSource(ResilientSource):
    """One SSH connection with several channels; it is made at the first call and again after it was lost."""

    # SFTP servers resolve links in the middle of a path, and in its last part when they open it.
    checks_ancestors = True

    def __init__(self, config: SFTPConfig) -> None:
        port = None if config.port == DEFAULT_PORT else config.port
        location = Location(scheme="sftp", host=config.host, port=port, path=config.path.strip("/"))
        super().__init__(
            location.display_url, patience=Patience(seconds=config.patience_seconds), walkers=config.walkers
        )
        self._config = config
        self._root = config.path.rstrip("/")
        self._lock = threading.Lock()
        self._connected: SFTPFileSystem | None = None
        self._refused: AuthenticationFailed | None = None

    @classmethod
    def from_config(cls, config: SFTPConfig) -> Self:
        """A source over the configured folder."""
        return cls(config)

    def _probe(self) -> None:
        self._list("")

    def _list(self, path: str) -> list[Entry]:
        full = self._full(path)
        with self._using() as filesystem:
            names = self._names(filesystem, full)
            if all(name.filename != "." for name in names):
                self._require_searchable(filesystem, path)
            listed = [child_entry(path, name) for name in names if name.filename not in (".", "..")]
            return self._told_apart(filesystem, listed)

    def _told_apart(self, filesystem: SFTPFileSystem, listed: list[Entry]) -> list[Entry]:
        """The entries of a listing; those of which the server said too little are asked for by themselves."""
        vague = [entry for entry in listed if is_unclassified(entry)]
        told: dict[str, Entry] = {}
        for start in range(0, len(vague), LOOKED_AT_TOGETHER):
            batch = vague[start : start + LOOKED_AT_TOGETHER]
            infos = filesystem.run(filesystem.look_at_many, [self._full(entry.path) for entry in batch])
            told |= {entry.path: self._told(entry, info) for entry, info in zip(batch, infos, strict=True)}
        return [told.get(entry.path, entry) for entry in listed]

    def _told(self, entry: Entry, info: dict[str, Any] | BaseException) -> Entry:
        if not isinstance(info, BaseException):
            return entry_of_info(entry.path, info)
        error = self._error(info, entry.path) if isinstance(info, Exception) else None
        if error is None or not isinstance(error, ItemError):
            raise info
        return replace(entry, fault=Fault(error.reason, str(error)))

    def _names(self, filesystem: SFTPFileSystem, full: str) -> list[asyncssh.SFTPName]:
        """A whole folder, however long that takes, as long as each answer comes in time."""
        found: list[asyncssh.SFTPName] = []
        pages = filesystem.pages(full)
        try:
            while (page := filesystem.run(anext, pages, None, more_seconds=PAGE_SECONDS)) is not None:
                found += page
        except BaseException:
            if filesystem.usable:
                with suppress(Exception):
                    filesystem.run(pages.aclose)
            raise
        return found

    def _require_searchable(self, filesystem: SFTPFileSystem, path: str) -> None:
        """OpenSSH leaves out of a listing what it may not look at, the folder's own "." with the rest.

        AccessDenied when that is so; else the server never lists a ".".
        """
        try:
            filesystem.run(filesystem.look, f"{self._full(path).rstrip('/')}/.")
        except asyncssh.SFTPPermissionDenied:
            raise AccessDenied(
                f"{path!r} lists names and nothing else; grant the account access to the folder"
            ) from None
        except asyncssh.SFTPError as exc:
            if isinstance(exc, LOST):
                raise

    def _stat(self, path: str) -> Entry:
        with self._using() as filesystem:
            # The root itself may be a link: whoever wrote the plan chose it.
            look = filesystem.look if path else filesystem.look_behind_link
            return entry_of_info(path, filesystem.run(look, self._full(path)))

    def _open(self, path: str) -> OpenedFile:
        entry = self._stat(path)
        if entry.fault is not None:
            raise item_error(*entry.fault)
        if entry.kind is not EntryKind.FILE:
            raise AccessDenied(f"{path!r} is no regular file ({entry.kind}); links are never followed")
        with self._using() as filesystem:
            file = filesystem.run(filesystem.open_for_reading, self._full(path))
        raw = SFTPFile(filesystem, file, lost=lambda: self._give_up(filesystem))
        return OpenedFile(raw=raw, entry=entry)

    def _disconnect(self) -> None:
        with self._lock:
            filesystem, self._connected = self._connected, None
        if filesystem is not None:
            filesystem.close()

    def _error(self, exc: Exception, path: str) -> ConnectorError:
        return sftp_error(exc, path)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/") if path else self._root or "/"

    @contextmanager
    def _using(self) -> Iterator[SFTPFileSystem]:
        """The connected filesystem, which is given up when the connection turns out to be lost."""
        filesystem = self._connect()
        try:
            yield filesystem
        except Exception as exc:
            if is_lost(exc):
                self._give_up(filesystem)
            raise

    def _connect(self) -> SFTPFileSystem:
        with self._lock:
            if self._stop is not None and self._stop.is_set() and self._connected is None:
                raise Stopped  # each that waited here would try in vain for a whole connect_timeout
            if self._refused is not None:
                raise self._refused
            if self._connected is None or not self._connected.usable:
                try:
                    self._connected = self._logged_in()
                except Exception as exc:
                    error = login_error(exc, self.display_url)
                    if isinstance(error, AuthenticationFailed):
                        # Not tried again: it would lock the account.
                        self._refused = error
                    raise error from exc
            return self._connected

    def _logged_in(self) -> SFTPFileSystem:
        """Connect. Once more where the line breaks on the way: a server that refuses us, or to which too many log in at
        once, may end it before its reason is heard."""
        try:
            return SFTPFileSystem(self._config)
        except asyncssh.ConnectionLost:
            return SFTPFileSystem(self._config)

    def _give_up(self, filesystem: SFTPFileSystem) -> None:
        with self._lock:
            if self._connected is filesystem:
                self._connected = None
        filesystem.close()
