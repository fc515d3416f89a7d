"""WebDAVSource: a folder of a WebDAV server, listed by PROPFIND through webdav4 and read by GET."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Self
from urllib.parse import quote

import httpx
from webdav4.client import Client, ClientError, HTTPError, ResourceNotFound
from webdav4.multistatus import Response

from connectors.entry import Entry, EntryKind, Fault
from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ChangedWhileReading,
    ConnectionLost,
    ConnectorError,
    Locked,
    NotFound,
    ReadFailed,
    ServerBusy,
    ShareUnreachable,
    Unclassified,
    item_error,
)
from connectors.sources.filesystem import nanoseconds
from connectors.sources.os_errors import connector_error
from connectors.sources.paths import unnameable
from connectors.sources.patience import Patience
from connectors.sources.reopening import OpenedFile
from connectors.sources.resilient import ResilientSource
from connectors.sources.webdav.config import WebDAVConfig

#: Seconds for one answer to begin.
TIMEOUT_SECONDS = 60.0
#: Bytes that are taken from the network at once.
PIECE_SIZE = 1 << 18
#: Schemes of URLs that mean TLS.
ENCRYPTED = frozenset({"davs", "webdavs"})

_BUSY = frozenset({408, 425, 429, 502, 503, 504})


class WebDAVSource(ResilientSource):
    """One HTTP client for all threads. The server follows its own links, and shows none."""

    def __init__(self, config: WebDAVConfig) -> None:
        super().__init__(
            config.location.display_url,
            patience=Patience(seconds=config.patience_seconds),
            walkers=config.walkers,
        )
        self._root = "/" + config.path.strip("/")
        self._client = Client(
            str(
                httpx.URL(
                    scheme="https" if config.scheme in ENCRYPTED else "http",
                    host=config.host,
                    port=config.port,
                )
            ),
            auth=_login(config),
            retry=False,
            verify=ssl.create_default_context(cafile=config.ca_file and str(config.ca_file)),
            timeout=TIMEOUT_SECONDS,
            headers={"Accept-Encoding": "identity"},
        )

    @classmethod
    def from_config(cls, config: WebDAVConfig) -> Self:
        """A source over the configured folder; nothing is asked before the first call."""
        return cls(config)

    def _probe(self) -> None:
        if self._stat("").kind is not EntryKind.FOLDER:
            raise NotFound("the path leads to a file")
        self._list("")

    def _list(self, path: str) -> list[Entry]:
        full = self._full(path)
        itself, children = None, []
        for response in self._ask(path, depth="1"):
            if response.path_norm == full:
                itself = response
            else:
                children.append(response)
        if itself is None:
            raise ReadFailed(
                f"{path!r}: the server does not list the folder itself; does a proxy change its paths?"
            )
        if _kind(itself) is EntryKind.FILE:
            raise NotFound(f"{path!r} is a file now, not a folder")
        return [_child(path, full, response) for response in children]

    def _stat(self, path: str) -> Entry:
        return _entry(path, self._look(path))

    def _open(self, path: str) -> OpenedFile:
        response = self._look(path)
        entry = _entry(path, response)
        if entry.fault is not None:
            raise item_error(*entry.fault)
        if entry.kind is not EntryKind.FILE:
            raise IsADirectoryError(path)
        url = self._client.join_url(quote(self._full(path)))
        return OpenedFile(
            raw=_WebDAVFile(self._client.http, url, response.properties.etag, path), entry=entry
        )

    def _look(self, path: str) -> Response:
        full = self._full(path)
        for response in self._ask(path, depth="0"):
            if response.path_norm == full:
                return response
        raise ReadFailed(
            f"{path!r}: the server answered about something else; does a proxy change its paths?"
        )

    def _ask(self, path: str, *, depth: str) -> list[Response]:
        # Quoted here: a name with "%20" in it would be taken for an escape.
        quoted = quote(self._full(path))
        found = self._client.propfind(quoted, headers={"Depth": depth}, follow_redirects=True)
        return list(found.responses.values())

    def _disconnect(self) -> None:
        self._client.http.close()

    def _error(self, exc: Exception, path: str) -> ConnectorError:
        return webdav_error(exc, path)

    def _full(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}".rstrip("/") or "/"


class _WebDAVFile:
    """A file that is read by one GET from an offset on; a seek ends it and the next read begins another."""

    def __init__(self, http: httpx.Client, url: httpx.URL, etag: str | None, path: str) -> None:
        self._http = http
        self._url = url
        # A weak tag may not be asked for by If-Match.
        self._etag = etag if etag and not etag.startswith("W/") else None
        self._path = path
        self._offset = 0
        self._response: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, b"" at the end."""
        if self._response is None:
            self._begin()
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        taken, self._rest = self._rest[:size], self._rest[size:]
        self._offset += len(taken)
        return bytes(taken)

    def seek(self, offset: int, /) -> int:
        """Move to an absolute offset."""
        if offset != self._offset:
            self.close()
            self._offset = offset
        return offset

    def close(self) -> None:
        """End the request."""
        response, self._response = self._response, None
        self._pieces, self._rest = iter(()), memoryview(b"")
        if response is not None:
            response.close()

    def _begin(self) -> None:
        headers = {"If-Match": self._etag} if self._etag else {}
        if self._offset:
            headers["Range"] = f"bytes={self._offset}-"
        request = self._http.build_request("GET", self._url, headers=headers)
        response = self._http.send(request, stream=True, follow_redirects=True)
        self._response = response
        if response.status_code == 416:  # behind the end
            return
        if response.status_code == 412:
            raise ChangedWhileReading(f"{self._path!r} changed while it was read")
        response.raise_for_status()
        self._pieces = response.iter_raw(PIECE_SIZE)
        if response.status_code != 206:
            self._pass_over(self._offset)

    def _pass_over(self, count: int) -> None:
        """A server that knows no ranges sends the file from its beginning."""
        while count > 0:
            piece = memoryview(next(self._pieces, b""))
            if not piece:
                return
            self._rest = piece[count:]
            count -= len(piece)


