"""ShareLook: folders of a share compared with the checkpoint: all of them in turns, or those that were told of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import NamedTuple

from connectors.entry import Entry, EntryKind, moves_as_folder
from connectors.errors import ConnectorError, FatalError, ItemError, NotFound
from connectors.source import Source
from flows.foresight.scope import scope_of
from flows.foresight.waiting import Differences, Done, Waiting
from flows.plan.model import MigrationPlan
from flows.plan.rules import PlanRules
from flows.transfer.absent import with_unlisted
from flows.transfer.naming import OUT_OF_SIGHT
from state.checkpoint import Checkpoint
from state.records import KnownChild, TreeRecord

#: Folders listed at a time; differences of one look (P9); changed paths of one folder that are looked at one by one.
FOLDERS_AT_ONCE, DIFFERENCES, ONE_BY_ONE = 64, 10_000, 64


class Folder(NamedTuple):
    """A folder that is known: its tree, its path and its row."""

    tree: TreeRecord
    path: str
    row_id: int


class ShareLook:
    """One look. Asks the source, reads the checkpoint, and writes nothing. For one thread."""

    def __init__(self, plan: MigrationPlan, source: Source, checkpoint: Checkpoint) -> None:
        """PlanError when there is nothing to move; FatalError when the share is gone."""
        self._source, self._checkpoint = source, checkpoint
        scope = scope_of(plan, source, checkpoint)
        self._excluded = PlanRules(scope.plan).reason
        records = {(tree.name, tree.source, tree.folder): tree for tree in scope.known}
        self._trees: list[TreeRecord] = []
        #: Row of a folder → rows of those in it, by their names.
        self._known_folders: dict[int, dict[str, int]] = {}
        #: The tree of the files at the top of the share, whose folders are trees of their own.
        self._loose = 0
        self.differences = Differences()
        for spec in scope.specs:
            tree = records.get((spec.name, spec.source, spec.folder))
            if tree is None or not checkpoint.tree_was_walked(tree.id):
                self.differences.others.append(Waiting(spec.name, None, Done.CREATED, spec.source))
            elif tree.closed_at is None:
                self._trees.append(tree)
                self._loose = tree.id if not scope.plan.trees and tree.source == "" else self._loose
        if not scope.plan.trees:
            there = {spec.source for spec in scope.specs}
            for tree in scope.known:
                if tree.source not in there and tree.closed_at is None and self._was_there(tree):
                    self._look_for(tree)

    def roots(self) -> list[Folder]:
        """The trees' own folders: where a walk begins."""
        return [Folder(tree, tree.source, tree.root_folder_id) for tree in self._trees]

    def walk(self, frontier: list[Folder], is_over: Callable[[], bool]) -> list[Folder]:
        """Compare these folders and all below them until the time is over; return those that are left."""
        while frontier and not is_over() and len(self.differences) < DIFFERENCES:
            batch, frontier = frontier[-FOLDERS_AT_ONCE:], frontier[:-FOLDERS_AT_ONCE]
            rows = self._checkpoint.known_children_of([folder.row_id for folder in batch])
            by_path = {folder.path: folder for folder in batch}
            for path, listing in self._source.list_folders(list(by_path)):
                folder = by_path[path]
                if isinstance(listing, ConnectorError):
                    self._not_listed(folder, listing)
                else:
                    self._compare(folder, listing, rows[folder.row_id])
                    frontier += self._below(folder, listing, rows[folder.row_id])
        return frontier

    def at(self, paths: Collection[str]) -> None:
        """Compare what is under these paths, each in every tree that holds it; what is in a new folder counts as it."""
        for tree in self._trees:
            above = f"{tree.source}/" if tree.source else ""
            if any(tree.source and (path == tree.source or above.startswith(f"{path}/")) for path in paths):
                self._look_for(tree)
            names: dict[Folder, set[str]] = {}
            for path in paths:
                if path.startswith(above):
                    folder, name = self._nearest(tree, path.removeprefix(above).split("/"))
                    names.setdefault(folder, set()).add(name)
            for folder, some in names.items():
                if len(self.differences) < DIFFERENCES:
                    self._at_names(folder, some)

    def _at_names(self, folder: Folder, names: Collection[str]) -> None:
        known = self._checkpoint.known_children(folder.row_id)
        try:
            if len(names) > ONE_BY_ONE:
                self._compare(folder, self._source.list_folder(folder.path), known)
                return
            listing = [entry for name in sorted(names) if (entry := self._entry(folder, name)) is not None]
        except ItemError:
            return  # what cannot be listed is a pass's to judge
        self._compare(folder, listing, [child for child in known if child.name in names], named=True)

    def _entry(self, folder: Folder, name: str) -> Entry | None:
        with suppress(NotFound):
            return self._source.stat(f"{folder.path}/{name}".lstrip("/"))
        return None

    def _compare(
        self, folder: Folder, listing: list[Entry], known: Sequence[KnownChild], *, named: bool = False
    ) -> None:
        if not named:
            listing = with_unlisted(self._source, folder.path, listing, known)
        own = [entry for entry in listing if not self._is_a_tree(folder, entry)]
        self.differences.compare(folder.tree, folder.path, own, known, self._excluded)

    def _is_a_tree(self, folder: Folder, entry: Entry) -> bool:
        return folder.tree.id == self._loose and moves_as_folder(entry) and self._excluded(entry) is None

    def _below(self, folder: Folder, listing: Sequence[Entry], known: Sequence[KnownChild]) -> list[Folder]:
        if folder.tree.id == self._loose:
            return []
        there = {entry.name for entry in listing if moves_as_folder(entry) and self._excluded(entry) is None}
        return [
            Folder(folder.tree, f"{folder.path}/{child.name}".lstrip("/"), child.id)
            for child in known
            if child.kind is EntryKind.FOLDER and child.name in there
        ]

    def _nearest(self, tree: TreeRecord, names: Sequence[str]) -> tuple[Folder, str]:
        """The deepest folder on the way to a path that is known, and the name that follows there."""
        folder = Folder(tree, tree.source, tree.root_folder_id)
        for name in names[:-1]:
            children = self._folders_in(folder.row_id)
            if name not in children:
                return folder, name
            folder = Folder(tree, f"{folder.path}/{name}".lstrip("/"), children[name])
        return folder, names[-1]

    def _folders_in(self, row_id: int) -> dict[str, int]:
        if row_id not in self._known_folders:
            children = self._checkpoint.known_children(row_id)
            self._known_folders[row_id] = {
                child.name: child.id
                for child in children
                if child.kind is EntryKind.FOLDER and child.status not in OUT_OF_SIGHT
            }
        return self._known_folders[row_id]

    def _was_there(self, tree: TreeRecord) -> bool:
        children = self._checkpoint.known_children(tree.root_folder_id)
        return any(child.status not in OUT_OF_SIGHT for child in children)

    def _look_for(self, tree: TreeRecord) -> None:
        try:
            self._source.stat(tree.source)
        except ItemError as exc:
            self._not_listed(Folder(tree, tree.source, tree.root_folder_id), exc)

    def _not_listed(self, folder: Folder, error: ConnectorError) -> None:
        if isinstance(error, FatalError):
            raise error
        if isinstance(error, NotFound) and folder.row_id == folder.tree.root_folder_id:
            gone = Waiting(folder.tree.name, folder.tree.id, Done.DELETED, folder.path)
            self.differences.others.append(gone)
