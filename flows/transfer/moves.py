"""Moves: what has another name or place in the source gets it in Box by one call, so that its id and links stay.

An id of the source alone proves nothing: it may be given out again after a deletion, twice, or to several names. A
folder has moved when nothing is left where it was and its content is what is known; a file when its date and size, or
its creation, are the same. In any doubt it is sent anew, and that is told.

Folders are followed while the share is walked, before their new name is written down: nothing below them is new then.
Files are followed once the walk has ended, since the old name may be found missing after the new one was found; what
was complete before waits for that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from connectors.box.names import collision_key
from connectors.box.types import Known, Place
from connectors.entry import Entry, EntryKind, moves_as_folder
from connectors.errors import ItemError, NotFound
from connectors.source import Source
from flows.plan.changes import Moves
from flows.plan.model import MigrationPlan
from flows.transfer.deletions import require_place
from flows.transfer.migration import Migration
from flows.transfer.naming import compare_folder
from state.change_records import MovedFile, PlacedFolder
from state.checkpoint import Checkpoint
from state.records import FolderNode, KnownChild
from state.statuses import EventKind, ItemStatus

#: Sources whose ids of files and folders stay when those are renamed.
WITH_IDS = ("file", "smb")

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
        if not found:
            return
        known = self._migration.checkpoint.known_children(folder.id)
        moves = _possible(self._migration, folder, found, known)
        if moves:
            self._carry_out(folder, _named(self._migration, listing, known, moves))

    def _carry_out(self, folder: FolderNode, moves: list[_Move]) -> None:
        """Each once its name is free; in a circle one of them steps aside first."""
        try:
            parent_box_id = self._migration.folders.box_id(folder.id)
        except ItemError as exc:
            for move in moves:
                _tell_copy(self._migration, folder.path, move.row.path, move.entry.path, exc)
            return
        while moves:
            free = next((move for move in moves if _is_free(move, moves, folder)), None)
            move = moves.pop(0) if free is None else free
            if free is not None:
                moves.remove(free)
            aside = f"boxhaul-moving-{move.row.box_id}"
            name, box_name = (aside, aside) if free is None else (move.entry.name, move.box_name)
            row = self._moved(folder, move, name, Place(parent_box_id, box_name))
            if free is None and row is not None:
                moves.append(replace(move, row=row))

    def _moved(self, folder: FolderNode, move: _Move, name: str, place: Place) -> PlacedFolder | None:
        """One call, and one transaction; None when Box refused."""
        migration, row = self._migration, move.row
        known = Known(kind=EntryKind.FOLDER, box_id=row.box_id or "", name=row.box_name, etag=row.box_etag)
        path = f"{folder.path}/{name}".lstrip("/")
        try:
            changed = migration.box.items.move(known, Place(row.parent_box_id or "", row.box_name), place)
        except ItemError as exc:
            _tell_copy(migration, folder.path, row.path, move.entry.path, exc)
            return None
        migration.checkpoint.record_folder_moved(
            row.id,
            parent_id=folder.id,
            name=name,
            path=path,
            box_name=changed.name,
            box_etag=changed.etag,
            worker=migration.worker,
        )
        self._left.append(row.path)
        if path == move.entry.path:
            _tell(migration, EventKind.MOVE_FOLLOWED, folder.path, f"{row.path} is {path}")
        return replace(
            row,
            parent_id=folder.id,
            name=name,
            path=path,
            box_name=changed.name,
            box_etag=changed.etag,
            parent_box_id=place.parent_id,
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


def follow_file_moves(migration: Migration, tree_ids: Sequence[int]) -> None:
    """Once these trees are walked: move in Box the files that moved inside of them. They are read, and sent if they
    differ."""
    left_alone: dict[int, bool] = {}
    for tree_id in tree_ids:
        for move in migration.checkpoint.moved_files(tree_id):
            migration.stop.raise_if_stopped()
            if not _is_one_file(move):
                continue
            if move.old_folder_id not in left_alone:
                left_alone[move.old_folder_id] = _is_left_alone(migration, move.old_folder_id)
            if left_alone[move.old_folder_id]:
                _follow_file(migration, move)


def _is_left_alone(migration: Migration, folder_id: int) -> bool:
    """False when somebody gave a folder that is gone from the source another name or place in Box: with what is in it
    it is theirs. Asks nothing where the folder is still in the source."""
    try:
        for gone in migration.checkpoint.gone_folders_above(folder_id):
            require_place(gone, migration.box.folder_info(gone.box_id))
    except ItemError:
        return False
    return True


def _is_one_file(move: MovedFile) -> bool:
    """Of equal ids: the date and the size are the same, or it was created at the same moment; and it is this plan's."""
    (old, old_created), (new, created) = move.old_seen, move.seen
    same_content = old == new and new.modified_ns is not None
    same_birth = created is not None and created == old_created
    return (same_content or same_birth) and not move.adopted and move.old_parent_box_id is not None


def _follow_file(migration: Migration, move: MovedFile) -> None:
    folder = move.path.rpartition("/")[0]
    known = Known(kind=EntryKind.FILE, box_id=move.box_id, name=move.old_box_name, etag=move.box_etag)
    old = Place(move.old_parent_box_id or "", move.old_box_name)
    try:
        new = Place(migration.folders.box_id(move.folder_id), move.box_name)
        changed = migration.box.items.move(known, old, new)
    except ItemError as exc:
        _tell_copy(migration, folder, move.old_path, move.path, exc)
        return
    migration.checkpoint.record_file_moved(
        move,
        box_name=changed.name,
        box_etag=changed.etag,
        detail=f"moved to {move.path}",
        worker=migration.worker,
    )
    _tell(migration, EventKind.MOVE_FOLLOWED, folder, f"{move.old_path} is {move.path}")


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
                why = "it came from another tree, whose people may be others"
                _tell_copy(migration, folder.path, row.path, entry.path, why)
    return found


def _the_one(rows: Sequence[PlacedFolder], place: tuple[int, str]) -> PlacedFolder | None:
    """The one of these rows that is in Box, unless it is at this place, or another one has the id as well."""
    placed = [row for row in rows if row.box_id is not None]
    if len(placed) != 1 or placed[0].parent_id is None or (placed[0].parent_id, placed[0].name) == place:
        return None
    others = [row for row in rows if row is not placed[0] and row.in_sight]
    return placed[0] if all((row.parent_id, row.name) == place for row in others) else None


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
    """True when the folder holds what is known of it: one entry at least by name and id, and half of all by name."""
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


def _tell(migration: Looks, kind: EventKind, folder: str, words: str) -> None:
    migration.record_event(kind, {"path": folder, "count": 1, "names": [words]})


def _tell_copy(migration: Looks, folder: str, old: str, new: str, why: object) -> None:
    _tell(migration, EventKind.MOVE_NOT_FOLLOWED, folder, f"{old} is {new} ({why})")
