"""Moved folders: which of the folders that a listing shows were elsewhere before. Asks the source, changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from connectors.box.names import collision_key
from connectors.entry import Entry, EntryKind, moves_as_folder
from connectors.errors import ItemError, NotFound
from connectors.source import Source
from flows.plan.model import MigrationPlan
from flows.transfer.identity import was_there
from flows.transfer.naming import compare_folder
from state.change_records import PlacedFolder
from state.checkpoint import Checkpoint
from state.records import FolderNode, KnownChild
from state.statuses import EventKind, ItemStatus

#: Why what moved from one tree to another is sent anew.
OTHER_TREE = "it came from another tree, whose people may be others"

#: How the name of a file or folder begins that stepped aside; its id in Box follows, for files the name that it had.
ASIDE = "boxhaul-moving-"

#: Two folders that change places: one steps aside where it is.
CALLS_OF_A_SWAP = 3

#: Folders of a folder that are looked into for a proof that it is the one that is known.
LOOKED_INTO = 4

_OUT_OF_SIGHT = (ItemStatus.GONE, ItemStatus.EXCLUDED)


class Looks(Protocol):
    """What it takes to find out what has moved: a migration has it, and so has a simulation, which writes nothing."""

    @property
    def plan(self) -> MigrationPlan: ...

    @property
    def plan_id(self) -> int: ...

    @property
    def source(self) -> Source: ...

    @property
    def checkpoint(self) -> Checkpoint: ...

    @property
    def excluded(self) -> Callable[[Entry], str | None]: ...

    def record_event(self, kind: EventKind, detail: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, kw_only=True)
class FolderMove:
    """A folder, as the checkpoint has it, and its entry in another place or under another name."""

    row: PlacedFolder
    entry: Entry
    box_name: str = ""


class Moved(NamedTuple):
    """What following the moves to one folder would come to."""

    #: Rows of the folders that moved to it, by the names of their entries here.
    rows: dict[str, PlacedFolder]
    #: Calls of Box: one for each, and one for whichever steps aside in a circle.
    calls: int


def moved_here(
    looks: Looks, folder: FolderNode, listing: list[Entry], known: Sequence[KnownChild], swapped: set[int]
) -> Moved:
    """Say which folders a pass would move to this one. Changes nothing, in Box or elsewhere.

    `folder`: one that the checkpoint does not know has an id that no row has. `swapped`: rows of folders that changed
    places with one of another parent, whose calls are counted already; those that do so here are added.
    """
    ids = [entry.file_id for entry in listing if entry.file_id is not None and may_move(entry)]
    rows = looks.checkpoint.folders_by_source_id(looks.plan_id, ids) if ids else {}
    found = paired(looks, folder, listing, rows)
    moved = {move.entry.name: move.row for move in found if move.row.id in swapped}
    found = [move for move in found if move.row.id not in swapped]
    moves = possible_moves(looks, folder, found, known) if found else []
    moved |= {move.entry.name: move.row for move in moves}
    calls = _calls_of(named_moves(looks, listing, known, moves), folder)
    for move in found:
        if move not in moves and (other := other_way_round(looks, folder, move, known)):
            moved[move.entry.name] = move.row
            swapped |= {move.row.id, other.row.id}
            calls += CALLS_OF_A_SWAP
    return Moved(moved, calls)


def _calls_of(moves: list[FolderMove], folder: FolderNode) -> int:
    calls = 0
    while moves:
        move, steps_aside = next_move(moves, folder)
        moves.remove(move)
        calls += 1
        if steps_aside:
            aside = f"{ASIDE}{move.row.box_id}"
            moves.append(replace(move, row=replace(move.row, name=aside, box_name=aside)))
    return calls


def next_move(moves: Sequence[FolderMove], folder: FolderNode) -> tuple[FolderMove, bool]:
    """The one of these that comes next; True when it has to step aside first, since all of them are in circles."""
    free = next((move for move in moves if _is_free(move, moves, folder)), None)
    if free is not None:
        return free, False
    return next(move for move in moves if move.row.parent_id == folder.id), True


def may_move(entry: Entry) -> bool:
    """True for a folder whose id may tell where it was before."""
    return entry.fault is None and entry.file_id not in (None, "0") and moves_as_folder(entry)


def possible_moves(
    migration: Looks, folder: FolderNode, found: Sequence[FolderMove], known: Sequence[KnownChild]
) -> list[FolderMove]:
    """Those of these moves that nothing stands in the way of, and whose folder holds what is known of it."""
    moves = _with_free_names(migration, folder, found, known)
    moves = [move for move in moves if _fits(migration, move)]
    return _with_free_names(migration, folder, moves, known)


def paired(
    migration: Looks, folder: FolderNode, listing: Sequence[Entry], rows: Mapping[str, list[PlacedFolder]]
) -> list[FolderMove]:
    """Entries whose id is that of one known folder, which is in Box, in another place or under another name."""
    times = Counter(entry.file_id for entry in listing)
    there = {entry.name: entry for entry in listing}
    found = []
    for entry in listing:
        same_id = rows.get(entry.file_id or "", [])
        if not same_id or not may_move(entry) or times[entry.file_id] > 1:
            continue
        row = _the_one(same_id, (folder.id, entry.name))
        if row is None or migration.excluded(entry) is not None:
            continue
        if _is_vacated(migration, folder, there, entry, row):
            if row.tree_id == folder.tree_id:
                found.append(FolderMove(row=row, entry=entry))
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


def other_way_round(
    looks: Looks, folder: FolderNode, move: FolderMove, known: Sequence[KnownChild]
) -> FolderMove | None:
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
    other = FolderMove(row=rows[0], entry=there)
    return other if may_move(there) and _fits(looks, move) and _fits(looks, other) else None


def holder_of_the_place(
    looks: Looks, folder: FolderNode, move: FolderMove, listing: Sequence[Entry], known: Sequence[KnownChild]
) -> FolderMove | None:
    """The folder that has the place, by the checkpoint, to which one that stepped aside comes back; it is not listed in
    this folder any more."""
    if not move.row.name.startswith(ASIDE) or move.row.parent_id != folder.id or not _fits(looks, move):
        return None
    holder = next((child for child in known if _is_folder_named(child, move.entry.name)), None)
    wanted = None if holder is None else holder.fingerprint.file_id
    if holder is None or wanted is None or wanted in {entry.file_id for entry in listing}:
        return None
    rows = looks.checkpoint.folders_by_source_id(looks.plan_id, [wanted]).get(wanted, [])
    is_the_one = [row.id for row in rows] == [holder.id] and rows[0].box_id is not None
    return FolderMove(row=rows[0], entry=move.entry) if is_the_one else None


def is_folder(child: KnownChild) -> bool:
    """True for folders; links that look like one are none."""
    return child.kind is EntryKind.FOLDER


def _is_folder_named(child: KnownChild, name: str) -> bool:
    return is_folder(child) and child.name == name and child.status not in _OUT_OF_SIGHT


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


def _fits(migration: Looks, move: FolderMove) -> bool:
    """True when the folder holds what is known of it: half of all by name, and one entry at least by name and id, or by
    more than the id where names changed hands in it; one that was and is empty, when it is as old as that."""
    try:
        listing = migration.source.list_folder(move.entry.path)
    except ItemError:
        return False
    there = {(each.name, each.kind is EntryKind.FOLDER): each.file_id for each in listing}
    children = [
        child
        for child in migration.checkpoint.known_children(move.row.id)
        if child.status is not ItemStatus.EXCLUDED
    ]
    known = {(child.name, child.kind is EntryKind.FOLDER): child.fingerprint.file_id for child in children}
    same = there.keys() & known.keys()
    if not there and not known:
        return was_there(migration, move.entry.path, move.row.known_since)
    if 2 * len(same) < min(len(there), len(known)):
        return False
    proven = any(there[key] is not None and there[key] == known[key] for key in same)
    return proven or _is_proven_by_what_moved(migration, listing, children)


def _is_proven_by_what_moved(looks: Looks, listing: Sequence[Entry], children: Sequence[KnownChild]) -> bool:
    """True where names changed hands in the folder itself: a file of it has a known one's id, size and date, or a
    folder a known one's id, and an entry of that by name and id."""
    by_id = {child.fingerprint.file_id: child for child in children}
    folders = []
    for entry in listing:
        child = by_id.get(entry.file_id) if entry.file_id not in (None, "0") else None
        if child is None or child.kind is not entry.kind:
            continue
        if is_folder(child):
            folders.append((entry, child))
        elif (entry.size, entry.modified_ns) == (child.fingerprint.size, child.fingerprint.modified_ns):
            return True
    return any(_shares_an_entry(looks, entry, child) for entry, child in folders[:LOOKED_INTO])


