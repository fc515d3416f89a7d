"""Renames: files that changed names with each other in one folder get each other's names in Box, with ids and versions.

Whose old name is free has moved, and is followed once the walk has ended (moves.py). Where another file has that name
now, as after a swap, a circle, or a log that was put aside, the names alone would say that all of them were rewritten;
so this is looked at before a listing is compared with what is known, and by the ids of the source. As there, an id
alone proves nothing, and a name that is taken by a file which did not move is never given to another one: who saves a
document by putting a new file in place of the old one goes on with the old one's versions.

In a circle one file steps aside under a name that says whose it is. That is written down first, so that a run which
finds such a row knows that it was interrupted, asks Box once how far it got, and finishes. Where Box refuses in the
middle, the file that stepped aside gets its own name back, and all is compared by names as ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from connectors.box.names import collision_key, fitted
from connectors.box.types import BoxChild, Known, Place
from connectors.entry import Entry, EntryKind
from connectors.errors import ItemError
from connectors.source import Source
from flows.transfer.migration import Migration
from flows.transfer.naming import compare_folder
from state.change_records import PlacedFile
from state.records import FolderNode, KnownChild
from state.statuses import EventKind, ItemStatus

#: How the name of a file begins that stepped aside; its id in Box follows, then the name that it had.
ASIDE = "boxhaul-moving-"

#: Names that are tried for a file that stepped aside and is gone from the source since.
BACK_NAMES = 20


class HasSource(Protocol):
    """Whoever can look at the source."""

    @property
    def source(self) -> Source: ...


@dataclass(frozen=True, kw_only=True)
class _Rename:
    """A file that Box has, and the entry that it is by now."""

    file: PlacedFile
    entry: Entry
    box_name: str = ""


def aside_name(box_id: str, name: str) -> str:
    """Return the name of a file or folder that steps aside for a moment."""
    return fitted(f"{ASIDE}{box_id} {name}", "")


def own_name(name: str) -> str:
    """Return the name that a file had before it stepped aside; the same where it did not."""
    return name.partition(" ")[2] or name if name.startswith(ASIDE) else name


def may_have_renamed(listing: Sequence[Entry], known: Sequence[KnownChild]) -> bool:
    """Return True where a known name shows a file of another id, or a file stepped aside: what follow_renames() is for.

    Asks nobody.
    """
    ids = {child.name: child.fingerprint.file_id for child in known if child.placed and _is_file(child)}
    return bool(_aside(listing, known)) or any(
        entry.file_id is not None and ids.get(entry.name) not in (None, entry.file_id) for entry in listing
    )


def follow_renames(
    migration: Migration, folder: FolderNode, listing: list[Entry], known: Sequence[KnownChild]
) -> None:
    """Give the files of this folder in Box the names that they have in the source; the rows follow."""
    corrected: set[int] = set()
    if _aside(listing, known):
        corrected = _take_up(migration, folder, listing, known)
        ids = {entry.file_id for entry in listing}
        _bring_back(migration, folder, listing, lambda child: child.fingerprint.file_id not in ids)
        known = migration.checkpoint.known_children(folder.id)
    if renames := _possible(migration, listing, known, corrected):
        _Carrying(migration, folder).carry_out(_named(migration, listing, known, renames))
    if renames or _aside(listing, known):
        _bring_back(migration, folder, listing)


class _Carrying:
    """Carries out the renames of one folder."""

    def __init__(self, migration: Migration, folder: FolderNode) -> None:
        self._migration, self._folder = migration, folder

    def carry_out(self, renames: list[_Rename]) -> None:
        """Each once its name is free; in a circle one steps aside first. Ends at the first that Box refuses."""
        while renames:
            self._migration.stop.raise_if_stopped()
            free = next((each for each in renames if _is_free(each, renames)), None)
            each = renames.pop(0) if free is None else free
            try:
                if free is None:
                    renames.append(replace(each, file=step_aside(self._migration, self._folder, each.file)))
                    continue
                renames.remove(each)
                rename_in_box(self._migration, self._folder, each.file, each.entry.name, each.box_name)
            except ItemError as exc:
                for left in (each, *renames):
                    self._tell(EventKind.MOVE_NOT_FOLLOWED, left, f" ({exc})")
                return
            self._tell(EventKind.MOVE_FOLLOWED, each)

    def _tell(self, kind: EventKind, each: _Rename, why: str = "") -> None:
        words = f"{self._path(own_name(each.file.name))} is {self._path(each.entry.name)}{why}"
        self._migration.record_event(kind, {"path": self._folder.path, "count": 1, "names": [words]})

    def _path(self, name: str) -> str:
        return f"{self._folder.path}/{name}".lstrip("/")


def step_aside(migration: Migration, folder: FolderNode, file: PlacedFile) -> PlacedFile:
    """Give a file its name aside: first in the checkpoint, then in Box. Repeating it does no harm."""
    aside = aside_name(file.box_id, own_name(file.name))
    if file.name != aside:
        migration.checkpoint.record_file_renamed(
            file.id, name=aside, box_name=file.box_name, box_etag=file.box_etag, worker=migration.worker
        )
    return rename_in_box(migration, folder, file, aside, aside)


def rename_in_box(
    migration: Migration, folder: FolderNode, file: PlacedFile, name: str, box_name: str
) -> PlacedFile:
    """One call, and one transaction. ChangedInBox when somebody gave it another name or place there."""
    parent = migration.folders.box_id(folder.id)
    known = Known(
        kind=EntryKind.FILE,
        box_id=file.box_id,
        name=file.box_name,
        etag=file.box_etag,
        version_id=file.box_version_id,
    )
    changed = migration.box.items.move(known, Place(parent, file.box_name), Place(parent, box_name))
    # Of what somebody else wrote the etag that was known stays: whoever sends a version is to look at it.
    etag = changed.etag if changed.same_content else file.box_etag
    migration.checkpoint.record_file_renamed(
        file.id, name=name, box_name=changed.name, box_etag=etag, worker=migration.worker
    )
    return replace(file, name=name, box_name=changed.name, box_etag=etag)


def _take_up(
    migration: Migration, folder: FolderNode, listing: Sequence[Entry], known: Sequence[KnownChild]
) -> set[int]:
    """A run was ended in the middle: see which of these names Box has by now, and let what was to step aside do so.

    Return the ids of the files that have another name in Box than was written down, which is written down now; what of
    them is gone from the source gets the old one back. One call for each 1,000 entries of the folder.
    """
    by_id = {child.id: child for child in known if child.placed and _is_file(child)}
    files = migration.checkpoint.placed_files(list(by_id))
    of_box = {file.box_id: file for file in files.values()}
    there, corrected = {entry.file_id for entry in listing}, set()
    names = {entry.name for entry in listing} | {own_name(file.name) for file in files.values()}
    ours = {collision_key(name) for name in (*names, *(file.name for file in files.values()))}
    try:
        parent = migration.folders.box_id(folder.id)
        for child in list(migration.box.list_folder(parent, whole=True)):
            file = of_box.get(child.id) if child.type == "file" else None
            if file is None:
                continue
            if child.name != file.box_name and collision_key(child.name) in ours:
                wanted, file = file.box_name, _as_listed(migration, file, child)
                corrected.add(file.id)
                if by_id[file.id].fingerprint.file_id not in there and not file.name.startswith(ASIDE):
                    rename_in_box(migration, folder, file, file.name, wanted)
            if file.name.startswith(ASIDE) and file.box_name != file.name:
                step_aside(migration, folder, file)
    except ItemError:
        pass  # the renames are refused as well, and tell why
    return corrected


def _as_listed(migration: Migration, file: PlacedFile, child: BoxChild) -> PlacedFile:
    etag = child.etag if child.version_id in (None, file.box_version_id) else file.box_etag
    migration.checkpoint.record_file_renamed(
        file.id, name=file.name, box_name=child.name, box_etag=etag, worker=migration.worker
    )
    return replace(file, box_name=child.name, box_etag=etag)


def _bring_back(
    migration: Migration,
    folder: FolderNode,
    listing: Sequence[Entry],
    which: Callable[[KnownChild], bool] = lambda child: True,
) -> None:
    """What is still aside gets the name that it had; one with a number where that is another file's by now."""
    known = migration.checkpoint.known_children(folder.id)
    aside = [child for child in _aside(listing, known) if which(child)]
    taken = {collision_key(name) for child in known for name in (child.name, child.box_name)}
    files = migration.checkpoint.placed_files([child.id for child in aside]) if aside else {}
    for file in files.values():
        own = own_name(file.name)
        names = (own, *(fitted(own, f" ({number})") for number in range(2, BACK_NAMES)))
        name = next((each for each in names if collision_key(each) not in taken), file.name)
        with suppress(ItemError):  # it stays findable by its name aside
            rename_in_box(migration, folder, file, name, name)
            taken.add(collision_key(name))


