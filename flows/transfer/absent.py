"""What was known and is not listed any more: it is asked for by name before it counts as gone (P2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from connectors.box.names import collision_key
from connectors.entry import Entry, EntryKind, Fault, Fingerprint
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

#: Entries that are asked for at the same time.
ASKED_AT_ONCE = 8

_SHORT_NAME = re.compile(r"[^. ]{1,6}~\d{1,6}(\.[^. ]{1,3})?")


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
    there = {entry.name: entry for entry in listing}
    live = [child for child in known if child.status not in (ItemStatus.GONE, ItemStatus.EXCLUDED)]
    absent = [child for child in live if not _is_listed(child, there.get(child.name))]
    if not absent:
        return listing
    others = _OtherNames(listing, {child.name for child in live})

    def ask(child: KnownChild) -> Entry | None:
        if stopping():
            raise Stopped
        found = _asked(source, f"{folder}/{child.name}".lstrip("/"), child)
        if found is None or others.name(found):
            return None
        # Listed as another kind of thing: the answer by name counts where it is what is known.
        return None if child.name in there and not _is_same_kind(child, found) else found

    with ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="absent") as pool:
        found = {entry.name: entry for entry in pool.map(ask, absent) if entry is not None}
    return sorted((there | found).values(), key=lambda entry: entry.path)


def _is_listed(child: KnownChild, entry: Entry | None) -> bool:
    if entry is None:
        return False
    unclear = entry.may_be_folder and entry.kind is not EntryKind.FOLDER
    return entry.fault is not None or unclear or _is_same_kind(child, entry)


def _is_same_kind(child: KnownChild, entry: Entry) -> bool:
    return entry.fault is None and (child.kind is EntryKind.FOLDER) == (entry.kind is EntryKind.FOLDER)


class _OtherNames:
    """Names by which a server finds what it lists under another: in other letters, or short ones (8.3).

    Its answer to the old name of what was renamed proves nothing then. An equal id alone does not either: unrelated
    things share one, and so do the names of one file.
    """

    def __init__(self, listing: Sequence[Entry], known: Collection[str]) -> None:
        """`known` are names that were listed beside each other: the server tells them apart."""
        self._spelled: dict[str, list[Fingerprint]] = {}
        for entry in listing:
            if entry.name not in known:
                self._spelled.setdefault(collision_key(entry.name), []).append(entry.fingerprint)
        self._with_ids = {entry.fingerprint for entry in listing if entry.file_id is not None}

    def name(self, found: Entry) -> bool:
        """True when the listing has this entry, which was asked for by name, under another name."""
        if found.fault is not None:
            return False
        if found.fingerprint in self._spelled.get(collision_key(found.name), ()):
            return True
        return _SHORT_NAME.fullmatch(found.name) is not None and found.fingerprint in self._with_ids


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
            return self._source.stat(path).may_be_folder
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
        return frozenset(entry.path for entry in entries if entry.may_be_folder)
