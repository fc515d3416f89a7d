"""What was known and is not listed any more: it is asked for by name before it counts as gone (P2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from connectors.box.names import collision_key
from connectors.entry import Entry, EntryKind, Fault
from connectors.errors import (
    ConnectorError,
    FatalError,
    ItemError,
    NotFound,
    PathForbidden,
    PathRefused,
    Stopped,
)
from connectors.source import Source
from state.records import KnownChild
from state.statuses import ItemStatus

#: What a server of old names makes of a long one: LONGNA~1.TXT.
SHORT_NAME = re.compile(r"~\d")

#: Entries that are asked for at the same time.
ASKED_AT_ONCE = 8


def with_unlisted(
    source: Source,
    folder: str,
    listing: list[Entry],
    known: Sequence[KnownChild],
    stopping: Callable[[], bool] = lambda: False,
) -> list[Entry]:
    """The listing of a folder with what it left out: known entries that are there, or that the server denies to show.

    A share may hide what the account may not read; what it denies to show has a fault. Raises FatalError, and Stopped
    when `stopping` says so.
    """
    listed = {entry.name for entry in listing}
    absent = [
        child
        for child in known
        if child.status not in (ItemStatus.GONE, ItemStatus.EXCLUDED) and child.name not in listed
    ]
    if not absent:
        return listing

    def ask(child: KnownChild) -> Entry | None:
        if stopping():
            raise Stopped
        found = _asked(source, f"{folder}/{child.name}".lstrip("/"), child)
        return None if found is not None and _is_listed(found, listing) else found

    with ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="absent") as pool:
        found = list(pool.map(ask, absent))
    return sorted([*listing, *(entry for entry in found if entry is not None)], key=lambda entry: entry.path)


def _is_listed(found: Entry, listing: Sequence[Entry]) -> bool:
    """Return True when what was asked for is in the listing under another spelling of its name.

    A server that minds no case finds under the old name what was renamed; one that keeps short names finds under
    those what is listed under the long one. Another hard link of a listed file is a file of its own.
    """
    key, is_short = collision_key(found.name), SHORT_NAME.search(found.name) is not None
    return any(
        entry.fingerprint == found.fingerprint
        for entry in listing
        if collision_key(entry.name) == key or (is_short and entry.file_id is not None)
    )


def _asked(source: Source, path: str, child: KnownChild) -> Entry | None:
    """The entry as it is now; None when it is gone, or when nothing under this name was ever to be had."""
    try:
        return source.stat(path)
    except NotFound:
        return None
    except (FatalError, Stopped):
        raise
    except ConnectorError as exc:
        if isinstance(exc, PathForbidden | PathRefused) and not child.placed:
            return None
        detail = f"it was listed before and is not now; asked for by name: {exc}"
        return Entry(path=path, kind=child.kind, fault=Fault(exc.reason, detail))


class Listings:
    """Whether folders are still listed by the one above them, each of which is listed once. Not for several threads."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._folders: dict[str, frozenset[str] | None] = {}

    def shows(self, path: str) -> bool:
        """False when the folder above lists no such folder, or is gone itself, and asked for by name it is not there.

        True as well where nothing is proven: the one above cannot be listed. Raises FatalError, Stopped.
        """
        above, _, _ = path.rpartition("/")
        if above not in self._folders:
            self._folders[above] = self._listed(above)
        listed = self._folders[above]
        return listed is None or path in listed or self._is_there(path)

    def _is_there(self, path: str) -> bool:
        try:
            return self._source.stat(path).kind in (EntryKind.FOLDER, EntryKind.UNKNOWN)
        except NotFound:
            return False
        except ItemError:
            return True

    def _listed(self, folder: str) -> frozenset[str] | None:
        try:
            entries = self._source.list_folder(folder)
        except NotFound:
            return None if not folder or self.shows(folder) else frozenset()
        except ItemError:
            return None
        kinds = (EntryKind.FOLDER, EntryKind.UNKNOWN)
        return frozenset(entry.path for entry in entries if entry.kind in kinds)
