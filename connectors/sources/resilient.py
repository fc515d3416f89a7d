"""ResilientSource: what every source does alike (confinement, retries, error mapping). Speaks no protocol."""

from __future__ import annotations

import errno
import io
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from types import TracebackType
from typing import Protocol, Self, TypeVar
from weakref import WeakSet

from connectors.entry import NO_STREAMS, Entry, EntryKind, Fault, Streams
from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ChangedWhileReading,
    ConnectionLost,
    ConnectorError,
    FatalError,
    Locked,
    NameRejected,
    NotFound,
    ReadFailed,
    ServerBusy,
    ShareUnreachable,
    TransientError,
)
from connectors.sources.ancestry import AncestorCheck, ancestors, without_loops
from connectors.sources.patience import NO_PATIENCE, Patience

T = TypeVar("T")

#: Folders listed at the same time by list_folders.
WALKERS = 8

_LOST = frozenset(
    {
        errno.ECONNRESET, errno.ECONNABORTED, errno.ECONNREFUSED, errno.EPIPE, errno.ENOTCONN, errno.ESTALE,
        errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH,
        errno.ESHUTDOWN,
    }
)  # fmt: skip
_BUSY = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR})
_LOCKED = frozenset({errno.EBUSY, errno.ETXTBSY})


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


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedFile:
    """A raw file with the entry as it was when it was opened."""

    raw: RawFile
    entry: Entry
    streams: Streams = NO_STREAMS