def _possible(
    migration: Migration, listing: Sequence[Entry], known: Sequence[KnownChild], corrected: set[int]
) -> list[_Rename]:
    """Those renames that nothing stands in the way of: the name is nobody's, or of one that is renamed as well."""
    pairs = _pairs(listing, known, corrected, migration.excluded)
    files = migration.checkpoint.placed_files([child.id for child, _ in pairs]) if pairs else {}
    possible = [
        _Rename(file=files[child.id], entry=entry)
        for child, entry in pairs
        if child.id in files and is_one_file(migration, files[child.id], entry)
    ]
    holders = {child.name: child.id for child in known}
    while True:
        going = {each.file.id for each in possible}
        free = [each for each in possible if holders.get(each.entry.name) in (None, *going)]
        if len(free) == len(possible):
            return free
        possible = free


def _pairs(
    listing: Sequence[Entry],
    known: Sequence[KnownChild],
    corrected: set[int],
    excluded: Callable[[Entry], str | None],
) -> list[tuple[KnownChild, Entry]]:
    """Files by their ids that have another name now, where the old name or the new one is not free; and those of which
    Box alone has another one."""
    times = Counter(entry.file_id for entry in listing)
    there = {entry.name for entry in listing}
    rows: dict[str | None, list[KnownChild]] = {}
    for child in known:
        if child.placed and _is_file(child):
            rows.setdefault(child.fingerprint.file_id, []).append(child)
    held = {child.name for child in known if child.status is not ItemStatus.GONE}
    found = []
    for entry in listing:
        same = rows.get(entry.file_id, [])
        if len(same) != 1 or times[entry.file_id] > 1 or not _may_be_renamed(entry):
            continue
        child = same[0]
        is_taken = child.name in there or entry.name in held or child.name.startswith(ASIDE)
        goes = (child.name != entry.name and is_taken) or child.id in corrected
        if goes and _is_settled(child) and excluded(entry) is None:
            found.append((child, entry))
    return found


