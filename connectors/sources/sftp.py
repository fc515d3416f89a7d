"""SFTPSource: a folder of an SSH server, through sshfs and asyncssh. SSH status → errors."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import asyncssh
from fsspec.asyn import FSTimeoutError, sync
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sshfs import SSHFileSystem

from connectors.entry import Entry, EntryKind, Fault
from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionLost,
    ConnectorError,
    Locked,
    NotFound,
    ReadFailed,
    ServerBusy,
    ShareUnreachable,
    Stopped,
)
from connectors.sources.filesystem import entry_of_info
from connectors.sources.location import Location
from connectors.sources.patience import Patience
from connectors.sources.resilient import WALKERS, OpenedFile, ResilientSource, connector_error, unnameable

DEFAULT_PORT = 22
#: Half the CPU of asyncssh's first choice, ChaCha20, at the same strength; "^" puts them before its others.
PREFERRED_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
#: Seconds between keep-alives; three unanswered ones end a dead connection.
KEEPALIVE_SECONDS = 15
#: What came of a listing in so many seconds is handed over; what the limit for an answer is added to.
PAGE_SECONDS = 1.0


class SFTPConfig(BaseModel):
    """A folder of an SSH server and the account that reads it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    host: str = Field(description="Name or address of the server.")
    path: str = Field(default="/", description="Absolute path of the root folder.")
    port: int = Field(default=DEFAULT_PORT, gt=0, lt=65536, description="TCP port.")
    username: str | None = Field(default=None, description="User; by default the one that runs this.")
    password: SecretStr | None = Field(default=None, description="Password, where the server takes one.")
    key_file: Path | None = Field(default=None, description="Private key; by default those of ~/.ssh.")
    key_passphrase: SecretStr | None = Field(default=None, description="Passphrase of the private key.")
    known_hosts: Path | None = Field(
        default=None, description="File of host keys; by default ~/.ssh/known_hosts."
    )
    check_host_key: bool = Field(default=True, description="Refuse servers whose host key is not known.")
    connect_timeout_seconds: float = Field(default=15.0, gt=0, description="Limit for reaching the server.")
    request_timeout_seconds: float = Field(default=60.0, gt=0, description="Limit for one answer.")
    patience_seconds: float = Field(
        default=60.0, ge=0, description="How long to wait for a server that went away."
    )
    walkers: int = Field(default=WALKERS, ge=1, le=64, description="Folders listed at the same time.")

    @classmethod
    def from_location(cls, location: Location, options: Mapping[str, Any]) -> Self:
        """A configuration from sftp://[user[:password]@]host[:port]/path."""
        given = {
            "host": location.host,
            "path": f"/{location.path.strip('/')}",
            "port": location.port,
            "username": location.username,
            "password": location.password,
        }
        return cls.model_validate(
            {**{key: value for key, value in given.items() if value is not None}, **options}
        )

    def connect_options(self) -> dict[str, Any]:
        """Keyword arguments for asyncssh.connect; what is left out is asyncssh's own default."""
        hosts: Any = str(self.known_hosts) if self.known_hosts else ()
        options: dict[str, Any] = {
            "port": self.port,
            "known_hosts": hosts if self.check_host_key else None,
            "connect_timeout": self.connect_timeout_seconds,
            "login_timeout": self.connect_timeout_seconds,
            "keepalive_interval": KEEPALIVE_SECONDS,
            "encryption_algs": PREFERRED_CIPHERS,
        }
        if self.username is not None:
            options["username"] = self.username
        if self.password is not None:
            options["password"] = self.password.get_secret_value()
        if self.key_file is not None or self.password is not None:
            # Exactly what the plan names: each other key would count as a failed attempt.
            options["client_keys"] = [str(self.key_file)] if self.key_file else None
            options["agent_path"] = None
        if self.key_passphrase is not None:
            options["passphrase"] = self.key_passphrase.get_secret_value()
        return options


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
        return [_child(path, name) for name in names if name.filename not in (".", "..")]

    def _names(self, filesystem: SFTPFileSystem, full: str) -> list[asyncssh.SFTPName]:
        """A whole folder, however long that takes, as long as each answer comes in time."""
        found: list[asyncssh.SFTPName] = []
        pages = filesystem.pages(full)
        try:
            while (page := self._run(filesystem, anext, pages, None, more_seconds=PAGE_SECONDS)) is not None:
                found += page
        except BaseException:
            if filesystem.usable:
                with suppress(Exception):
                    self._run(filesystem, pages.aclose)
            raise
        return found

    def _require_searchable(self, filesystem: SFTPFileSystem, path: str) -> None:
        """OpenSSH leaves out of a listing what it may not look at, the folder's own "." with the rest.

        AccessDenied when that is so; else the server never lists a ".".
        """
        try:
            self._run(filesystem, filesystem._info, f"{self._full(path).rstrip('/')}/.")
        except asyncssh.SFTPPermissionDenied:
            raise AccessDenied(
                f"{path!r} lists names and nothing else; grant the account access to the folder"
            ) from None
        except asyncssh.SFTPError as exc:
            if isinstance(exc, _LOST):
                raise

    def _stat(self, path: str) -> Entry:
        with self._using() as filesystem:
            # The root itself may be a link: whoever wrote the plan chose it.
            look = filesystem._info if path else filesystem.info_behind_link
            return entry_of_info(path, self._run(filesystem, look, self._full(path)))

    def _open(self, path: str) -> OpenedFile:
        entry = self._stat(path)
        if entry.kind is not EntryKind.FILE:
            raise AccessDenied(f"{path!r} is no regular file ({entry.kind}); links are never followed")
        with self._using() as filesystem:
            file = self._run(filesystem, filesystem.open_for_reading, self._full(path))
        return OpenedFile(raw=_SFTPFile(self, filesystem, file), entry=entry)

    def _disconnect(self) -> None:
        with self._lock:
            filesystem, self._connected = self._connected, None
        if filesystem is not None:
            filesystem.close()

    def _error(self, exc: Exception, path: str) -> ConnectorError:
        return sftp_error(exc, path)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/") if path else self._root or "/"

    def _run(
        self, filesystem: SFTPFileSystem, coroutine: Any, *arguments: Any, more_seconds: float = 0.0
    ) -> Any:
        """A coroutine in fsspec's loop, with a limit for its answer."""
        limit = self._config.request_timeout_seconds + more_seconds
        return sync(filesystem.loop, coroutine, *arguments, timeout=limit)

    @contextmanager
    def _using(self) -> Iterator[SFTPFileSystem]:
        """The connected filesystem, which is given up when the connection turns out to be lost."""
        filesystem = self._connect()
        try:
            yield filesystem
        except Exception as exc:
            if isinstance(sftp_error(exc, ""), ConnectionLost):
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
                    self._connected = SFTPFileSystem(self._config)
                except Exception as exc:
                    error = login_error(exc, self.display_url)
                    if isinstance(error, AuthenticationFailed):
                        # Not tried again: it would lock the account.
                        self._refused = error
                    raise error from exc
            return self._connected

    def _give_up(self, filesystem: SFTPFileSystem) -> None:
        with self._lock:
            if self._connected is filesystem:
                self._connected = None
        filesystem.close()


