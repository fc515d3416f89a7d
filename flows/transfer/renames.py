"""Renames: files that changed names with each other in one folder get each other's names in Box, with ids and versions.

Whose old name is free has moved, and is followed once the walk has ended (moves.py). Where another file has that name
now, as after a swap, a circle, or a log that was put aside, the names alone would say that all of them were rewritten;
so this is looked at before a listing is compared with what is known, and by the ids of the source. As there, an id
alone proves nothing, and a name that is taken by a file which did not move is never given to another one: who saves a
document by putting a new file in place of the old one goes on with the old one's versions.

In a circle one file steps aside under a name that says whose it is. That is written down first, so that a run which
finds such a row knows that it was interrupted, asks Box once how far it got, and finishes. Where Box refuses in the
middle, the file that stepped aside gets its own name back, and all is compared by names as ever; but what a person
renamed, moved or deleted in Box is theirs: its name is free there, and the others go on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from connectors.box.names import collision_key, fitted
from connectors.box.types import BoxChild, Place
from connectors.entry import Entry, EntryKind
from connectors.errors import OF_ONE_ENTRY, ChangedInBox, ConnectorError, DestinationGone, NotFound
from flows.transfer.migration import Migration
from flows.transfer.moved_folders import ASIDE
from flows.transfer.renamed_files import (
    FileRename,
    aside_name,
    files_aside,
    is_file,
    known_in_box,
    named_renames,
    next_rename,
    own_name,
    possible_renames,
    their_name,
)
from state.change_records import PlacedFile
from state.records import FolderNode, KnownChild
from state.statuses import EventKind

#: Names that are tried for a file that stepped aside and is gone from the source since.
BACK_NAMES = 20


def follow_renames(
    migration: Migration, folder: FolderNode, listing: list[Entry], known: Sequence[KnownChild]
) -> None:
    """Give the files of this folder in Box the names that they have in the source; the rows follow."""
    corrected: set[int] = set()
    if files_aside(listing, known):
        corrected = _take_up(migration, folder, listing, known)
        ids = {entry.file_id for entry in listing}
        _bring_back(migration, folder, listing, lambda child: child.fingerprint.file_id not in ids)
        known = migration.checkpoint.known_children(folder.id)
    if renames := possible_renames(migration, listing, known, corrected):
        _Carrying(migration, folder).carry_out(named_renames(migration, listing, known, renames))
    if renames or files_aside(listing, known):
        _bring_back(migration, folder, listing)


class _Carrying:
    """Carries out the renames of one folder."""

    def __init__(self, migration: Migration, folder: FolderNode) -> None:
        self._migration, self._folder = migration, folder

    def carry_out(self, renames: list[FileRename]) -> None:
        """Each once its name is free; in a circle one steps aside first. Ends at the first that Box refuses, unless it
        is a person's by now."""
        while renames:
            self._migration.stop.raise_if_stopped()
            each, steps_aside = next_rename(renames)
            renames.remove(each)
            try:
                if steps_aside:
                    renames.append(replace(each, file=step_aside(self._migration, self._folder, each.file)))
                    continue
                rename_in_box(self._migration, self._folder, each.file, each.entry.name, each.box_name)
            except OF_ONE_ENTRY as exc:
                is_theirs = let_go(self._migration, self._folder.tree_id, each.file, exc)
                for left in (each,) if is_theirs else (each, *renames):
                    self._tell(EventKind.MOVE_NOT_FOLLOWED, left, f" ({exc})")
                if not is_theirs:
                    return
                continue
            self._tell(EventKind.MOVE_FOLLOWED, each)

    def _tell(self, kind: EventKind, each: FileRename, why: str = "") -> None:
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
    known = known_in_box(file)
    changed = migration.box.items.move(known, Place(parent, file.box_name), Place(parent, box_name))
    # Of what somebody else wrote the etag that was known stays: whoever sends a version is to look at it.
    etag = changed.etag if changed.same_content else file.box_etag
    migration.checkpoint.record_file_renamed(
        file.id, name=name, box_name=changed.name, box_etag=etag, worker=migration.worker
    )
    return replace(file, name=name, box_name=changed.name, box_etag=etag)


def let_go(migration: Migration, tree_id: int, file: PlacedFile, why: ConnectorError) -> bool:
    """True when Box refused because somebody has this file under another name, in another place or in the trash: then
    it is theirs, and written down as gone from the source, so that nobody tries again. Looks where it is in Box.
    """
    if not isinstance(why, (ChangedInBox, DestinationGone)) or not _is_theirs(migration, tree_id, file):
        return False
    migration.checkpoint.record_file_let_go(file.id, name=their_name(file), worker=migration.worker)
    return True


def _is_theirs(migration: Migration, tree_id: int, file: PlacedFile) -> bool:
    """False where a run that was ended may have put it: where the share, or another row, has something of that name."""
    try:
        stored = migration.box.file_info(file.box_id)
        where = migration.checkpoint.folder_in_box(migration.plan_id, stored.parent_id or "")
        if stored.trashed or where is None or where.tree_id != tree_id:
            return True
        key = collision_key(stored.name)
        for child in migration.checkpoint.known_children(where.id):
            is_other = (child.id, child.kind) != (file.id, EntryKind.FILE) or stored.name == file.box_name
            if is_other and key in (collision_key(child.name), collision_key(child.box_name)):
                return False
        migration.source.stat(f"{where.path}/{stored.name}".lstrip("/"))
    except (DestinationGone, NotFound):
        return True
    except OF_ONE_ENTRY:
        return False
    return False


def _take_up(
    migration: Migration, folder: FolderNode, listing: Sequence[Entry], known: Sequence[KnownChild]
) -> set[int]:
    """A run was ended in the middle: see which of these names Box has by now, and let what was to step aside do so.

    Return the ids of the files that have another name in Box than was written down, which is written down now; what of
    them is gone from the source gets the old one back. One call for each 1,000 entries of the folder.
    """
    by_id = {child.id: child for child in known if child.placed and is_file(child)}
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
                wanted, file = file.box_name, as_listed(migration, file, child)
                corrected.add(file.id)
                if by_id[file.id].fingerprint.file_id not in there and not file.name.startswith(ASIDE):
                    rename_in_box(migration, folder, file, file.name, wanted)
            if file.name.startswith(ASIDE) and file.box_name != file.name:
                step_aside(migration, folder, file)
    except OF_ONE_ENTRY:
        pass  # the renames are refused as well, and tell why
    return corrected


def as_listed(migration: Migration, file: PlacedFile, child: BoxChild) -> PlacedFile:
    """Write down the name that a file has in Box, as a listing shows it."""
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
    aside = [child for child in files_aside(listing, known) if which(child)]
    taken = {collision_key(name) for child in known for name in (child.name, child.box_name)}
    files = migration.checkpoint.placed_files([child.id for child in aside]) if aside else {}
    for file in files.values():
        own = own_name(file.name)
        names = (own, *(fitted(own, f" ({number})") for number in range(2, BACK_NAMES)))
        name = next((each for each in names if collision_key(each) not in taken), file.name)
        try:
            rename_in_box(migration, folder, file, name, name)
            taken.add(collision_key(name))
        except OF_ONE_ENTRY as exc:
            let_go(migration, folder.tree_id, file, exc)  # else it stays findable by its name aside
