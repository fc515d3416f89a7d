"""Simulation: what a pass over a share would do, found by walking and comparing alone. Writes nothing anywhere.

It follows the real pass rule by rule: names, changes and moves are decided by the very functions that a run uses; what
each decision costs is counted under the names that Box's calls have in `status`. What only reading or Box could tell
is taken for the dearer case: a file with another date is sent, and what is in Box is as it was left there.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.entry import Entry, EntryKind, moves_as_folder
from connectors.errors import ConnectorError, FatalError, Stopped
from connectors.source import Source
from flows.foresight.costs import Route, pages_of
from flows.foresight.folder_pass import OUT_OF_SIGHT, FolderPass
from flows.foresight.moved_files import MovedFiles, is_known_elsewhere
from flows.foresight.notes import UNKNOWN, PassNotes, Place, SimulatedTree, Unmade
from flows.foresight.selection import Selection
from flows.plan.changes import Deletions
from flows.plan.model import MigrationPlan
from flows.plan.rules import PlanRules
from flows.run.root_guard import RootGuard
from flows.transfer.absent import with_unlisted
from flows.transfer.emptied import EMPTIED_AT_MOST, Missing, is_mount_point
from flows.transfer.moved_folders import Moved, moved_here
from flows.transfer.moves import follows_moves
from flows.transfer.naming import compare_folder
from flows.transfer.renamed_files import Renamed, renamed_here
from state.checkpoint import Checkpoint
from state.database.scratch import FolderLeft, LeftFile, PassChanges
from state.diff import Change, ChangeKind
from state.records import FolderNode, KnownChild, TreeRecord, TreeSpec
from state.statuses import EventKind

#: Folders listed at a time.
FOLDERS_AT_ONCE = 64

#: What a folder that looks emptied counts as.
EMPTIED_FOLDER = {"failed": 1, "emptied": 1}


class Simulation:
    """One pass that is walked and not carried out. For one thread."""

    def __init__(
        self,
        plan: MigrationPlan,
        source: Source,
        checkpoint: Checkpoint,
        changes: PassChanges,
        plan_id: int | None,
        selection: Selection | None = None,
    ) -> None:
        self.selection = selection or Selection()
        self.plan, self.source, self.checkpoint = plan, source, checkpoint
        self.excluded = PlanRules(plan).reason
        self.trees: list[SimulatedTree] = []
        self.listed = 0
        self._notes = PassNotes(plan, changes, self.selection)
        #: 0: the checkpoint knows nothing of the plan.
        self.plan_id = plan_id or 0
        self._moves = False
        self._guard = RootGuard(checkpoint, source, may_be_empty=plan.source.may_be_empty)
        #: Rows of folders that changed places with one of another parent.
        self._swapped = set[int]()
        #: Folders that look emptied, each with the paths in it that were looked at all the same.
        self._emptied: list[tuple[Place, frozenset[str]]] = []
        #: Set when a run would stop before its first deletion: so many are gone.
        self.too_many_deletions = 0

    def record_event(self, kind: EventKind, detail: Mapping[str, Any]) -> None:
        """Nobody is told of what is only thought through."""

    def walk(self, specs: Sequence[TreeSpec], known: Sequence[TreeRecord], stop: threading.Event) -> None:
        """Walk these trees. Raises FatalError when the share is gone or emptied, Stopped for a stop."""
        records = {(tree.name, tree.source, tree.folder): tree for tree in known}
        whole = not self.plan.trees
        for number, spec in enumerate(specs):
            record = records.get((spec.name, spec.source, spec.folder))
            tree = SimulatedTree(spec, record, whole and spec.source == "", number=number)
            tree.is_not_whole = self.selection.quick is not None and (
                record is None or not self.checkpoint.was_verified(record.id)
            )
            self.trees.append(tree)
        self._moves = follows_moves(self.plan) and any(tree.box_folder_id for tree in known)
        self._walk([_root(tree) for tree in reversed(self.trees)], stop)
        self._judge_emptied(stop)
        self._follow_missing()

    def _walk(self, waiting: list[Place], stop: threading.Event) -> None:
        while waiting:
            if stop.is_set():
                raise Stopped
            batch, waiting = waiting[-FOLDERS_AT_ONCE:], waiting[:-FOLDERS_AT_ONCE]
            rows = self.checkpoint.known_children_of(
                [place.row_id for place in batch if place.row_id != UNKNOWN]
            )
            by_path = {place.path: place for place in batch}
            for path, listing in self.source.list_folders(list(by_path)):
                place = by_path[path]
                if isinstance(listing, ConnectorError):
                    _not_listed(place, listing)
                else:
                    self.listed += 1
                    waiting += self._look(place, listing, rows.get(place.row_id, []), stop)

    def _judge_emptied(self, stop: threading.Event) -> None:
        """Once the walk has seen all, as a pass does: they fail, unless what they held was moved elsewhere."""
        for place, seen in self._emptied:
            try:
                listing = self.source.list_folder(place.path)
            except ConnectorError as exc:
                _not_listed(place, exc)
                continue
            known = self.checkpoint.known_children(place.row_id)
            missing = Missing(with_unlisted(self.source, place.path, listing, known, stop.is_set), known)
            for found in self._notes.changes.new_with(missing.ids):
                missing.see(found)
            if not missing.was_moved:
                place.tree.items.update(EMPTIED_FOLDER)
                continue
            below = self._look(place, listing, known, stop, judged=True)
            self._walk([each for each in below if each.path not in seen], stop)

    def _look(
        self,
        place: Place,
        listing: list[Entry],
        known: list[KnownChild],
        stop: threading.Event,
        *,
        judged: bool = False,
    ) -> list[Place]:
        """Count what a pass would do in this folder, and return those in it that are to be looked at."""
        tree = place.tree
        if tree.record is not None and place.row_id == tree.record.root_folder_id:
            self._guard.root_lists([tree.record], place.path, listing)
        quick = self.selection.quick
        whole = listing
        if quick is None:  # nothing is gone by a quick pass
            whole = with_unlisted(self.source, place.path, listing, known, stop.is_set)
        own = [
            entry
            for entry in whole
            if not tree.files_only or not moves_as_folder(entry) or self.excluded(entry) is not None
        ]
        renamed = renamed_here(self, own, known) if self._moves and quick is None else Renamed(known)
        known = renamed.known
        reads_all = self.selection.reads_all
        changes, renames = compare_folder(own, known, excluded=self.excluded, reads_all=reads_all)
        found = {change.name for change in changes if change.entry is not None}
        changes = changes if quick is None else quick.chosen(changes)
        left = found.difference(change.name for change in changes)
        if quick is not None and self._moves and not tree.is_not_whole:
            known_elsewhere = self._known_elsewhere(tree, own, known)
            quick.leave(len(known_elsewhere - left))
            left |= known_elsewhere
        by_name = {change.name: change for change in changes if change.entry is not None}
        moved = self._moved_here(place, own, known, by_name)
        if not judged and not moved.rows and self._looks_emptied(own, known):
            below = _below_emptied(place, own, known)
            if len(self._emptied) < EMPTIED_AT_MOST:
                self._emptied.append((place, frozenset(each.path for each in below)))
            else:
                tree.items.update(EMPTIED_FOLDER)
            return below
        tree.items["renamed"] += len(renames)
        tree.calls.update({Route.MOVE_FOLDER: moved.calls, Route.MOVE_FILE: renamed.calls})
        folder = FolderPass(self._notes, place, known, by_name, moved.rows, renamed.names, left)
        for entry in own:
            folder.add(entry)
        self._note_missing(place, changes)
        folder.settle()
        return folder.below

    def _known_elsewhere(
        self, tree: SimulatedTree, own: Sequence[Entry], known: Sequence[KnownChild]
    ) -> set[str]:
        """Names of new files that moved here, or are one more name of a file: nothing says which in a quick pass."""
        placed = {child.name for child in known if child.placed}
        new = [entry for entry in own if entry.kind is EntryKind.FILE and entry.name not in placed]
        return {entry.name for entry in new if is_known_elsewhere(self, tree, entry)}

    def _looks_emptied(self, own: Sequence[Entry], known: Sequence[KnownChild]) -> bool:
        """True for what a pass would take for a disk that is not mounted, and fail (emptied.py)."""
        if self.plan.source.may_be_empty or self.selection.quick is not None:
            return False
        there = [
            child
            for child in known
            if child.kind is not EntryKind.FOLDER or not self._notes.changes.is_moved(child.id)
        ]
        below = self.checkpoint.known_children_of
        return is_mount_point(self.source, below, own, there, excluded=self.excluded)

    def _moved_here(
        self, place: Place, own: list[Entry], known: Sequence[KnownChild], by_name: Mapping[str, Change]
    ) -> Moved:
        """The folders that moved to this one; asked only where a folder is new or has another id."""
        if not self._moves or place.tree.record is None:
            return Moved({}, 0)
        if not any(moves_as_folder(entry) and entry.name in by_name for entry in own):
            return Moved({}, 0)
        node = FolderNode(
            id=place.row_id,
            tree_id=place.tree.record.id,
            parent_id=None,
            path=place.path,
            box_name="",
            box_folder_id=None,
        )
        return moved_here(self, node, own, known, self._swapped)

    def _note_missing(self, place: Place, changes: Sequence[Change]) -> None:
        tree = place.tree
        missing = [each.known for each in changes if each.kind is ChangeKind.MISSING and each.known]
        self._notes.changes.add_left(
            FolderLeft(each.id, tree.number, each.placed) for each in missing if each.kind is EntryKind.FOLDER
        )
        tree.gone_files += self._files_missing(tree, place.row_id, missing)

    def _files_missing(self, tree: SimulatedTree, folder_id: int, missing: Sequence[KnownChild]) -> int:
        """Count files that are missing from a folder; return how many of them are in Box."""
        files = [each for each in missing if each.kind is not EntryKind.FOLDER]
        placed = [each for each in files if each.placed]
        tree.items["gone"] += len(files)
        tree.items["gone_in_box"] += len(placed)
        self._notes.changes.add_left_files(
            LeftFile(tree.number, each.fingerprint.file_id, each.id, folder_id, since_earlier=False)
            for each in placed
            if each.fingerprint.file_id is not None
        )
        return len(placed)

    def _follow_missing(self) -> None:
        """Once all is walked: what is below folders that are gone, then what of it moved, then the trash."""
        for left in self._notes.changes.gone():
            tree, pages = self.trees[left.tree], self._gone_below(left)
            if left.placed:
                tree.gone_folders, tree.gone_pages = tree.gone_folders + 1, tree.gone_pages + pages
        if self._moves and self.selection.quick is None:
            MovedFiles(self, self._notes).follow(self.trees)
        for tree in self.trees:
            self._make_folders(tree)
            self._prove_what_was_left(tree)
        self._trash()

    def _make_folders(self, tree: SimulatedTree) -> None:
        """All that Box does not have; those alone that something is sent into where filters leave something out."""
        is_part = tree.left_out > 0
        tree.calls[Route.MAKE_FOLDER] += tree.needed if is_part else tree.unmade
        if not (tree.root_is_needed if is_part else tree.root_is_unmade):
            return
        # Its own, and those above it that no other tree has made.
        names = tree.spec.folder.split("/")
        paths = ["/".join(names[:depth]) for depth in range(1, len(names) + 1)]
        tree.calls[Route.MAKE_FOLDER] += sum(self._notes.made(path) for path in paths)

    def _gone_below(self, left: FolderLeft) -> int:
        """Count what is in a folder that is gone; return the pages of Box's listings of it and all below it."""
        tree, pages = self.trees[left.tree], 0
        waiting = [(left.id, left.placed, 1)]
        while waiting:
            folder_id, placed, above = waiting.pop()
            tree.items["gone"] += 1
            tree.items["gone_in_box"] += placed
            if placed:
                self._notes.changes.add_gone(folder_id, above=above)
            children = [
                child
                for child in self.checkpoint.known_children(folder_id)
                if child.kind is not EntryKind.FOLDER or not self._notes.changes.is_moved(child.id)
            ]
            live = [child for child in children if child.status not in OUT_OF_SIGHT]
            self._files_missing(tree, folder_id, live)
            pages += pages_of(sum(child.placed for child in children)) if placed else 0
            waiting += [
                (child.id, child.placed, above + 1) for child in live if child.kind is EntryKind.FOLDER
            ]
        return pages

    def _prove_what_was_left(self, tree: SimulatedTree) -> None:
        """Folders that an earlier pass put something into and did not compare with Box any more."""
        if tree.record is None or not self._notes.lists_in_box or tree.stays_incomplete:
            return
        for folder in self.checkpoint.folders_to_verify(tree.record.id):
            if not self._notes.changes.is_proven(folder.id):
                placed = sum(child.placed for child in self.checkpoint.known_children(folder.id))
                tree.pages += pages_of(placed)

    def _trash(self) -> None:
        """What goes to the trash, unless something is not in Box by then or more is gone than the plan allows."""
        trashes = self.selection.is_whole and self.plan.changes.deletions is Deletions.TRASH
        if not trashes or any(tree.items["failed"] for tree in self.trees):
            return
        gone = {
            tree.number: self.checkpoint.count_gone(tree.record.id) + tree.items["gone_in_box"]
            for tree in self.trees
            if tree.record is not None
        }
        total = sum(gone.values())
        in_box = total + sum(
            self.trees[number].items[name]
            for number in gone
            for name in ("new", "changed", "moved", "unchanged")
        )
        if total > self.plan.changes.most_deletions(in_box):
            self.too_many_deletions = total
            return
        for number, count in gone.items():
            self._trash_of(self.trees[number])
            self.trees[number].items["trashed"] = count

    def _trash_of(self, tree: SimulatedTree) -> None:
        """Folders go as a whole, once they were looked at; files one by one; what earlier passes left, too."""
        assert tree.record is not None  # noqa: S101  (asked of known trees alone)
        files, folders, pages = tree.gone_files, tree.gone_folders, tree.gone_pages
        for entry in self.checkpoint.gone_at_the_top(tree.record.id):
            if entry.kind is EntryKind.FOLDER:
                folders, pages = folders + 1, pages + self._gone_pages(entry.row_id)
            else:
                files += 1
        tree.calls.update(
            {
                Route.FOLDER: folders,
                Route.LIST: pages,
                Route.TRASH_FOLDER: folders,
                Route.TRASH_FILE: files,
            }
        )

    def _gone_pages(self, folder_id: int) -> int:
        pages, waiting = 0, [folder_id]
        while waiting:
            children = [child for child in self.checkpoint.known_children(waiting.pop()) if child.placed]
            pages += pages_of(len(children))
            waiting += [child.id for child in children if child.kind is EntryKind.FOLDER]
        return pages


def _root(tree: SimulatedTree) -> Place:
    record = tree.record
    if record is None:
        return Place(tree, tree.spec.source, UNKNOWN, placed=False, unmade=Unmade(tree, None, is_root=True))
    placed = record.box_folder_id is not None
    unmade = None if placed else Unmade(tree, None, is_root=True)
    return Place(tree, tree.spec.source, record.root_folder_id, placed=placed, unmade=unmade)


def _not_listed(place: Place, error: ConnectorError) -> None:
    if isinstance(error, FatalError | Stopped):
        raise error
    place.tree.items["failed"] += 1


def _below_emptied(place: Place, own: Sequence[Entry], known: Sequence[KnownChild]) -> list[Place]:
    """Known folders in one that looks emptied: those that are there are looked at all the same."""
    there = {entry.name: entry for entry in own if moves_as_folder(entry)}
    return [
        Place(
            place.tree,
            there[child.name].path,
            child.id,
            placed=child.placed,
            unmade=None if child.placed else Unmade(place.tree, place.unmade),
        )
        for child in known
        if child.kind is EntryKind.FOLDER and child.name in there and child.status not in OUT_OF_SIGHT
    ]