def _shares_an_entry(looks: Looks, entry: Entry, child: KnownChild) -> bool:
    try:
        there = {(each.name, each.kind, each.file_id) for each in looks.source.list_folder(entry.path)}
    except ItemError:
        return False
    known = looks.checkpoint.known_children(child.id)
    return any((each.name, each.kind, each.fingerprint.file_id or "") in there for each in known)


def _with_free_names(
    migration: Looks, folder: FolderNode, moves: Sequence[FolderMove], known: Sequence[KnownChild]
) -> list[FolderMove]:
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


def named_moves(
    looks: Looks, listing: list[Entry], known: Sequence[KnownChild], moves: Sequence[FolderMove]
) -> list[FolderMove]:
    """With the name that each gets in Box: that of a new entry, once those that move are not in its way (P7)."""
    moving = {move.row.id for move in moves}
    coming = {move.entry.name for move in moves}
    others = [
        child
        for child in known
        if child.id not in moving or child.kind is not EntryKind.FOLDER
        if not (child.kind is EntryKind.FOLDER and child.name in coming)
    ]
    changes, _ = compare_folder(listing, others, excluded=looks.excluded)
    names = {
        change.name: change.box_name
        for change in changes
        if change.entry is not None and change.entry.kind is EntryKind.FOLDER
    }
    return [replace(move, box_name=names[move.entry.name]) for move in moves if move.entry.name in names]


def _is_free(move: FolderMove, moves: Sequence[FolderMove], folder: FolderNode) -> bool:
    """True when no other of these moves still holds its name, here or in Box."""
    others = [other.row for other in moves if other is not move and other.row.parent_id == folder.id]
    wanted = collision_key(move.box_name)
    return not any(row.name == move.entry.name or collision_key(row.box_name) == wanted for row in others)


def tell(migration: Looks, kind: EventKind, folder: str, words: str) -> None:
    """Let the report say this of one entry of a folder."""
    migration.record_event(kind, {"path": folder, "count": 1, "names": [words]})


def tell_copy(migration: Looks, folder: str, old: str, new: str, why: object) -> None:
    """Let the report say that a move was not followed, and why."""
    tell(migration, EventKind.MOVE_NOT_FOLLOWED, folder, f"{old} is {new} ({why})")
