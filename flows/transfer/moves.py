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

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

from connectors.box.types import Changed, Known, Place
from connectors.entry import Entry, EntryKind
from connectors.errors import ChangedInBox, ItemError, NameInUse
from flows.plan.changes import Moves
from flows.plan.model import MigrationPlan
from flows.transfer.migration import Migration
from flows.transfer.moved_folders import (
    ASIDE,
    FolderMove,
    holder_of_the_place,
    is_folder,
    may_move,
    named_moves,
    next_move,
    other_way_round,
    paired,
    possible_moves,
    tell,
    tell_copy,
)
from state.change_records import PlacedFolder
from state.records import FolderNode, KnownChild
from state.statuses import EventKind

#: Sources whose ids of files and folders stay when those are renamed.
WITH_IDS = ("file", "smb")


def follows_moves(plan: MigrationPlan) -> bool:
    """True when the plan says so, and the source has ids that can be trusted."""
    return plan.changes.moves is Moves.FOLLOW and urlsplit(plan.source.url).scheme.lower() in WITH_IDS


class FolderMoves:
    """The folders that moved while one batch of folders was listed. For one thread."""

    def __init__(self, migration: Migration) -> None:
        self._migration = migration
        self._left: list[str] = []
        #: Folders changed places with others; what was read of them before may be outdated.
        self._is_outdated = False

    def has_left(self, folder: FolderNode) -> bool:
        """True for what moved since it was claimed, or a folder above it: its old path shows something else."""
        return any(folder.path == old or folder.path.startswith(f"{old}/") for old in self._left)

    def candidates(self, listings: Iterable[Sequence[Entry]]) -> Mapping[str, list[PlacedFolder]]:
        """Known folders by the ids that these listings name; one query for all of them."""
        ids = [
            entry.file_id
            for listing in listings
            for entry in listing
            if entry.file_id is not None and may_move(entry)
        ]
        migration = self._migration
        return migration.checkpoint.folders_by_source_id(migration.plan_id, ids) if ids else {}

    def follow(
        self, folder: FolderNode, listing: list[Entry], rows: Mapping[str, list[PlacedFolder]]
    ) -> None:
        """Move to this folder in Box what moved to it in the source, and what was renamed in it."""
        rows = self.candidates([listing]) if self._is_outdated else rows
        found = paired(self._migration, folder, listing, rows)
        if not found:
            return
        known = self._finish_aside(self._migration.checkpoint.known_children(folder.id))
        moves = possible_moves(self._migration, folder, found, known)
        if moves:
            self._carry_out(folder, named_moves(self._migration, listing, known, moves))
        for move in (each for each in found if each not in moves):
            if other := other_way_round(self._migration, folder, move, known):
                self._swap(folder, move, other)
            elif holder := holder_of_the_place(self._migration, folder, move, listing, known):
                self._undo(folder, move, holder)

    def _swap(self, folder: FolderNode, here: FolderMove, there: FolderMove) -> None:
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
        self._is_outdated = True

    def _undo(self, folder: FolderNode, move: FolderMove, holder: FolderMove) -> None:
        """A run was ended in a swap, and the share was put right since: what came here in place of the one that stepped
        aside does so in its turn, and is moved from there to where it is listed."""
        place = Place(holder.row.parent_box_id or "", holder.row.box_name)
        aside = self._aside(folder, holder)
        self._is_outdated = True
        if aside is not None and self._moved(folder, move, move.entry.name, place) is None:
            self._moved(folder, aside, holder.row.name, place)

    def _aside(self, folder: FolderNode, move: FolderMove) -> FolderMove | None:
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

    def _carry_out(self, folder: FolderNode, moves: list[FolderMove]) -> None:
        """Each once its name is free; in a circle one of them steps aside first."""
        try:
            parent_box_id = self._migration.folders.box_id(folder.id)
        except ItemError as exc:
            for move in moves:
                tell_copy(self._migration, folder.path, move.row.path, move.entry.path, exc)
            return
        while moves:
            move, steps_aside = next_move(moves, folder)
            moves.remove(move)
            if not steps_aside:
                self._moved(folder, move, move.entry.name, Place(parent_box_id, move.box_name))
            elif (aside := self._aside(folder, move)) is not None:
                moves.append(aside)

    def _moved(self, folder: FolderNode, move: FolderMove, name: str, place: Place) -> PlacedFolder | None:
        """One call, and one transaction; None when Box refused."""
        migration, row, path = self._migration, move.row, _path(folder, name)
        try:
            if row.name.startswith(ASIDE) and row.box_name != row.name != name:
                row = self._finished(row)
            changed = self._in_box_once_it_is_free(row, place)
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
        ids = [source_id for source_id, child in begun.items() if source_id and is_folder(child)]
        rows = migration.checkpoint.folders_by_source_id(migration.plan_id, ids) if ids else {}
        by_id, done = {child.id: child for child in begun.values()}, dict[int, KnownChild]()
        for row in (row for source_id in ids for row in rows[source_id] if row.id == begun[source_id].id):
            with suppress(ItemError):  # its own move is refused as well, and tells why
                row = self._finished(row)
                self._record(row.parent_id or 0, row, row.name, row.path, row.box_name, row.box_etag)
                done[row.id] = replace(by_id[row.id], box_name=row.box_name)
        return [done.get(child.id, child) if is_folder(child) else child for child in known]

    def _finished(self, row: PlacedFolder) -> PlacedFolder:
        """A run was ended while this folder stepped aside: now it has."""
        changed = self._in_box(row, Place(row.parent_box_id or "", row.name))
        return replace(row, box_name=changed.name, box_etag=changed.etag)

    def _in_box_once_it_is_free(self, row: PlacedFolder, place: Place) -> Changed:
        """Of a folder that is aside its place may be taken by the one that it was to change places with: a run was
        ended before it wrote down that Box had moved that one. It is moved back, since the share shows that no more."""
        try:
            return self._in_box(row, place)
        except NameInUse as exc:
            migration = self._migration
            other = migration.checkpoint.folder_in_box(migration.plan_id, exc.box_id or "")
            if other is None or not row.name.startswith(ASIDE) or other.tree_id != row.tree_id:
                raise
            if other.parent_id is None or other.parent_box_id in (None, place.parent_id):
                raise
            back = self._in_box(
                replace(other, parent_box_id=place.parent_id, box_name=place.name),
                Place(other.parent_box_id, other.box_name),
            )
            self._record(other.parent_id, other, other.name, other.path, back.name, back.etag)
            self._is_outdated = True
            return self._in_box(row, place)
        except ChangedInBox:
            if not row.name.startswith(ASIDE):
                raise
            return self._in_box(self._moved_on(row), place)

    def _moved_on(self, row: PlacedFolder) -> PlacedFolder:
        """A folder that is aside by the checkpoint, where Box has it: a run was ended before it wrote down that it went
        on from there, to another folder of its tree. ChangedInBox where that is not so."""
        migration = self._migration
        there = migration.box.folder_info(row.box_id or "")
        parent = migration.checkpoint.folder_in_box(migration.plan_id, there.parent_id or "")
        if parent is None or parent.tree_id != row.tree_id:
            raise ChangedInBox(f"somebody moved or renamed it in Box; it is called {there.name!r} there")
        return replace(row, parent_box_id=there.parent_id, box_name=there.name, box_etag=there.etag)

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


def _path(folder: FolderNode, name: str) -> str:
    return f"{folder.path}/{name}".lstrip("/")
