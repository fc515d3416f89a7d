"""Simulation: what a pass over a share would do, found by walking and comparing alone. Writes nothing anywhere.

It follows the real pass rule by rule: names, changes and moves are decided by the very functions that a run uses; what
each decision costs is counted under the names that Box's calls have in `status`. What only reading or Box could tell
is taken for the dearer case: a file with another date is sent, and what is in Box is as it was left there.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from connectors.box.names import path_key
from connectors.box.tiers import LIMITS
from connectors.box.upload.part_sizes import parts_of
from connectors.box.values import box_date
from connectors.entry import Entry, EntryKind, moves_as_folder
from connectors.errors import ConnectorError, FatalError, Stopped
from connectors.source import Source
from flows.foresight.costs import Route
from flows.plan.changes import Deletions
from flows.plan.model import MigrationPlan
from flows.plan.rules import PlanRules
from flows.plan.transfer import Verification
from flows.transfer.absent import with_unlisted
from flows.transfer.moves import follows_moves, moved_here
from flows.transfer.naming import compare_folder
from state.change_records import PlacedFolder
from state.checkpoint import Checkpoint
from state.database.scratch import FolderLeft, PassChanges, SeenFile
from state.diff import Change, ChangeKind
from state.records import FolderNode, KnownChild, TreeRecord, TreeSpec
from state.statuses import EventKind, ItemStatus

FOLDERS_AT_ONCE = 64
#: Entries of one page of Box's listings.
PAGE = 1_000
#: The id of a folder that the checkpoint does not know.
UNKNOWN = -1

_OUT_OF_SIGHT = (ItemStatus.GONE, ItemStatus.EXCLUDED)


@dataclass
class SimulatedTree:
    """What a pass would do in one tree."""

    spec: TreeSpec
    #: As the checkpoint knows it; None: not yet.
    record: TreeRecord | None
    #: It is the files at the top of the share, whose folders are trees of their own.
    files_only: bool
    #: Entries by what becomes of them: new, changed, moved, unchanged, excluded, failed, …
    items: Counter[str] = field(default_factory=Counter)
    #: Calls by route, but for listings.
    calls: Counter[str] = field(default_factory=Counter)
    #: Pages of Box's listings by which the tree is proven.
    pages: int = 0
    #: Bytes that are sent.
    bytes: int = 0
    #: Files that are sent.
    sent: int = 0
    #: A folder of it could not be listed.
    unlisted: bool = False
    #: Its place among the trees of this pass.
    number: int = 0
    #: Of what is gone by this pass and in Box: files whose folder is still there; folders, and Box's pages of them.
    gone_files: int = 0
    gone_folders: int = 0
    gone_pages: int = 0


class Place(NamedTuple):
    """A folder that is to be looked at."""

    tree: SimulatedTree
    path: str
    #: Its row; UNKNOWN where the checkpoint has none.
    row_id: int
    #: Box has it.
    placed: bool
    #: It comes back into sight, so that Box's listing of it is compared again.
    comes_back: bool = False


class Simulation:
    """One pass that is walked and not carried out. For one thread."""

    def __init__(
        self,
        plan: MigrationPlan,
        source: Source,
        checkpoint: Checkpoint,
        changes: PassChanges,
        plan_id: int | None,
    ) -> None:
        self.plan, self.source, self.checkpoint = plan, source, checkpoint
        self.excluded = PlanRules(plan).reason
        self.largest_file = LIMITS[plan.box.tier].largest_file
        self.trees: list[SimulatedTree] = []
        self.listed = 0
        self._changes = changes
        self._plan_id = plan_id
        self._moves = False
        self._made: set[tuple[str, ...]] = set()
        #: Set when a run would stop before its first deletion: so many are gone.
        self.too_many_deletions = 0

    def record_event(self, kind: EventKind, detail: Mapping[str, Any]) -> None:
        """Nobody is told of what is only thought through."""

    def walk(self, specs: Sequence[TreeSpec], known: Sequence[TreeRecord], stop: threading.Event) -> None:
        """Walk these trees. Raises FatalError when the share is gone, Stopped when somebody says stop."""
        records = {(tree.name, tree.source, tree.folder): tree for tree in known}
        whole = not self.plan.trees
        for number, spec in enumerate(specs):
            record = records.get((spec.name, spec.source, spec.folder))
            self.trees.append(SimulatedTree(spec, record, whole and spec.source == "", number=number))
        self._moves = follows_moves(self.plan) and any(tree.box_folder_id for tree in known)
        waiting = [_root(tree) for tree in reversed(self.trees)]
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
                    waiting += self._look(place, listing, rows.get(place.row_id, []), stop)
        self._follow_missing()

    def _look(
        self, place: Place, listing: list[Entry], known: list[KnownChild], stop: threading.Event
    ) -> list[Place]:
        """Count what a pass would do in this folder, and return those in it that are to be looked at."""
        self.listed += 1
        tree = place.tree
        whole = with_unlisted(self.source, place.path, listing, known, stop.is_set)
        own = [
            entry
            for entry in whole
            if not tree.files_only or not moves_as_folder(entry) or self.excluded(entry) is not None
        ]
        changes, renames = compare_folder(own, known, excluded=self.excluded)
        tree.items["renamed"] += len(renames)
        by_name = {change.name: change for change in changes if change.entry is not None}
        moved = self._moved_here(place, own, known, by_name)
        folder = _Folder(self, place, known, by_name, moved)
        for entry in own:
            folder.add(entry)
        self._note_missing(place, changes)
        folder.settle()
        return folder.below

    def _moved_here(
        self, place: Place, own: list[Entry], known: Sequence[KnownChild], by_name: Mapping[str, Change]
    ) -> dict[str, PlacedFolder]:
        """The folders that moved to this one, by name; asked only where a folder is new or has another id."""
        if not self._moves or self._plan_id is None or place.tree.record is None:
            return {}
        if not any(moves_as_folder(entry) and entry.name in by_name for entry in own):
            return {}
        node = FolderNode(
            id=place.row_id,
            tree_id=place.tree.record.id,
            parent_id=None,
            path=place.path,
            box_name="",
            box_folder_id=None,
        )
        return moved_here(self, node, own, known, plan_id=self._plan_id)

    def note_moved(self, row: PlacedFolder) -> None:
        """This folder is somewhere else now, and not missing where it was."""
        self._changes.add_moved(row.id)

    def note_new(self, tree: SimulatedTree, files: Sequence[Entry]) -> None:
        """These files are new where they are, and may have been somewhere else."""
        self._changes.add_new(
            SeenFile(tree.number, each.file_id, each.size, each.modified_ns, None)
            for each in files
            if each.file_id is not None and each.modified_ns is not None
        )

    def note_proven(self, folder_id: int) -> None:
        """Box's listing of this folder is counted."""
        self._changes.add_proven(folder_id)

    def made(self, folder: str) -> bool:
        """True for the first one who asks: this path under the landing folder is to be made."""
        key = path_key(folder)
        if key in self._made:
            return False
        self._made.add(key)
        return True

    def _note_missing(self, place: Place, changes: Sequence[Change]) -> None:
        tree = place.tree
        missing = [each.known for each in changes if each.kind is ChangeKind.MISSING and each.known]
        self._changes.add_left(
            FolderLeft(each.id, tree.number, each.placed) for each in missing if each.kind is EntryKind.FOLDER
        )
        tree.gone_files += self._files_missing(tree, place.row_id, missing)

    def _files_missing(self, tree: SimulatedTree, folder_id: int, missing: Sequence[KnownChild]) -> int:
        """Count files that are missing from a folder; return how many of them are in Box."""
        files = [each for each in missing if each.kind is not EntryKind.FOLDER]
        placed = [each for each in files if each.placed]
        tree.items["gone"] += len(files)
        tree.items["gone_in_box"] += len(placed)
        seen = [
            (each.fingerprint.file_id, each.fingerprint.size, each.fingerprint.modified_ns) for each in placed
        ]
        self._changes.add_missing(
            SeenFile(tree.number, file_id, size, modified_ns, folder_id)
            for file_id, size, modified_ns in seen
            if file_id is not None and modified_ns is not None
        )
        return len(placed)

    def _follow_missing(self) -> None:
        """Once all is walked: what is below folders that are gone, then what of it moved, then the trash."""
        for left in self._changes.gone():
            tree, pages = self.trees[left.tree], self._gone_below(left)
            if left.placed:
                tree.gone_folders, tree.gone_pages = tree.gone_folders + 1, tree.gone_pages + pages
        if self._moves:
            self._follow_moved_files()
        for tree in self.trees:
            self._prove_what_was_left(tree)
        self._trash()

    def _follow_moved_files(self) -> None:
        proven = self.checkpoint.proven_trees(self._plan_id) if self._plan_id is not None else set()
        looked_at = set[int | None]()
        for file in self._changes.moved_files():
            tree = self.trees[file.tree]
            if tree.record is None or tree.record.id not in proven:
                continue  # until it was complete once, its files are sent while the walk still goes on
            above = self._changes.gone_above(file.folder_id)
            tree.calls.subtract(sending_calls(file.size, self.plan, is_version=False))
            tree.bytes, tree.sent = tree.bytes - file.size, tree.sent - 1
            tree.items.update({"new": -1, "gone": -1, "gone_in_box": -1, "moved": 1})
            tree.gone_files -= not above
            tree.calls[Route.MOVE_FILE] += 1
            if file.folder_id not in looked_at:
                looked_at.add(file.folder_id)
                tree.calls[Route.FOLDER] += above

    def _gone_below(self, left: FolderLeft) -> int:
        """Count what is in a folder that is gone; return the pages of Box's listings of it and all below it."""
        tree, pages = self.trees[left.tree], 0
        waiting = [(left.id, left.placed, 1)]
        while waiting:
            folder_id, placed, above = waiting.pop()
            tree.items["gone"] += 1
            tree.items["gone_in_box"] += placed
            if placed:
                self._changes.add_gone(folder_id, above=above)
            children = [
                child
                for child in self.checkpoint.known_children(folder_id)
                if child.kind is not EntryKind.FOLDER or not self._changes.is_moved(child.id)
            ]
            live = [child for child in children if child.status not in _OUT_OF_SIGHT]
            self._files_missing(tree, folder_id, live)
            pages += _pages(sum(child.placed for child in children)) if placed else 0
            waiting += [
                (child.id, child.placed, above + 1) for child in live if child.kind is EntryKind.FOLDER
            ]
        return pages

    def _prove_what_was_left(self, tree: SimulatedTree) -> None:
        """Folders that an earlier pass put something into and did not compare with Box any more."""
        if tree.record is None or not self.lists_in_box or tree.items["failed"]:
            return
        for folder in self.checkpoint.folders_to_verify(tree.record.id):
            if not self._changes.is_proven(folder.id):
                placed = sum(child.placed for child in self.checkpoint.known_children(folder.id))
                tree.pages += _pages(placed)

    @property
    def lists_in_box(self) -> bool:
        """Box's listings are what proves a tree."""
        return self.plan.transfer.verify is Verification.LISTING

    def _trash(self) -> None:
        """What goes to the trash, unless something is not in Box by then or more is gone than the plan allows."""
        if self.plan.changes.deletions is not Deletions.TRASH or any(t.items["failed"] for t in self.trees):
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
            pages += _pages(len(children))
            waiting += [child.id for child in children if child.kind is EntryKind.FOLDER]
        return pages