class SFTPFileSystem(SSHFileSystem):  # type: ignore[misc]
    """sshfs without following links, with all the attributes of a listing, and with names that are no Unicode."""

    cachable = False

    def __init__(self, config: SFTPConfig) -> None:
        """Connect; raises what asyncssh raises."""
        self._pid = os.getpid()
        self._ended = False
        super().__init__(
            config.host,
            sftp_client_kwargs={"path_errors": "surrogateescape"},
            **config.connect_options(),
        )

    @property
    def usable(self) -> bool:
        """False after the connection was lost or closed, and in a forked child."""
        return self._pid == os.getpid() and not self._ended and not self.client.is_closed()

    async def _info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        async with self._pool.get() as channel:
            return info_of(path, await channel.lstat(path))

    async def info_behind_link(self, path: str) -> dict[str, Any]:
        """As `info`, with a link resolved."""
        async with self._pool.get() as channel:
            return info_of(path, await channel.stat(path))

    async def pages(self, path: str) -> AsyncGenerator[list[asyncssh.SFTPName], None]:
        """A folder piece by piece, "." and ".." included where the server lists them."""
        async with self._pool.get() as channel:
            clock = asyncio.get_running_loop().time
            page: list[asyncssh.SFTPName] = []
            until = clock() + PAGE_SECONDS
            async for name in channel.scandir(path):
                page.append(name)
                if clock() > until:
                    yield page
                    page, until = [], clock() + PAGE_SECONDS
            yield page

    async def open_for_reading(self, path: str) -> asyncssh.SFTPClientFile:
        """A file, read in parallel blocks of the size that the server likes."""
        async with self._pool.get() as channel:
            file: asyncssh.SFTPClientFile = await channel.open(path, "rb")
            return file

    def close(self) -> None:
        """Close the connection; never raises."""
        if self._ended or self._pid != os.getpid():
            return
        self._ended = True
        with suppress(Exception):
            sync(self.loop, self._end, timeout=5)

    async def _end(self) -> None:
        await self._pool.close()
        await self._stack.aclose()


class _SFTPFile:
    """An asyncssh file as a RawFile."""

    def __init__(self, source: SFTPSource, filesystem: SFTPFileSystem, file: asyncssh.SFTPClientFile) -> None:
        self._source = source
        self._filesystem = filesystem
        self._file = file
        self._offset = 0

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""
        if not self._filesystem.usable:
            raise ConnectionError("the connection is gone")
        try:
            data: bytes = self._source._run(self._filesystem, self._file.read, size, self._offset)
        except Exception as exc:
            if isinstance(sftp_error(exc, ""), ConnectionLost):
                self._source._give_up(self._filesystem)
            raise
        self._offset += len(data)
        return data

    def seek(self, offset: int, /) -> int:
        """Move to an absolute offset."""
        self._offset = offset
        return offset

    def close(self) -> None:
        """Close the handle."""
        if self._filesystem.usable:
            self._source._run(self._filesystem, self._file.close)