class ResilientSource(ABC):
    """A Source (connectors.source) on four protocol hooks: _probe, _list, _stat, _open.

    The hooks may raise anything; the public methods retry what is transient while `patience` lasts and raise
    connectors.errors only. Safe for many threads when the hooks are.
    """

    #: Whether the server itself resolves links inside a path, so that parents must be checked (P5).
    checks_ancestors = False

    def __init__(self, display_url: str, *, patience: Patience | None = None, walkers: int = WALKERS) -> None:
        self._display_url = display_url
        self._patience = patience or Patience()
        self._walkers = walkers
        self._ancestry = AncestorCheck(self._stat) if self.checks_ancestors else None
        self._stop: threading.Event | None = None
        self._files: WeakSet[ReopeningFile] = WeakSet()
        # Reentrant: the garbage collector may close a forgotten file while this thread holds it.
        self._files_lock = threading.RLock()

    @property
    def display_url(self) -> str:
        """The URL without user, password or query: fit for logs and reports."""
        return self._display_url

    def stop_with(self, stop: threading.Event) -> None:
        """From now on no wait for a server that went away outlasts this event; the call ends with Stopped."""
        self._stop = stop

    def connect(self) -> None:
        """Prove root and credentials by listing the root's beginning; one attempt, no patience."""
        self._retrying("", self._probe, patience=NO_PATIENCE, first_contact=True)

    def list_folder(self, path: str) -> list[Entry]:
        """The folder's entries, sorted by path. Raises NotFound, AccessDenied, FatalError."""
        self._check_path(path)
        return self._retrying(path, lambda: self._list_checked(path))

    def list_folders(self, paths: Iterable[str]) -> Iterator[tuple[str, list[Entry] | ConnectorError]]:
        """Many folders at once, each yielded when it is ready; `paths` is drawn from as places fall free."""
        waiting = iter(paths)
        running: dict[Future[list[Entry]], str] = {}
        pool = ThreadPoolExecutor(self._walkers, thread_name_prefix="walk")
        try:
            while True:
                for path in islice(waiting, self._walkers - len(running)):
                    running[pool.submit(self.list_folder, path)] = path
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), _listing_or_error(future)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def stat(self, path: str) -> Entry:
        """The entry as it is now. Raises NotFound, AccessDenied, FatalError."""
        self._check_path(path)
        return self._retrying(path, lambda: self._stat_checked(path))

    def open(self, path: str) -> ReopeningFile:
        """Open for reading with full sharing. Raises NotFound, AccessDenied, Locked, FatalError."""
        self._check_path(path)
        opened = self._retrying(path, lambda: self._open_checked(path))
        file = ReopeningFile(self, path, opened)
        with self._files_lock:
            self._files.add(file)
        return file

    def close(self) -> None:
        """Close the files that are still open, then every connection; may be called twice."""
        with self._files_lock:
            files = list(self._files)
        for file in files:
            file.close()
        self._disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @abstractmethod
    def _probe(self) -> None:
        """Reach the root or raise."""

    @abstractmethod
    def _list(self, path: str) -> list[Entry]:
        """The entries of a folder, in any order, without following links."""

    @abstractmethod
    def _stat(self, path: str) -> Entry:
        """One entry, fresh, without following links."""

    @abstractmethod
    def _open(self, path: str) -> OpenedFile:
        """A regular file, opened without following links."""

    def _disconnect(self) -> None:  # noqa: B027 - most filesystems have nothing to release
        """Release connections."""

    def _error(self, exc: Exception, path: str) -> ConnectorError:
        """A foreign exception as ours; protocols put their own codes before this."""
        return connector_error(exc, path)

    def _check_path(self, path: str) -> None:
        """Refuse what could name anything outside of the root."""
        check_path(path)

    def _list_checked(self, path: str) -> list[Entry]:
        if self._ancestry is None:
            return _sorted(self._list(path))
        above = self._ancestry.require_plain([*ancestors(path), path])
        entries = without_loops(self._list(path), above)
        self._ancestry.saw(entries)
        return _sorted(entries)

    def _stat_checked(self, path: str) -> Entry:
        if self._ancestry is not None:
            self._ancestry.require_plain(ancestors(path))
        return self._stat(path)

    def _open_checked(self, path: str) -> OpenedFile:
        if self._ancestry is not None:
            self._ancestry.require_plain(ancestors(path))
        return self._open(path)

    def _retrying(
        self,
        path: str,
        attempt: Callable[[], T],
        *,
        patience: Patience | None = None,
        first_contact: bool = False,
    ) -> T:
        """The one place where a call to the source is repeated, and where foreign exceptions stop."""
        rounds: Iterator[None] | None = None
        while True:
            try:
                return attempt()
            except Exception as exc:  # noqa: BLE001 - Source promises connectors.errors only
                error = self._final(self._error(exc, path), path, first_contact=first_contact)
                rounds = rounds or (patience or self._patience).rounds(self._stop)
                if not _worth_another_try(error) or next(rounds, False) is False:
                    raise _given_up(error, first_contact=first_contact, url=self.display_url) from _foreign(
                        exc
                    )

    def _final(self, error: ConnectorError, path: str, *, first_contact: bool) -> ConnectorError:
        """Without its root or its rights to it, a share is unreachable, whatever the protocol calls that."""
        if path or isinstance(error, (FatalError, TransientError)):
            return error
        if isinstance(error, NotFound):
            return ShareUnreachable(
                f"{self.display_url}: the root folder does not exist; check the path, which must lead to a folder, "
                "not to a file"
            )
        if first_contact and isinstance(error, AccessDenied):
            return AuthenticationFailed(f"{self.display_url}: the root folder: {error}")
        return ShareUnreachable(f"{self.display_url}: {error}") if first_contact else error

    def _forget_file(self, file: ReopeningFile) -> None:
        with self._files_lock:
            self._files.discard(file)


