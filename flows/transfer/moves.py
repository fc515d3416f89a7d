"""Moves: what has another name or place in the source gets it in Box by one call, so that its id and links stay.

An id of the source alone proves nothing: it may be given out again after a deletion, twice, or to several names. A
folder has moved when nothing is left where it was and its content is what is known; a file when its date and size, or
its creation, are the same; either, when it was created before the old one was seen last, since its id was taken by
then. In any doubt it is sent anew, and that is told.

Folders are followed while the share is walked, before their new name is written down: nothing below them is new then.
Files are followed once the walk has ended (file_moves.py), or where they changed names in one folder (renames.py).

Between two trees nothing is moved in Box. The share's own move takes it from one tree's people and gives it to the
other's, and sending it anew does that: they get the content as the share has it. Moved in Box it would bring along what
the share never showed them: its older versions and comments, its shared link, and whoever was invited to it alone, who
would go on to see what is put into it in a tree that they were not let into. What the first tree had is gone from the
share, and goes the way of `changes: deletions`; the report says that it was not moved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from connectors.box.names import collision_key
from connectors.box.types import Changed, Known, Place
from connectors.entry import Entry, EntryKind, moves_as_folder
from connectors.errors import ItemError, NotFound
from connectors.source import Source
from flows.plan.changes import Moves
from flows.plan.model import MigrationPlan
from flows.transfer.migration import Migration
from flows.transfer.naming import compare_folder
from flows.transfer.renames import ASIDE, was_there
from state.change_records import PlacedFolder
from state.checkpoint import Checkpoint
from state.records import FolderNode, KnownChild
from state.statuses import EventKind, ItemStatus

#: Sources whose ids of files and folders stay when those are renamed.
WITH_IDS = ("file", "smb")

#: Why what moved from one tree to another is sent anew.
OTHER_TREE = "it came from another tree, whose people may be others"

_OUT_OF_SIGHT = (ItemStatus.GONE, ItemStatus.EXCLUDED)


def follows_moves(plan: MigrationPlan) -> bool:
    """True when the plan says so, and the source has ids that can be trusted."""
    return plan.changes.moves is Moves.FOLLOW and urlsplit(plan.source.url).scheme.lower() in WITH_IDS


class Looks(Protocol):
    """What it takes to find out what has moved: a migration has it, and so has a simulation, which writes nothing."""

    @property
    def source(self) -> Source: ...

    @property
    def checkpoint(self) -> Checkpoint: ...

    @property
    def excluded(self) -> Callable[[Entry], str | None]: ...

    def record_event(self, kind: EventKind, detail: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, kw_only=True)
class _Move:
    """A folder, as the checkpoint has it, and its entry in another place or under another name."""

    row: PlacedFolder
    entry: Entry
    box_name: str = ""


class FolderMoves:
    """The folders that moved while one batch of folders was listed. For one thread."""

    def __init__(self, migration: Migration) -> None:
        self._migration = migration
        self._left: list[str] = []
        #: Rows of folders that changed places; what was read of them before is outdated.
        self._swapped: set[int] = set()

    def has_left(self, folder: FolderNode) -> bool:
        """True for what moved since it was claimed, or a folder above it: its old path shows something else."""
        return any(folder.path == old or folder.path.startswith(f"{old}/") for old in self._left)

    def candidates(self, listings: Iterable[Sequence[Entry]]) -> Mapping[str, list[PlacedFolder]]:
        """Known folders by the ids that these listings name; one query for all of them."""
        ids = [
            entry.file_id
            for listing in listings
            for entry in listing
            if entry.file_id is not None and _may_move(entry)
        ]
        migration = self._migration
        return migration.checkpoint.folders_by_source_id(migration.plan_id, ids) if ids else {}

    def follow(
        self, folder: FolderNode, listing: list[Entry], rows: Mapping[str, list[PlacedFolder]]
    ) -> None:
        """Move to this folder in Box what moved to it in the source, and what was renamed in it."""
        found = _pairs(self._migration, folder, listing, rows)
        found = [move for move in found if move.row.id not in self._swapped]
        if not found:
            return
        known = self._finish_aside(self._migration.checkpoint.known_children(folder.id))
        moves = _possible(self._migration, folder, found, known)
        if moves:
            self._carry_out(folder, _named(self._migration, listing, known, moves))
        for move in found:
            if move not in moves and (other := _other_way_round(self._migration, folder, move, known)):
                self._swap(folder, move, other)

    def _swap(self, folder: FolderNode, here: _Move, there: _Move) -> None:
        """Two folders of two parents have each other's places: one steps aside where it is, three calls in all."""
        old, new = here.row, there.row
        if old.parent_id is None or new.parent_box_id is None or old.parent_box_id is None:
            return
        place = Place(new.parent_box_id, new.box_name)
        aside = self._aside(folder, there)
        if aside is None:
            return
        if self._moved(folder, here, here.entry.name, place) is None:
            self._moved(folder, aside, new.name, place)
            return
        parent = self._migration.checkpoint.folder_chain(old.parent_id)[-1]
        self._moved(parent, aside, there.entry.name, Place(old.parent_box_id, old.box_name))
        self._swapped |= {old.id, new.id}

    def _aside(self, folder: FolderNode, move: _Move) -> _Move | None:
        """Let a folder have a name for a moment that nobody else has, which is written down first; None when Box
        refused."""
        row, name = move.row, f"{ASIDE}{move.row.box_id}"
        if row.name != name:
            self._record(folder.id, row, name, _path(folder, name), row.box_name, row.box_etag)
            self._left.append(row.path)
        moved = self._moved(folder, move, name, Place(row.parent_box_id or "", name))
        if moved is None:
            self._record(folder.id, row, row.name, row.path, row.box_name, row.box_etag)
            return None
        return replace(move, row=moved)

    def _carry_out(self, folder: FolderNode, moves: list[_Move]) -> None:
        """Each once its name is free; in a circle one of them steps aside first."""
        try:
            parent_box_id = self._migration.folders.box_id(folder.id)
        except ItemError as exc:
            for move in moves:
                tell_copy(self._migration, folder.path, move.row.path, move.entry.path, exc)
            return
        while moves:
            free = next((move for move in moves if _is_free(move, moves, folder)), None)
            if free is not None:
                moves.remove(free)
                self._moved(folder, free, free.entry.name, Place(parent_box_id, free.box_name))
                continue
            first = next(move for move in moves if move.row.parent_id == folder.id)
            moves.remove(first)
            if (aside := self._aside(folder, first)) is not None:
                moves.append(aside)

    def _moved(self, folder: FolderNode, move: _Move, name: str, place: Place) -> PlacedFolder | None:
        """One call, and one transaction; None when Box refused."""
        migration, row, path = self._migration, move.row, _path(folder, name)
        try:
            if row.name.startswith(ASIDE) and row.box_name != row.name != name:
                row = self._finished(row)
            changed = self._in_box(row, place)
        except ItemError as exc:
            tell_copy(migration, folder.path, row.path, move.entry.path, exc)
            return None
        self._record(folder.id, row, name, path, changed.name, changed.etag)
        self._left.append(row.path)
        if path == move.entry.path:
            tell(migration, EventKind.MOVE_FOLLOWED, folder.path, f"{row.path} is {path}")
        return replace(
            row,
            parent_id=folder.id,
            name=name,
            path=path,
            box_name=changed.name,
            box_etag=changed.etag,
            parent_box_id=place.parent_id,
        )

    def _finish_aside(self, known: list[KnownChild]) -> list[KnownChild]:
        """Return these children once those whose stepping aside a run did not come to write down have done so."""
        begun = {
            child.fingerprint.file_id: child
            for child in known
            if child.placed and child.name.startswith(ASIDE) and child.box_name != child.name
        }
        migration = self._migration
        ids = [source_id for source_id, child in begun.items() if source_id and _is_folder(child)]
        rows = migration.checkpoint.folders_by_source_id(migration.plan_id, ids) if ids else {}
        by_id, done = {child.id: child for child in begun.values()}, dict[int, KnownChild]()
        for row in (row for source_id in ids for row in rows[source_id] if row.id == begun[source_id].id):
            with suppress(ItemError):  # its own move is refused as well, and tells why
                row = self._finished(row)
                self._record(row.parent_id or 0, row, row.name, row.path, row.box_name, row.box_etag)
                done[row.id] = replace(by_id[row.id], box_name=row.box_name)
        return [done.get(child.id, child) if _is_folder(child) else child for child in known]

    def _finished(self, row: PlacedFolder) -> PlacedFolder:
        """A run was ended while this folder stepped aside: now it has."""
        changed = self._in_box(row, Place(row.parent_box_id or "", row.name))
        return replace(row, box_name=changed.name, box_etag=changed.etag)

    def _in_box(self, row: PlacedFolder, place: Place) -> Changed:
        known = Known(kind=EntryKind.FOLDER, box_id=row.box_id or "", name=row.box_name, etag=row.box_etag)
        return self._migration.box.items.move(known, Place(row.parent_box_id or "", row.box_name), place)

    def _record(
        self, parent_id: int, row: PlacedFolder, name: str, path: str, box_name: str, etag: str | None
    ) -> None:
        self._migration.checkpoint.record_folder_moved(
            row.id,
            parent_id=parent_id,
            name=name,
            path=path,
            box_name=box_name,
            box_etag=etag,
            worker=self._migration.worker,
        )