def info_of(name: str, attributes: asyncssh.SFTPAttrs) -> dict[str, Any]:
    """SFTP attributes as an fsspec info dictionary; version 3 has whole seconds and no ids."""
    kind = _kind(attributes)
    return {
        "name": name,
        "type": {EntryKind.FILE: "file", EntryKind.FOLDER: "directory"}.get(kind, "other"),
        "kind": kind,
        "size": attributes.size or 0,
        "modified_ns": _nanoseconds(attributes.mtime, attributes.mtime_ns),
        "created_ns": _nanoseconds(attributes.crtime, attributes.crtime_ns),
        "changed_ns": _nanoseconds(attributes.ctime, attributes.ctime_ns),
    }


def _child(folder: str, listed: asyncssh.SFTPName) -> Entry:
    name = str(listed.filename)
    path = f"{folder}/{name}" if folder else name
    entry = entry_of_info(path, info_of(name, listed.attrs))
    if listed.attrs.permissions is None and listed.attrs.type == asyncssh.FILEXFER_TYPE_UNKNOWN:
        detail = f"{path!r} is there, but the server does not say what it is"
        entry = replace(entry, skip_reason=None, fault=Fault(ReadFailed.reason, detail))
    if "/" in name or "\0" in name or not name:
        return unnameable(folder, name, entry, "this name cannot be part of a path")
    return entry


def _kind(attributes: asyncssh.SFTPAttrs) -> EntryKind:
    mode = attributes.permissions or 0
    if stat.S_ISREG(mode) or (not stat.S_IFMT(mode) and attributes.type == asyncssh.FILEXFER_TYPE_REGULAR):
        return EntryKind.FILE
    if stat.S_ISDIR(mode) or (not stat.S_IFMT(mode) and attributes.type == asyncssh.FILEXFER_TYPE_DIRECTORY):
        return EntryKind.FOLDER
    if stat.S_ISLNK(mode) or attributes.type == asyncssh.FILEXFER_TYPE_SYMLINK:
        return EntryKind.SYMLINK
    return EntryKind.SPECIAL


def _nanoseconds(seconds: int | None, fraction: int | None) -> int | None:
    return None if seconds is None else int(seconds) * 10**9 + (fraction or 0)


_NOT_FOUND = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory,
              asyncssh.SFTPInvalidFilename, asyncssh.SFTPFileIsADirectory, asyncssh.SFTPDeletePending)  # fmt: skip
_LOCKED = (asyncssh.SFTPLockConflict, asyncssh.SFTPByteRangeLockConflict, asyncssh.SFTPByteRangeLockRefused)
_LOST = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.SFTPInvalidHandle,
         asyncssh.SFTPBadMessage, asyncssh.DisconnectError, FSTimeoutError)  # fmt: skip


def sftp_error(exc: Exception, path: str) -> ConnectorError:
    """An exception of asyncssh as one of ours; anything else by its errno."""
    if isinstance(exc, _LOST):
        return ConnectionLost(f"the connection was lost at {path!r}")
    if isinstance(exc, _NOT_FOUND):
        return NotFound(f"{path!r} is not there (any more)")
    if isinstance(exc, asyncssh.SFTPPermissionDenied):
        return AccessDenied(f"{path!r}: the account may not read this; grant it read access")
    if isinstance(exc, asyncssh.SFTPLinkLoop):
        return AccessDenied(f"{path!r} is or passes a symbolic link; links are never followed")
    if isinstance(exc, _LOCKED):
        return Locked(f"{path!r} is held by another program; run another pass when it is closed")
    if isinstance(exc, ValueError) and "SFTP connections" in str(exc):
        return ConnectionLost(f"no channel could be opened for {path!r}")  # how sshfs's pool says it
    if isinstance(exc, asyncssh.ChannelOpenError):
        return ServerBusy("the server opens no more channels (MaxSessions)")
    if isinstance(exc, asyncssh.SFTPError):
        return ReadFailed(f"{path!r}: the server answered {type(exc).__name__}; check the disk behind it")
    return connector_error(exc, path)


def login_error(exc: Exception, url: str) -> ConnectorError:
    """Why no connection was made, without any credential in the text."""
    if isinstance(exc, asyncssh.HostKeyNotVerifiable):
        return AuthenticationFailed(
            f"{url}: the host key is not the known one; check it and add it to known_hosts"
        )
    if isinstance(exc, PermissionError | asyncssh.PermissionDenied):
        return AuthenticationFailed(f"{url}: the login was refused; check user name, password and key file")
    if isinstance(exc, asyncssh.KeyImportError | asyncssh.KeyEncryptionError | FileNotFoundError):
        return AuthenticationFailed(
            f"{url}: the key file or known_hosts cannot be read; check path and passphrase"
        )
    reason = exc.strerror if isinstance(exc, OSError) else None
    return ShareUnreachable(f"{url}: no connection ({reason or type(exc).__name__}); check host and port")
