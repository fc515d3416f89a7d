"""FilesystemSource: a Source over any fsspec filesystem, through `ls(detail=True)`. Knows no protocol."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self, cast

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.entry import LINK_REASON, Entry, EntryKind, Fault
from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ChangedWhileReading,
    ConnectionLost,
    ConnectorError,
    NotFound,
    Offline,
    ServerBusy,
    Unclassified,
    item_error,
)
from connectors.sources.location import Location
from connectors.sources.os_errors import connector_error
from connectors.sources.paths import unnameable
from connectors.sources.patience import Patience
from connectors.sources.pool import Pool
from connectors.sources.reopening import OpenedFile, RawFile
from connectors.sources.resilient import WALKERS, ResilientSource

#: What a filesystem reads ahead; some would take 50 MiB for every open file (P9).
BLOCK_SIZE = 8 << 20
#: Where fsspec filesystems put the time of the last change, best first.
MODIFIED_KEYS = ("mtime", "LastModified", "last_modified", "modified", "updated")
CREATED_KEYS = ("created", "creation_time", "timeCreated")
#: What fsspec filesystems call user and password, where it is not that.
CREDENTIAL_OPTIONS: Mapping[str, tuple[str, str]] = {
    "s3": ("key", "secret"),
    "s3a": ("key", "secret"),
    "abfs": ("account_name", "account_key"),
    "abfss": ("account_name", "account_key"),
    "az": ("account_name", "account_key"),
    "webhdfs": ("user", "password"),
}

#: botocore, aiohttp, requests, urllib3 and azure-core when the server does not answer.
_LOST_NAMES = frozenset(
    {"EndpointConnectionError", "ConnectionClosedError", "HTTPClientError", "ClientConnectionError",
     "ClientPayloadError", "ServerTimeoutError", "RequestException", "ProtocolError", "ServiceRequestError",
     "ServiceResponseError", "IncompleteReadError"}
)  # fmt: skip
_BUSY_NAMES = frozenset({"SlowDown", "ThrottlingException", "TooManyRequests"})
_LOGIN_NAMES = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ClientAuthenticationError",
     "GoogleAuthError"}
)  # fmt: skip
#: azure-core and gcsfs, whose exceptions carry the status of the answer.
_STATUS_NAMES = frozenset({"HttpResponseError", "HttpError"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FilesystemConfig(BaseModel):
    """Any fsspec URL with the options that its filesystem takes."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    url: str = Field(description="The fsspec URL of the root.")
    username: str | None = Field(default=None, description="User name, or access key id.")
    password: SecretStr | None = Field(default=None, description="Password, or secret access key.")
    port: int | None = Field(default=None, description="Port, where the filesystem takes one.")

    @classmethod
    def from_location(cls, location: Location, options: Mapping[str, Any]) -> Self:
        """A configuration from a parsed URL and the options of the plan."""
        return cls.model_validate(
            {
                "url": location.bare_url,
                "username": location.username,
                "password": location.password,
                "port": location.port,
                **options,
            }
        )

    def filesystem_options(self, scheme: str) -> dict[str, Any]:
        """Keyword arguments for the filesystem's constructor; nothing is cached between instances."""
        user_key, password_key = CREDENTIAL_OPTIONS.get(scheme, ("username", "password"))
        password = self.password.get_secret_value() if self.password else None
        given = {user_key: self.username, password_key: password, "port": self.port}
        options = {key: value for key, value in given.items() if value is not None}
        return {
            **options,
            **(self.model_extra or {}),
            "skip_instance_cache": True,
            "use_listings_cache": False,
        }


#: Filesystems beside the asynchronous ones that many threads may use at once, by protocol.
SHARED_PROTOCOLS = frozenset({"memory", "smb"})


