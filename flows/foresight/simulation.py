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
from flows.foresight.moved_files import MovedFiles, known_elsewhere
from flows.foresight.notes import UNKNOWN, PassNotes, Place, SimulatedTree, Unmade
from flows.foresight.selection import Selection
from flows.foresight.trashing import Foreseen, foresee_deletions
from flows.plan.changes import Deletions
from flows.plan.model import MigrationPlan
from flows.plan.rules import PlanRules
from flows.run.root_guard import RootGuard
from flows.transfer.absent import with_unlisted
from flows.transfer.elsewhere import Other, trees_away
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
        #: Trees of the plan that this pass does not walk.
        self._others: list[Other] = []
        #: What becomes of what is gone.
        self.deletions = Foreseen()

    def record_event(self, kind: EventKind, detail: Mapping[str, Any]) -> None:
        """Nobody is told of what is only thought through."""

    def walk(
        self,
        specs: Sequence[TreeSpec],
        known: Sequence[TreeRecord],
        stop: threading.Event,
        *,
        others: Sequence[TreeSpec] = (),
    ) -> None:
        """Walk these trees; `others`: those of the plan that are not walked. Raises FatalError when the share is gone
        or emptied, Stopped for a stop."""
        records = {(tree.name, tree.source, tree.folder): tree for tree in known}
        self._others = self._not_walked(specs, others, records)
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
        self._follow_missing(stop)

    def _not_walked(
        self,
        specs: Sequence[TreeSpec],
        others: Sequence[TreeSpec],
        records: Mapping[tuple[str, str, str], TreeRecord],
    ) -> list[Other]:
        """The others of the plan, and those that are away."""
        places = [[(spec.name, spec.source, spec.folder) for spec in each] for each in (specs, others)]
        there = {records[place].id for place in (*places[0], *places[1]) if place in records}
        found = [
            Other(
                name,
                source,
                records[name, source, folder].root_folder_id if (name, source, folder) in records else None,
            )
            for name, source, folder in places[1]
        ]
        return found + [
            Other(tree.name, tree.source, tree.root_folder_id) for tree in trees_away(self, there)
        ]

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
                _fail_emptied(place)
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
                _fail_emptied(place)
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
        return known_elsewhere(self, tree, new)

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
        )
        return len(placed)

    def _follow_missing(self, stop: threading.Event) -> None:
        """Once all is walked: what is below folders that are gone, then what of it moved, then the trash."""
        for left in self._notes.changes.gone():
            self._count_gone_below(left)
        if self._moves and self.selection.quick is None:
            MovedFiles(self, self._notes).follow(self.trees)
        for tree in self.trees:
            self._make_folders(tree)
            self._prove_what_was_left(tree)
        if self.selection.is_whole and self.plan.changes.deletions is Deletions.TRASH:
            self.deletions = foresee_deletions(
                self, self._notes.changes, self.trees, self._others, is_stopped=stop.is_set
            )

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

    def _count_gone_below(self, left: FolderLeft) -> None:
        """Count what is in a folder that is gone."""
        tree = self.trees[left.tree]
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
            waiting += [
                (child.id, child.placed, above + 1) for child in live if child.kind is EntryKind.FOLDER
            ]

    def _prove_what_was_left(self, tree: SimulatedTree) -> None:
        """Folders that an earlier pass put something into and did not compare with Box any more."""
        if tree.record is None or not self._notes.lists_in_box or tree.stays_incomplete:
            return
        for folder in self.checkpoint.folders_to_verify(tree.record.id):
            changes = self._notes.changes
            if not changes.is_proven(folder.id) and not changes.gone_above(folder.id):
                placed = sum(child.placed for child in self.checkpoint.known_children(folder.id))
                tree.pages += pages_of(placed)


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
    place.tree.is_unlisted = True


def _fail_emptied(place: Place) -> None:
    place.tree.items.update(EMPTIED_FOLDER)
    place.tree.is_unlisted = True


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