def moved_here(
    looks: Looks, folder: FolderNode, listing: list[Entry], known: Sequence[KnownChild], *, plan_id: int
) -> dict[str, PlacedFolder]:
    """Return the rows of the folders that a pass would move to this one, by the names of their entries here.

    `folder`: one that the checkpoint does not know has an id that no row has. Changes nothing, in Box or elsewhere.
    """
    ids = [entry.file_id for entry in listing if entry.file_id is not None and _may_move(entry)]
    rows = looks.checkpoint.folders_by_source_id(plan_id, ids) if ids else {}
    found = _pairs(looks, folder, listing, rows)
    moves = _possible(looks, folder, found, known) if found else []
    return {move.entry.name: move.row for move in moves}


def _may_move(entry: Entry) -> bool:
    return entry.fault is None and entry.file_id not in (None, "0") and moves_as_folder(entry)


def _possible(
    migration: Looks, folder: FolderNode, found: Sequence[_Move], known: Sequence[KnownChild]
) -> list[_Move]:
    """Those of these moves that nothing stands in the way of, and whose folder holds what is known of it."""
    moves = _with_free_names(migration, folder, found, known)
    moves = [move for move in moves if _fits(migration, move)]
    return _with_free_names(migration, folder, moves, known)


def _pairs(
    migration: Looks, folder: FolderNode, listing: Sequence[Entry], rows: Mapping[str, list[PlacedFolder]]
) -> list[_Move]:
    """Entries whose id is that of one known folder, which is in Box, in another place or under another name."""
    times = Counter(entry.file_id for entry in listing)
    there = {entry.name: entry for entry in listing}
    found = []
    for entry in listing:
        same_id = rows.get(entry.file_id or "", [])
        if not same_id or not _may_move(entry) or times[entry.file_id] > 1:
            continue
        row = _the_one(same_id, (folder.id, entry.name))
        if row is None or migration.excluded(entry) is not None:
            continue
        if _is_vacated(migration, folder, there, entry, row):
            if row.tree_id == folder.tree_id:
                found.append(_Move(row=row, entry=entry))
            else:
                tell_copy(migration, folder.path, row.path, entry.path, OTHER_TREE)
    return found