class _Folder:
    """One folder while its entries are gone through."""

    def __init__(
        self,
        simulation: Simulation,
        place: Place,
        known: Sequence[KnownChild],
        changes: Mapping[str, Change],
        moved: Mapping[str, PlacedFolder],
    ) -> None:
        self._simulation, self._place, self._tree = simulation, place, place.tree
        self._rows = {(child.name, child.kind is EntryKind.FOLDER): child for child in known}
        self._changes, self._moved = changes, moved
        self._new: list[Entry] = []
        #: Something is put into it, so that Box's listing of it is compared.
        self._is_filled = False
        #: What lies in it in Box before anything is trashed.
        self._in_box = sum(child.placed for child in known)
        self.below: list[Place] = []

    def add(self, entry: Entry) -> None:
        """Decide what becomes of one entry."""
        change = self._changes.get(entry.name)
        row = change.known if change is not None else self._row_of(entry)
        kind = change.kind if change is not None else ChangeKind.UNCHANGED
        is_plain = entry.fault is None and entry.kind in (EntryKind.FILE, EntryKind.FOLDER)
        if kind is ChangeKind.EXCLUDED or (kind is ChangeKind.UNCHANGED and _has(row, ItemStatus.EXCLUDED)):
            self._tree.items["excluded"] += 1
        elif kind is ChangeKind.FAILED or (not is_plain and entry.kind is not EntryKind.FOLDER):
            self._tree.items["waived" if _has(row, ItemStatus.WAIVED) else "failed"] += 1
        elif entry.kind is EntryKind.FOLDER:
            self._add_folder(entry, row)
        else:
            self._add_file(entry, row, kind)

    def _row_of(self, entry: Entry) -> KnownChild | None:
        return self._rows.get((entry.name, entry.may_be_folder)) or self._rows.get((entry.name, False))

    def _add_folder(self, entry: Entry, row: KnownChild | None) -> None:
        placed = row is not None and row.placed
        moved = self._moved.get(entry.name)
        self._in_box += not placed
        if moved is not None:
            self._simulation.note_moved(moved)
            self._tree.items["moved"] += 1
            self._tree.calls[Route.MOVE_FOLDER] += 1
            self._is_filled = True
            self.below.append(Place(self._tree, entry.path, moved.id, placed=True))
            return
        comes_back = row is not None and placed and row.status in _OUT_OF_SIGHT
        self._is_filled |= not placed or comes_back
        self._tree.items["unchanged" if placed else "new"] += 1
        row_id = row.id if row is not None else UNKNOWN
        self.below.append(Place(self._tree, entry.path, row_id, placed=placed, comes_back=comes_back))

    def _add_file(self, entry: Entry, row: KnownChild | None, kind: ChangeKind) -> None:
        if kind is ChangeKind.UNCHANGED and _has(row, ItemStatus.WAIVED):
            self._tree.items["waived"] += 1
            return
        placed = row is not None and row.placed
        if row is not None and placed and _is_known_content(entry, row, kind):
            # Out of sight it was compared with nothing.
            self._is_filled |= row.status in _OUT_OF_SIGHT
            self._tree.items["unchanged"] += 1
            return
        self._in_box += not placed
        self._is_filled = True
        self._tree.items["changed" if placed else "new"] += 1
        self._tree.items["too_large"] += entry.size > self._simulation.largest_file
        self._tree.bytes += entry.size
        self._tree.sent += 1
        self._tree.calls.update(sending_calls(entry.size, self._simulation.plan, is_version=placed))
        if not placed:
            self._new.append(entry)

    def settle(self) -> None:
        """Count the folder itself, and Box's listing of it."""
        place, simulation = self._place, self._simulation
        simulation.note_new(self._tree, self._new)
        is_needed = not self._tree.files_only or self._tree.sent > 0 or place.placed
        if not is_needed:
            return
        if not place.placed:
            self._tree.calls[Route.MAKE_FOLDER] += self._made()
        if simulation.lists_in_box and (self._is_filled or not place.placed or place.comes_back):
            self._tree.pages += _pages(self._in_box)
            if place.row_id != UNKNOWN:
                simulation.note_proven(place.row_id)

    def _made(self) -> int:
        """How many folders are made: this one, and those above a tree's own that no other tree has made."""
        spec = self._tree.spec
        if self._place.path != spec.source:
            return 1
        names = spec.folder.split("/")
        paths = ["/".join(names[:depth]) for depth in range(1, len(names) + 1)]
        return sum(self._simulation.made(path) for path in paths)


