"""Renamed files: which files of a folder have each other's names by now. Asks the source, changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from connectors.box.names import collision_key, fitted
from connectors.box.types import Known
from connectors.entry import Entry, EntryKind
from flows.transfer.identity import Looked, is_one_file
from flows.transfer.moved_folders import ASIDE, Looks
from flows.transfer.naming import compare_folder
from state.change_records import PlacedFile
from state.records import KnownChild
from state.statuses import ItemStatus


@dataclass(frozen=True, kw_only=True)
class FileRename:
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


def their_name(file: PlacedFile) -> str:
    """Return the name for the row of a file that a person renamed, moved or deleted in Box: no other has such a one."""
    return fitted(own_name(file.name), f" (in Box, {file.box_id})")


def known_in_box(file: PlacedFile) -> Known:
    """What Box is to have of this file still, so that no call goes over what somebody changed there."""
    return Known(
        kind=EntryKind.FILE,
        box_id=file.box_id,
        name=file.box_name,
        etag=file.box_etag,
        version_id=file.box_version_id,
    )


def may_have_renamed(listing: Sequence[Entry], known: Sequence[KnownChild]) -> bool:
    """Return True where a known name shows a file of another id, or a file stepped aside: what follow_renames() is for.

    Asks nobody.
    """
    ids = {child.name: child.fingerprint.file_id for child in known if child.placed and is_file(child)}
    return bool(files_aside(listing, known)) or any(
        entry.file_id is not None and ids.get(entry.name) not in (None, entry.file_id) for entry in listing
    )


def possible_renames(
    looks: Looks,
    listing: Sequence[Entry],
    known: Sequence[KnownChild],
    corrected: Collection[int] = (),
) -> list[FileRename]:
    """Those renames that nothing stands in the way of: the name is nobody's, or of one that is renamed as well."""
    pairs = _pairs(listing, known, corrected, looks.excluded)
    files = looks.checkpoint.placed_files([child.id for child, _ in pairs]) if pairs else {}
    possible = [
        FileRename(file=files[child.id], entry=entry)
        for child, entry in pairs
        if child.id in files and is_ours_and_one(looks, files[child.id], entry)
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
    corrected: Collection[int],
    excluded: Callable[[Entry], str | None],
) -> list[tuple[KnownChild, Entry]]:
    """Files by their ids that have another name now, where the old name or the new one is not free; and those of which
    Box alone has another one."""
    times = Counter(entry.file_id for entry in listing)
    there = {entry.name for entry in listing}
    rows: dict[str | None, list[KnownChild]] = {}
    for child in known:
        if child.placed and is_file(child):
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


def is_ours_and_one(looks: Looks, file: PlacedFile, entry: Entry) -> bool:
    """True for one file of equal ids that this plan put there, and that nobody is about to send."""
    if file.is_claimed or file.adopted:
        return False
    old, new = Looked.at(file), Looked.at(entry)
    return is_one_file(looks, old, new, path=entry.path, known_since=file.known_since)


def named_renames(
    looks: Looks, listing: list[Entry], known: Sequence[KnownChild], renames: Sequence[FileRename]
) -> list[FileRename]:
    """With the name that each gets in Box: that of a new entry, once those that go are not in its way (P7)."""
    going = {each.file.id for each in renames}
    others = [child for child in known if child.id not in going or not is_file(child)]
    changes, _ = compare_folder(listing, others, excluded=looks.excluded)
    names: Mapping[str, str] = {
        change.name: change.box_name
        for change in changes
        if change.entry is not None and change.entry.kind is EntryKind.FILE
    }
    return [replace(each, box_name=names[each.entry.name]) for each in renames if each.entry.name in names]


def next_rename(renames: Sequence[FileRename]) -> tuple[FileRename, bool]:
    """The one of these that comes next; True when it has to step aside first, since all of them are in circles."""
    free = next((each for each in renames if _is_free(each, renames)), None)
    return (renames[0], True) if free is None else (free, False)


def _is_free(each: FileRename, renames: Sequence[FileRename]) -> bool:
    """True when no other of these still holds its name, in the checkpoint or in Box."""
    others = [other.file for other in renames if other is not each]
    wanted = collision_key(each.box_name)
    return not any(file.name == each.entry.name or collision_key(file.box_name) == wanted for file in others)


def files_aside(listing: Sequence[Entry], known: Sequence[KnownChild]) -> list[KnownChild]:
    """Files that stepped aside and were not brought to their names; what has such a name in the source is none."""
    found = [child for child in known if child.placed and is_file(child) and child.name.startswith(ASIDE)]
    there = {entry.name for entry in listing} if found else set()
    return [child for child in found if child.name not in there]


def _may_be_renamed(entry: Entry) -> bool:
    return entry.kind is EntryKind.FILE and entry.fault is None and entry.file_id not in (None, "0")


def _is_settled(child: KnownChild) -> bool:
    return child.status is ItemStatus.UPLOADED or child.name.startswith(ASIDE)


def is_file(child: KnownChild) -> bool:
    """True for plain files."""
    return child.kind is EntryKind.FILE


class Renamed(NamedTuple):
    """What following the renames of one folder would come to."""

    #: The children of the folder, as they are known afterwards.
    known: list[KnownChild]
    #: Names of those that were renamed.
    names: frozenset[str] = frozenset()
    #: Calls of Box: one for each, and one for whichever steps aside in a circle.
    calls: int = 0


def renamed_here(looks: Looks, listing: list[Entry], known: list[KnownChild]) -> Renamed:
    """Say what follow_renames() would do here. Changes nothing, in Box or elsewhere."""
    found = possible_renames(looks, listing, known) if may_have_renamed(listing, known) else []
    renames = named_renames(looks, listing, known, found)
    now = {each.file.id: each for each in renames}
    after = [
        replace(child, name=now[child.id].entry.name, box_name=now[child.id].box_name)
        if is_file(child) and child.id in now
        else child
        for child in known
    ]
    names, calls = frozenset(each.entry.name for each in renames), 0
    while renames:
        each, steps_aside = next_rename(renames)
        renames.remove(each)
        calls += 1
        if steps_aside:
            aside = aside_name(each.file.box_id, each.file.name)
            renames.append(replace(each, file=replace(each.file, name=aside, box_name=aside)))
    return Renamed(after, names, calls)