def _the_one(rows: Sequence[PlacedFolder], place: tuple[int, str]) -> PlacedFolder | None:
    """The one of these rows that is in Box, unless it is at this place, or another one has the id as well."""
    placed = [row for row in rows if row.box_id is not None]
    if len(placed) != 1 or placed[0].parent_id is None or (placed[0].parent_id, placed[0].name) == place:
        return None
    others = [row for row in rows if row is not placed[0] and row.in_sight]
    return placed[0] if all((row.parent_id, row.name) == place for row in others) else None


def _other_way_round(
    looks: Migration, folder: FolderNode, move: _Move, known: Sequence[KnownChild]
) -> _Move | None:
    """The folder that had this one's new place, when it has the old place of this one now, in another parent; both
    hold what is known of them."""
    holder = next((child for child in known if _is_folder_named(child, move.entry.name)), None)
    wanted = None if holder is None else holder.fingerprint.file_id
    if holder is None or wanted is None or not holder.placed or move.row.parent_id == folder.id:
        return None
    try:
        there = looks.source.stat(move.row.path)
    except ItemError:
        return None
    rows = looks.checkpoint.folders_by_source_id(looks.plan_id, [wanted]).get(wanted, [])
    if there.file_id != wanted or len(rows) != 1 or rows[0].id != holder.id:
        return None
    other = _Move(row=rows[0], entry=there)
    return other if _may_move(there) and _fits(looks, move) and _fits(looks, other) else None