class ReopeningFile(io.RawIOBase):
    """A SourceFile that survives a dropped connection: it opens the file again and goes on at its offset.

    `entry` is the file as it was when it was opened, `streams` what it has beside its content. Going on is
    refused with ChangedWhileReading when the file is not the same any more. Not for several threads at once.
    """

    def __init__(self, source: ResilientSource, path: str, opened: OpenedFile) -> None:
        super().__init__()
        self.entry = opened.entry
        self.streams = opened.streams
        self._source = source
        self._path = path
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
            data = self._source._retrying(self._path, lambda wanted=missing: self._read_once(wanted))  # type: ignore[misc]
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

    def readinto(self, buffer: object, /) -> int:
        """Fill a writable buffer; the number of bytes."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

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
            self._source._forget_file(self)
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
            raw = self._raw or self._reopen()
            if self._raw_offset != self._offset:
                raw.seek(self._offset)
                self._raw_offset = self._offset
            data = raw.read(size)
        except Exception:
            self._drop()
            raise
        self._offset += len(data)
        self._raw_offset = self._offset
        return data

    def _reopen(self) -> RawFile:
        opened = self._source._open_checked(self._path)
        self._raw, self._raw_offset = opened.raw, 0
        if not opened.entry.fingerprint.same_content_as(self.entry.fingerprint):
            raise ChangedWhileReading(f"{self._path!r} changed while the connection was away")
        return opened.raw

    def _drop(self) -> None:
        raw, self._raw = self._raw, None
        if raw is None:
            return
        # A handle that is gone with its connection has nothing left to release.
        with suppress(Exception):
            raw.close()


def check_path(path: str) -> None:
    """AccessDenied for what is no plain relative path: "..", ".", an empty component, NUL, a leading "/"."""
    if path and not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise AccessDenied(f"{path!r} is not a plain path below the root")
    if "\0" in path:
        raise AccessDenied(f"{path!r} holds a NUL character")


def connector_error(exc: Exception, path: str) -> ConnectorError:
    """Any exception of an fsspec filesystem or of the operating system as one of ours."""
    if isinstance(exc, ConnectorError):
        return exc
    if isinstance(exc, FileNotFoundError | NotADirectoryError | FileExistsError):
        return NotFound(f"{path!r} is not there (any more)")
    if isinstance(exc, IsADirectoryError):
        return NotFound(f"{path!r} is a folder now, not a file")
    if isinstance(exc, PermissionError):
        return AccessDenied(f"{path!r}: the account may not read this; grant it read access")
    if isinstance(exc, ConnectionError | TimeoutError | EOFError):
        return ConnectionLost(f"the connection was lost at {path!r}")
    if isinstance(exc, OSError):
        return _error_of_errno(exc, path)
    return ReadFailed(f"{path!r}: {type(exc).__name__}")


def _error_of_errno(exc: OSError, path: str) -> ConnectorError:
    if exc.errno in _LOST:
        return ConnectionLost(f"the connection was lost at {path!r}")
    if exc.errno in _BUSY:
        return ServerBusy(f"{path!r}: {exc.strerror}")
    if exc.errno in _LOCKED:
        return Locked(f"{path!r} is held by another program; run another pass when it is closed")
    if exc.errno == errno.ELOOP:
        return AccessDenied(f"{path!r} is or passes a symbolic link; links are never followed")
    return ReadFailed(f"{path!r}: {exc.strerror or type(exc).__name__}")


def _worth_another_try(error: ConnectorError) -> bool:
    # A share that answered before may come back: a restart is not the end of a pass.
    return isinstance(error, (TransientError, ShareUnreachable))


def _given_up(error: ConnectorError, *, first_contact: bool, url: str) -> ConnectorError:
    if first_contact and isinstance(error, TransientError):
        return ShareUnreachable(f"{url}: {error}; check host, port and share name")
    return error


def _foreign(exc: Exception) -> BaseException | None:
    return exc.__cause__ if isinstance(exc, ConnectorError) else exc


def _listing_or_error(future: Future[list[Entry]]) -> list[Entry] | ConnectorError:
    try:
        return future.result()
    except FatalError:
        raise
    except ConnectorError as error:
        return error


def _sorted(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.path)


def unnameable(folder: str, name: str, entry: Entry, why: str) -> Entry:
    """What no path leads to: listed under a name that stands for its own, with a fault, so that it is never lost.

    A folder of that sort is not walked: it is SPECIAL.
    """
    is_folder = entry.kind is EntryKind.FOLDER
    shown = f"({'folder' if is_folder else 'object'} {name!r})".replace("/", "%2F")
    return replace(
        entry,
        path=f"{folder}/{shown}" if folder else shown,
        kind=EntryKind.SPECIAL if is_folder else entry.kind,
        skip_reason=None,
        fault=Fault(
            NameRejected.reason, f"{name!r} in {folder or 'the root'!r}: {why}; rename it in the source"
        ),
    )