class FilesystemSource(ResilientSource):
    """Lists by `ls(detail=True)`, one call per folder, and reads by `open`.

    A filesystem that is not known to be safe for many threads is opened once for each call that runs at the same
    time, and for each open file: many have one connection, on which answers would be mixed up.
    """

    def __init__(
        self,
        filesystem: AbstractFileSystem,
        root: str,
        *,
        display_url: str,
        patience: Patience | None = None,
        walkers: int = WALKERS,
        open_another: Callable[[], AbstractFileSystem] | None = None,
    ) -> None:
        """`open_another` opens one more of the same; None where the one is safe for many threads."""
        super().__init__(display_url, patience=patience, walkers=walkers)
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._pool = None if open_another is None else _pool_of(filesystem, open_another)

    @classmethod
    def from_config(cls, config: FilesystemConfig) -> Self:
        """Open the filesystem that the URL names; nothing is asked of a server before the first call."""
        location = Location.parse(config.url)
        options = config.filesystem_options(location.scheme)
        filesystem, root = url_to_fs(config.url, **options)
        another = None if is_shared(filesystem) else (lambda: url_to_fs(config.url, **options)[0])
        return cls(filesystem, root, display_url=location.display_url, open_another=another)

    def _probe(self) -> None:
        self._list("")

    def _list(self, path: str) -> list[Entry]:
        folder = self._full(path)
        with self._using() as filesystem:
            infos: list[dict[str, Any]] = filesystem.ls(folder, detail=True)
        if (
            [info["name"].rstrip("/") for info in infos] == [folder]
            and infos[0].get("type") == "file"
            and path
        ):
            raise NotFound(f"{path!r} is a file now, not a folder")
        return [entry for info in infos if (entry := self._child(path, folder, info)) is not None]

    def _stat(self, path: str) -> Entry:
        with self._using() as filesystem:
            return self._entry(path, filesystem.info(self._full(path)))

    def _open(self, path: str) -> OpenedFile:
        if self._pool is None:
            return self._open_on(self._filesystem, path)
        pool, filesystem = self._pool, self._pool.take(lasting=True)
        try:
            opened = self._open_on(filesystem, path)
        except BaseException:
            pool.give_back(filesystem, keep=False, lasting=True)
            raise
        back = partial(pool.give_back, filesystem, lasting=True)
        return replace(opened, raw=_LentFile(opened.raw, give_back=back))

    def _open_on(self, filesystem: AbstractFileSystem, path: str) -> OpenedFile:
        raw = filesystem.open(self._full(path), "rb", block_size=BLOCK_SIZE)
        try:
            info = getattr(raw, "details", None) or filesystem.info(self._full(path))
            entry = self._entry(path, info)
            if entry.fault is not None:
                raise item_error(*entry.fault)
            if entry.kind is not EntryKind.FILE:
                raise IsADirectoryError(errno.EISDIR, f"{entry.kind}, not a file")
            return OpenedFile(raw=cast(RawFile, raw), entry=entry)
        except BaseException:
            raw.close()
            raise

    def _using(self) -> AbstractContextManager[AbstractFileSystem]:
        """The filesystem for one call; one that failed is opened anew, unless it only said that something is away."""
        if self._pool is None:
            return nullcontext(self._filesystem)
        return self._pool.lent(keep_after=lambda exc: isinstance(exc, FileNotFoundError | PermissionError))

    def _disconnect(self) -> None:
        if self._pool is not None:
            self._pool.close()

    def _error(self, exc: Exception, path: str) -> ConnectorError:
        return filesystem_error(exc, path)

    def _entry(self, path: str, info: Mapping[str, Any]) -> Entry:
        """A filesystem's `info` dictionary as an Entry."""
        return entry_of_info(path, info)

    def _full(self, path: str) -> str:
        if not path:
            return self._root or "/"
        return f"{self._root}/{path}"

    def _child(self, path: str, folder: str, info: Mapping[str, Any]) -> Entry | None:
        """The entry of one line of a listing; None for a store's marker of the folder itself."""
        name = str(info["name"]).removeprefix("/").removeprefix(folder.strip("/")).removeprefix("/")
        is_folder = info.get("type") == "directory"
        name = name.removesuffix("/") if is_folder else name
        child = f"{path}/{name}" if path else name
        if not name and not is_folder and not info.get("size"):
            return None
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            return unnameable(path, name, self._entry(child, info), "this name cannot be part of a path")
        return self._entry(child, info)


class _LentFile:
    """A RawFile on a filesystem of its own, which goes back with it."""

    def __init__(self, raw: RawFile, *, give_back: Callable[..., None]) -> None:
        self._raw = raw
        self._give_back = give_back
        self._ended = self._failed = False

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""
        try:
            return self._raw.read(size)
        except BaseException:
            self._failed = True
            raise

    def seek(self, offset: int, /) -> int:
        """Move to an absolute offset."""
        return self._raw.seek(offset)

    def close(self) -> None:
        """Close the file and give the filesystem back; may be called twice."""
        if self._ended:
            return
        self._ended = True
        try:
            self._raw.close()
        except BaseException:
            self._failed = True
            raise
        finally:
            self._give_back(keep=not self._failed)


def is_shared(filesystem: AbstractFileSystem) -> bool:
    """Tell whether many threads may use one instance at once: asynchronous ones work in a thread of their own."""
    protocols = filesystem.protocol if isinstance(filesystem.protocol, tuple) else (filesystem.protocol,)
    return bool(getattr(filesystem, "async_impl", False)) or not SHARED_PROTOCOLS.isdisjoint(protocols)


def _pool_of(
    filesystem: AbstractFileSystem, open_another: Callable[[], AbstractFileSystem]
) -> Pool[AbstractFileSystem]:
    """A pool that begins with the filesystem that is open already."""
    pool: Pool[AbstractFileSystem] = Pool(
        open_another,
        is_usable=lambda _: True,
        is_refusal=lambda exc: isinstance(exc, OSError | EOFError),
        end=_forget,
        drop=_forget,
    )
    pool.add(filesystem)
    return pool