def _is_folder(child: KnownChild) -> bool:
    return child.kind is EntryKind.FOLDER


def _is_folder_named(child: KnownChild, name: str) -> bool:
    return _is_folder(child) and child.name == name and child.status not in _OUT_OF_SIGHT


def _is_vacated(
    migration: Looks, folder: FolderNode, there: Mapping[str, Entry], entry: Entry, row: PlacedFolder
) -> bool:
    """True when the folder is not any more where it was: nothing is, or another one."""
    if row.parent_id == folder.id and row.name in there:
        return there[row.name].file_id not in (None, entry.file_id)
    try:
        found = migration.source.stat(row.path)
    except NotFound:
        return True
    except ItemError:
        return False
    if found.file_id != entry.file_id:
        return found.fault is None and found.file_id is not None
    # A server may find under its old name what was renamed in other letters, and does not list it there.
    return row.parent_id == folder.id and collision_key(row.name) == collision_key(entry.name)


def _fits(migration: Looks, move: _Move) -> bool:
    """True when the folder holds what is known of it: one entry at least by name and id, and half of all by name; one
    that was and is empty, when it is as old as that."""
    try:
        listing = migration.source.list_folder(move.entry.path)
    except ItemError:
        return False
    there = {(each.name, each.kind is EntryKind.FOLDER): each.file_id for each in listing}
    known = {
        (child.name, child.kind is EntryKind.FOLDER): child.fingerprint.file_id
        for child in migration.checkpoint.known_children(move.row.id)
        if child.status is not ItemStatus.EXCLUDED
    }
    same = there.keys() & known.keys()
    if not there and not known:
        return was_there(migration, move.entry.path, move.row.known_since)
    proven = any(there[key] is not None and there[key] == known[key] for key in same)
    return proven and 2 * len(same) >= min(len(there), len(known))


def _with_free_names(
    migration: Looks, folder: FolderNode, moves: Sequence[_Move], known: Sequence[KnownChild]
) -> list[_Move]:
    """Those whose new name no other folder has, or only one that moves as well, or one of which nothing is in Box."""
    by_name = {child.name: child for child in known if child.kind is EntryKind.FOLDER}
    possible = list(moves)
    while True:
        moving = {move.row.id for move in possible}
        free = [move for move in possible if _is_name_free(migration, by_name.get(move.entry.name), moving)]
        if len(free) == len(possible):
            return free
        possible = free


def _is_name_free(migration: Looks, holder: KnownChild | None, moving: set[int]) -> bool:
    if holder is None or holder.id in moving:
        return True
    return holder.status not in _OUT_OF_SIGHT and migration.checkpoint.is_void(holder.id)


def _named(
    migration: Migration, listing: list[Entry], known: Sequence[KnownChild], moves: Sequence[_Move]
) -> list[_Move]:
    """With the name that each gets in Box: that of a new entry, once those that move are not in its way (P7)."""
    moving = {move.row.id for move in moves}
    coming = {move.entry.name for move in moves}
    others = [
        child
        for child in known
        if child.id not in moving or child.kind is not EntryKind.FOLDER
        if not (child.kind is EntryKind.FOLDER and child.name in coming)
    ]
    changes, _ = compare_folder(listing, others, excluded=migration.excluded)
    names = {
        change.name: change.box_name
        for change in changes
        if change.entry is not None and change.entry.kind is EntryKind.FOLDER
    }
    return [replace(move, box_name=names[move.entry.name]) for move in moves if move.entry.name in names]


def _is_free(move: _Move, moves: Sequence[_Move], folder: FolderNode) -> bool:
    """True when no other of these moves still holds its name, here or in Box."""
    others = [other.row for other in moves if other is not move and other.row.parent_id == folder.id]
    wanted = collision_key(move.box_name)
    return not any(row.name == move.entry.name or collision_key(row.box_name) == wanted for row in others)


def _path(folder: FolderNode, name: str) -> str:
    return f"{folder.path}/{name}".lstrip("/")


def tell(migration: Looks, kind: EventKind, folder: str, words: str) -> None:
    """Let the report say this of one entry of a folder."""
    migration.record_event(kind, {"path": folder, "count": 1, "names": [words]})


def tell_copy(migration: Looks, folder: str, old: str, new: str, why: object) -> None:
    """Let the report say that a move was not followed, and why."""
    tell(migration, EventKind.MOVE_NOT_FOLLOWED, folder, f"{old} is {new} ({why})")
