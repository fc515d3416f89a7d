"""ResilientSource: what every source does alike (confinement, retries, error mapping). Speaks no protocol."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import chain, islice
from typing import NamedTuple, Self, TypeVar
from weakref import WeakSet

from connectors.entry import Entry, EntryKind
from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectorError,
    FatalError,
    NotFound,
    ShareUnreachable,
    TransientError,
)
from connectors.source import AccessTimes, ChangeNotices, WholeFile
from connectors.sources.ancestry import AncestorCheck, ancestors
from connectors.sources.loops import without_loops
from connectors.sources.os_errors import connector_error
from connectors.sources.paths import check_path, named_apart
from connectors.sources.patience import NO_PATIENCE, Patience
from connectors.sources.reopening import OpenedFile, ReopeningFile, read_up_to
from connectors.sources.walkers import Walkers

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Folders listed at the same time by list_folders, at most.
WALKERS = 8
#: A walker that lists several folders by one call is given so many for each that may be listed at the same time:
#: those it asks for while it waits for others.
TOGETHER = 4
#: No more folders are listed by the same call once it has brought so many entries.
MOST_ENTRIES = 50_000


class _Batch(NamedTuple):
    """What one walker brings: listings, of how many entries, and the seconds that they took of the processor."""

    listings: list[tuple[str, list[Entry] | ConnectorError]]
    entries: int
    worked: float
    #: Folders that it was given, and left to another one: entries are too many, or somebody said stop.
    left: list[str]


class ResilientSource(ABC):
    """A Source (connectors.source) on four protocol hooks: _probe, _list, _stat, _open.

    The hooks may raise anything; the public methods retry what is transient while `patience` lasts and raise
    connectors.errors only. Safe for many threads when the hooks are.
    """

    #: Whether the server itself resolves links inside a path, so that parents must be checked (P5).
    checks_ancestors = False
    #: Whether a folder is listed only if it is none of those links: opened itself, and looked at when it is open.
    listing_tells_links = False
    #: Whether the server is asked for several folders by one call.
    lists_together = False
    #: Whether the server is asked for several small files by one call.
    reads_together = False

    def __init__(self, display_url: str, *, patience: Patience | None = None, walkers: int = WALKERS) -> None:
        self._display_url = display_url
        self._patience = patience or Patience()
        #: Folders listed at the same time by list_folders, at most.
        self.walkers = walkers
        self._pace = Walkers()
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
        running: set[Future[_Batch]] = set()
        pool = ThreadPoolExecutor(self.walkers, thread_name_prefix="walk")

        def submit() -> None:
            while len(running) < self._threads() and (some := list(islice(waiting, self._together()))):
                running.add(pool.submit(self._list_batch, some))

        try:
            submit()
            while running:
                began = time.perf_counter()
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                waited = time.perf_counter() - began
                running -= done
                batches = [future.result() for future in done]
                if left := [path for batch in batches for path in batch.left]:
                    waiting = chain(left, waiting)
                if self.lists_together:
                    submit()  # the server is at work on them while these are looked at
                for batch in batches:
                    self._pace.listed(
                        batch.entries, waited=waited, worked=batch.worked, limit=self._most_threads()
                    )
                    waited = 0.0
                    yield from batch.listings
                submit()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def stat(self, path: str) -> Entry:
        """The entry as it is now. Raises NotFound, AccessDenied, FatalError."""
        self._check_path(path)
        return self._retrying(path, lambda: self._stat_checked(path))

    def access_times(self) -> AccessTimes:
        """None are told."""
        return AccessTimes.NONE

    def notices(self) -> ChangeNotices | None:
        """Nobody tells."""
        return None

    def was_born_before(self, path: str, moment: datetime) -> bool:
        """Nothing is proven: times of creation are copied along, or made up of others, and clocks differ."""
        return False

    def read_whole(self, path: str, limit: int) -> WholeFile | None:
        """Look, read, look again; None when there is more than `limit`, or no plain file. Raises as `open`."""
        self._check_path(path)
        return self._retrying(path, lambda: self._read_whole_checked(path, limit))

    def read_together(self, wanted: Sequence[tuple[str, int]]) -> dict[str, WholeFile]:
        """Each is read by itself."""
        return {}

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

    def _read_whole(self, path: str, limit: int) -> WholeFile | None:
        """A file with all its bytes if it has no more than `limit`: by three calls where no protocol does better."""
        before = self._stat(path)
        if before.kind is not EntryKind.FILE or before.fault or before.skip_reason or before.size > limit:
            return None
        opened = self._open(path)
        try:
            content = read_up_to(opened.raw, limit + 1)
        finally:
            with suppress(Exception):  # its bytes are here; what the server says of the handle is no matter
                opened.raw.close()
        if len(content) > limit:
            return None
        return WholeFile(before, content, self._stat(path), opened.streams)

    def _list_together(self, paths: Sequence[str]) -> dict[str, list[Entry]]:
        """As `_list`, several folders by one call; those of which there is more to say are left out."""
        return {}

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

    def _threads(self) -> int:
        """How many walkers run now."""
        return self._pace.count(self._most_threads())

    def _is_stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def _most_threads(self) -> int:
        """Of those who list several folders by one call two are enough: one parses while the other waits."""
        return min(2, self.walkers) if self.lists_together else self.walkers

    def _together(self) -> int:
        """How many folders a walker lists by one call."""
        if not self.lists_together or self.walkers == 1:
            return 1
        return max(1, TOGETHER * self.walkers // self._threads())

    def _list_batch(self, paths: Sequence[str]) -> _Batch:
        """These folders, together as far as that goes, and the others one by one."""
        began = time.thread_time()
        together = self._listed_together(paths) if len(paths) > 1 and not self._is_stopped() else {}
        entries, left = sum(map(len, together.values())), []
        listings: list[tuple[str, list[Entry] | ConnectorError]] = []
        for path in paths:
            listing: list[Entry] | ConnectorError | None = together.get(path)
            if listing is None:
                # One at least, so that whoever takes the listings sees the stop, too, and ends the walk.
                if entries > MOST_ENTRIES or (listings and self._is_stopped()):
                    left.append(path)
                    continue
                listing = self._listing_or_error(path)
                entries += len(listing) if isinstance(listing, list) else 0
            listings.append((path, listing))
        return _Batch(listings, entries, time.thread_time() - began, left)

    def _listed_together(self, paths: Sequence[str]) -> dict[str, list[Entry]]:
        """Those that are listed by one call. Whatever is wrong is found out, and told, one by one."""
        listed: dict[str, list[Entry]] = {}
        try:
            for path in paths:
                self._check_path(path)
                self._require_plain_above(path)
            for path, entries in self._list_together(paths).items():
                listed[path] = self._named(path, entries)
        except Exception:
            log.debug("folders are listed one by one", exc_info=True)
        return listed

    def _listing_or_error(self, path: str) -> list[Entry] | ConnectorError:
        try:
            return self.list_folder(path)
        except FatalError:
            raise
        except ConnectorError as error:
            return error
        except Exception as error:  # one strange folder must not end the walk of all others
            log.exception("an error that nobody foresaw, while a folder was listed")
            return connector_error(error, path)

    def _list_checked(self, path: str) -> list[Entry]:
        self._require_plain_above(path)
        return self._named(path, self._list(path))

    def _require_plain_above(self, path: str) -> None:
        """Before a folder is listed: no folder above it is a link, nor it itself, if listing does not tell."""
        if self._ancestry is None:
            return
        itself = [] if self.listing_tells_links and path else [path]
        self._ancestry.require_plain([*ancestors(path), *itself])

    def _require_plain_parents(self, path: str) -> None:
        if self._ancestry is not None:
            self._ancestry.require_plain(ancestors(path))

    def _named(self, path: str, listed: list[Entry]) -> list[Entry]:
        """What a folder lists: each entry under a name of its own, loops as links, sorted."""
        entries = named_apart(path, listed)
        if self._ancestry is not None:
            if any(entry.kind is EntryKind.FOLDER for entry in entries):
                above = self._ancestry.ids([*ancestors(path), path])
                entries = without_loops(entries, above, self._look)
            self._ancestry.saw(entries, folder=path)
        return _sorted(entries)

    def _look(self, path: str) -> Entry:
        try:
            return self._stat(path)
        except Exception as exc:
            raise self._error(exc, path) from exc

    def _stat_checked(self, path: str) -> Entry:
        self._require_plain_parents(path)
        return self._stat(path)

    def _read_whole_checked(self, path: str, limit: int) -> WholeFile | None:
        self._require_plain_parents(path)
        return self._read_whole(path, limit)

    def _open_checked(self, path: str) -> OpenedFile:
        self._require_plain_parents(path)
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


def _sorted(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.path)