def is_one_file(migration: Migration, file: PlacedFile, entry: Entry) -> bool:
    """Of equal ids: size and date are the same, or it was created at the same moment, or it was there already when the
    other one was sent, so that the id was not given out anew."""
    if file.is_claimed or file.adopted:
        return False
    if (file.size, file.modified_ns) == (entry.size, entry.modified_ns) and entry.modified_ns is not None:
        return True
    if entry.created_ns is not None and entry.created_ns == file.created_ns:
        return True
    return was_there(migration, entry.path, file.known_since)


def was_there(looks: HasSource, path: str, known_since: datetime | None) -> bool:
    """True when what is at this path was made before that moment, when its id was that of a file that is known."""
    if known_since is None:
        return False
    try:
        return looks.source.was_born_before(path, known_since)
    except ItemError:
        return False


def _named(
    migration: Migration, listing: list[Entry], known: Sequence[KnownChild], renames: Sequence[_Rename]
) -> list[_Rename]:
    """With the name that each gets in Box: that of a new entry, once those that go are not in its way (P7)."""
    going = {each.file.id for each in renames}
    others = [child for child in known if child.id not in going or not _is_file(child)]
    changes, _ = compare_folder(listing, others, excluded=migration.excluded)
    names: Mapping[str, str] = {
        change.name: change.box_name
        for change in changes
        if change.entry is not None and change.entry.kind is EntryKind.FILE
    }
    return [replace(each, box_name=names[each.entry.name]) for each in renames if each.entry.name in names]


def _is_free(each: _Rename, renames: Sequence[_Rename]) -> bool:
    """True when no other of these still holds its name, in the checkpoint or in Box."""
    others = [other.file for other in renames if other is not each]
    wanted = collision_key(each.box_name)
    return not any(file.name == each.entry.name or collision_key(file.box_name) == wanted for file in others)


def _aside(listing: Sequence[Entry], known: Sequence[KnownChild]) -> list[KnownChild]:
    """Files that stepped aside and were not brought to their names; what has such a name in the source is none."""
    found = [child for child in known if child.placed and _is_file(child) and child.name.startswith(ASIDE)]
    there = {entry.name for entry in listing} if found else set()
    return [child for child in found if child.name not in there]


def _may_be_renamed(entry: Entry) -> bool:
    return entry.kind is EntryKind.FILE and entry.fault is None and entry.file_id not in (None, "0")


def _is_settled(child: KnownChild) -> bool:
    return child.status is ItemStatus.UPLOADED or child.name.startswith(ASIDE)


def _is_file(child: KnownChild) -> bool:
    return child.kind is EntryKind.FILE
