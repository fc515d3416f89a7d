"""ResilientSource: what every source does alike (confinement, retries, error mapping). Speaks no protocol."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from typing import Self, TypeVar
from weakref import WeakSet

from connectors.entry import Entry
from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectorError,
    FatalError,
    NotFound,
    ShareUnreachable,
    TransientError,
)
from connectors.sources.ancestry import AncestorCheck, ancestors
from connectors.sources.loops import without_loops
from connectors.sources.os_errors import connector_error
from connectors.sources.paths import check_path, named_apart
from connectors.sources.patience import NO_PATIENCE, Patience
from connectors.sources.reopening import OpenedFile, ReopeningFile

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Folders listed at the same time by list_folders.
WALKERS = 8


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
        #: Folders listed at the same time by list_folders.
        self.walkers = walkers
        look, list_root = self._stat, lambda: [entry.name for entry in self._list("")]
        self._ancestry = AncestorCheck(look, list_root) if self.checks_ancestors else None
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

    def hides_names(self) -> bool:
        """True when the share says that its listings leave out what the account may not read. Raises FatalError."""
        return self._retrying("", self._hides_names)

    def list_folder(self, path: str) -> list[Entry]:
        """The folder's entries, sorted by path. Raises NotFound, AccessDenied, FatalError."""
        self._check_path(path)
        return self._retrying(path, lambda: self._list_checked(path))

    def list_folders(self, paths: Iterable[str]) -> Iterator[tuple[str, list[Entry] | ConnectorError]]:
        """Many folders at once, each yielded when it is ready; `paths` is drawn from as places fall free."""
        waiting = iter(paths)
        running: dict[Future[list[Entry]], str] = {}
        pool = ThreadPoolExecutor(self.walkers, thread_name_prefix="walk")
        try:
            while True:
                for path in islice(waiting, self.walkers - len(running)):
                    running[pool.submit(self.list_folder, path)] = path
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    path = running.pop(future)
                    yield path, _listing_or_error(future, path)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def stat(self, path: str) -> Entry:
        """The entry as it is now. Raises NotFound, AccessDenied, FatalError."""
        self._check_path(path)
        return self._retrying(path, lambda: self._stat_checked(path))

    def require_inside(self, path: str) -> None:
        """Look at every folder above, whatever was seen before. Raises AccessDenied, NotFound, FatalError."""
        self._check_path(path)
        ancestry = self._ancestry
        if ancestry is not None:
            self._retrying(path, lambda: ancestry.require_plain(ancestors(path), anew=True))

    def open(self, path: str) -> ReopeningFile:
        """Open for reading with full sharing. Raises NotFound, AccessDenied, Locked, FatalError."""
        self._check_path(path)
        opened = self._retrying(path, lambda: self._open_checked(path))
        file = ReopeningFile(
            opened,
            retrying=partial(self._retrying, path),
            open_again=lambda: self._open_checked(path),
            forget=self._forget_file,
        )
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

    def _hides_names(self) -> bool:
        """Whether listings leave names out, where the protocol can say so."""
        return False

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
            return _sorted(named_apart(path, self._list(path)))
        above = [*ancestors(path), path]
        self._ancestry.require_plain(above)
        listed = named_apart(path, self._list(path))
        entries = without_loops(listed, self._ancestry.ids(above), self._look)
        self._ancestry.saw(entries, folder=path)
        return _sorted(entries)

    def _look(self, path: str) -> Entry:
        try:
            return self._stat(path)
        except Exception as exc:
            raise self._error(exc, path) from exc

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


def _worth_another_try(error: ConnectorError) -> bool:
    # A share that answered before may come back: a restart is not the end of a pass.
    return isinstance(error, (TransientError, ShareUnreachable))


def _given_up(error: ConnectorError, *, first_contact: bool, url: str) -> ConnectorError:
    if first_contact and isinstance(error, TransientError):
        return ShareUnreachable(f"{url}: {error}; check host, port and share name")
    return error


def _foreign(exc: Exception) -> BaseException | None:
    return exc.__cause__ if isinstance(exc, ConnectorError) else exc


def _listing_or_error(future: Future[list[Entry]], path: str) -> list[Entry] | ConnectorError:
    try:
        return future.result()
    except FatalError:
        raise
    except ConnectorError as error:
        return error
    except Exception as error:  # one strange folder must not end the walk of all others
        log.exception("an error that nobody foresaw, while a folder was listed")
        return connector_error(error, path)


def _sorted(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.path)