def _login(config: WebDAVConfig) -> httpx.Auth | None:
    if config.username is None:
        return None
    password = config.password.get_secret_value() if config.password else ""
    kind = httpx.DigestAuth if config.auth == "digest" else httpx.BasicAuth
    return kind(config.username, password)


def _child(folder: str, full: str, response: Response) -> Entry:
    """The entry of one line of a listing; a name that no path leads to is listed with a fault."""
    name = response.path_norm.removeprefix(full).removeprefix("/")
    entry = _entry(f"{folder}/{name}" if folder else name, response)
    if name in ("", ".", "..") or "/" in name or "\0" in name or not response.path_norm.startswith(full):
        return unnameable(folder, name, entry, "this name cannot be part of a path")
    return entry


def _entry(path: str, response: Response) -> Entry:
    if response.status_code is not None and response.status_code >= 400:
        error = _error_of_status(response.status_code, path)
        return Entry(path=path, kind=EntryKind.UNKNOWN, fault=Fault(error.reason, str(error)))
    kind, found = _kind(response), response.properties
    if kind is EntryKind.UNKNOWN:
        why = f"{path!r} is there, but the server does not say what it is"
        return Entry(path=path, kind=kind, fault=Fault(Unclassified.reason, why))
    if kind is EntryKind.FILE and found.content_length is None:
        return Entry(
            path=path, kind=kind, fault=Fault(ReadFailed.reason, f"{path!r}: the server tells no size")
        )
    return Entry(
        path=path,
        kind=kind,
        size=int(found.content_length) if kind is EntryKind.FILE else 0,
        modified_ns=nanoseconds(found.modified),
        created_ns=nanoseconds(found.created),
        # No ETag as an id: on many servers it is made of size and time, and two files may share it.
    )


def _kind(response: Response) -> EntryKind:
    collection = response.properties.collection
    if collection is None:
        return EntryKind.UNKNOWN
    return EntryKind.FOLDER if collection else EntryKind.FILE


def webdav_error(exc: Exception, path: str) -> ConnectorError:
    """An exception of webdav4 or httpx as one of ours."""
    if isinstance(exc, ResourceNotFound):
        return NotFound(f"{path!r} is not there (any more)")
    if isinstance(exc, HTTPError):
        return _error_of_status(exc.status_code, path)
    if isinstance(exc, httpx.HTTPStatusError):
        return _error_of_status(exc.response.status_code, path)
    if isinstance(exc, httpx.ConnectError) and "CERTIFICATE" in str(exc):
        return ShareUnreachable(
            "the server's certificate is not trusted; name its authority in options: ca_file"
        )
    if isinstance(exc, httpx.TransportError):
        return ConnectionLost(f"the connection was lost at {path!r}")
    if isinstance(exc, ClientError | ValueError | SyntaxError):
        return ReadFailed(f"{path!r}: the server does not answer as WebDAV does ({type(exc).__name__})")
    return connector_error(exc, path)


def _error_of_status(status: int, path: str) -> ConnectorError:
    if status in (401, 407):
        return AuthenticationFailed("the login was refused (401); check user and password, and options: auth")
    if status == 403:
        return AccessDenied(f"{path!r}: the account may not read this; grant it read access")
    if status in (404, 410):
        return NotFound(f"{path!r} is not there (any more)")
    if status == 423:
        return Locked(f"{path!r} is locked on the server; run another pass when it is not")
    if status in _BUSY:
        return ServerBusy(f"{path!r}: the server is busy ({status})")
    return ReadFailed(f"{path!r}: the server answered {status}")