def _forget(filesystem: AbstractFileSystem) -> None:
    """Filesystems have no common way to be closed; what has one is closed, the rest ends with its last reference."""
    with suppress(Exception):
        getattr(filesystem, "close", lambda: None)()


def entry_of_info(path: str, info: Mapping[str, Any]) -> Entry:
    """An fsspec info dictionary as an Entry.

    Beside fsspec's own keys it takes `modified_ns`, `created_ns`, `changed_ns`, `file_id`, `kind`,
    `skip_reason`, `fault` and `note` as they are. A store that has only a creation time makes a new object with each
    write, so that is its modified time.
    """
    kind = _kind(info)
    fault = info.get("fault")
    if fault is None and kind is EntryKind.UNKNOWN:
        fault = Fault(Unclassified.reason, f"{path!r} is there, but the source does not say what it is")
    created_ns = _first_time(info, ("created_ns", *CREATED_KEYS))
    modified_ns = _first_time(info, ("modified_ns", *MODIFIED_KEYS))
    return Entry(
        path=path,
        kind=kind,
        size=int(info.get("size") or 0) if kind is EntryKind.FILE else 0,
        modified_ns=modified_ns if modified_ns is not None else created_ns,
        created_ns=created_ns,
        changed_ns=info.get("changed_ns"),
        file_id=info.get("file_id") or _etag(info),
        skip_reason=info.get("skip_reason") or (LINK_REASON if kind is EntryKind.SYMLINK else None),
        fault=fault,
        note=info.get("note"),
    )


def filesystem_error(exc: Exception, path: str) -> ConnectorError:
    """An exception of any fsspec filesystem as one of ours.

    Libraries below fsspec are known by the names of their exceptions, so that none of them is imported.
    """
    names = {kind.__name__ for kind in type(exc).__mro__}
    if names & _LOST_NAMES:
        return ConnectionLost(f"the connection was lost at {path!r}")
    if names & _BUSY_NAMES:
        return ServerBusy(f"{path!r}: the server is busy ({type(exc).__name__})")
    if names & _LOGIN_NAMES:
        return AuthenticationFailed(
            f"the credentials were refused ({type(exc).__name__}); check user and password"
        )
    if names & _STATUS_NAMES and (error := _error_of_status(exc, path)) is not None:
        return error
    if type(exc) is OSError and str(exc).startswith("Forbidden"):  # gcsfs
        return AccessDenied(f"{path!r}: the account may not read this; grant it read access")
    if isinstance(exc, PermissionError) and "InvalidObjectState" in repr(exc.__cause__):
        return Offline(f"{path!r} is archived in its store; restore it there, then run another pass")
    if "FileExpired" in names:
        return ChangedWhileReading(f"{path!r} changed while it was read")
    return connector_error(exc, path)


def _error_of_status(exc: Exception, path: str) -> ConnectorError | None:
    """By the status of the answer, where there was one that means something."""
    status = getattr(exc, "status_code", None) or getattr(exc, "code", None)
    if not isinstance(status, int):
        return None
    # To a wrong key Azure says 403, and this.
    if status == 401 or str(exc).startswith("Server failed to authenticate"):
        return AuthenticationFailed(
            f"the credentials were refused ({status}); check user and password, key or token"
        )
    if status == 403:
        return AccessDenied(f"{path!r}: the account may not read this; grant it read access")
    if status == 404:
        return NotFound(f"{path!r} is not there (any more)")
    return (
        ServerBusy(f"{path!r}: the server is busy ({status})")
        if status in (408, 429) or status >= 500
        else None
    )


def nanoseconds(value: object) -> int | None:
    """A time as filesystems give it (datetime, seconds, ISO text) in integer nanoseconds since 1970 UTC."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        span = aware - _EPOCH
        return (span.days * 86_400 + span.seconds) * 10**9 + span.microseconds * 1_000
    if isinstance(value, int):
        return value * 10**9
    if isinstance(value, float):
        return round(value * 10**6) * 1_000
    if isinstance(value, str):
        try:
            return nanoseconds(datetime.fromisoformat(value))
        except ValueError:
            return None
    return None


def _first_time(info: Mapping[str, Any], keys: Iterable[str]) -> int | None:
    for key in keys:
        if info.get(key) is not None:
            return int(info[key]) if key.endswith("_ns") else nanoseconds(info[key])
    return None


def _kind(info: Mapping[str, Any]) -> EntryKind:
    if isinstance(info.get("kind"), EntryKind):
        return EntryKind(info["kind"])
    if info.get("islink") or info.get("type") == "link":
        return EntryKind.SYMLINK
    return {"file": EntryKind.FILE, "directory": EntryKind.FOLDER}.get(
        str(info.get("type")), EntryKind.UNKNOWN
    )


def _etag(info: Mapping[str, Any]) -> str | None:
    # An ETag names content, not a file; object stores have nothing finer than a second otherwise.
    etag = info.get("ETag") or info.get("etag")
    return f"etag:{str(etag).strip(chr(34))}" if etag and info.get("type") == "file" else None