def sending_calls(size: int, plan: MigrationPlan, *, is_version: bool) -> dict[str, int]:
    """Return the calls by which a file of so many bytes is sent, as new or over what Box has of it."""
    if size < plan.box.direct_upload_limit_bytes:
        return {Route.VERSION if is_version else Route.FILE: 1}
    parts = parts_of(size)
    calls: dict[str, int] = {Route.PART: parts, Route.COMMIT: 1}
    if is_version:
        return calls | {Route.LOOK_AT_FILE: 1, Route.SESSION_OF_VERSION: 1, Route.PLAN_PART: parts}
    return calls | {Route.SESSION: 1}


def _root(tree: SimulatedTree) -> Place:
    record = tree.record
    if record is None:
        return Place(tree, tree.spec.source, UNKNOWN, placed=False)
    return Place(tree, tree.spec.source, record.root_folder_id, placed=record.box_folder_id is not None)


def _not_listed(place: Place, error: ConnectorError) -> None:
    if isinstance(error, FatalError | Stopped):
        raise error
    place.tree.items["failed"] += 1
    place.tree.unlisted = True


def _has(row: KnownChild | None, status: ItemStatus) -> bool:
    return row is not None and row.status is status


def _is_known_content(entry: Entry, row: KnownChild, kind: ChangeKind) -> bool:
    """True for what Box has already: as it is listed, or read again and found the same, or back as it was."""
    if kind is ChangeKind.UNCHANGED:
        return row.status is ItemStatus.UPLOADED
    if row.status in _OUT_OF_SIGHT:
        return row.in_box and row.fingerprint.same_content_as(entry.fingerprint)
    if not row.in_box or entry.size != row.fingerprint.size:
        return False
    dates = (entry.modified_ns, row.fingerprint.modified_ns)
    return None not in dates and len({box_date(each) for each in dates if each is not None}) == 1


def _pages(entries: int) -> int:
    return max(1, -(-entries // PAGE))
