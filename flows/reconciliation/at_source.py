"""At the source: what the share lists now against what the checkpoint has. Reads no file, writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

from connectors.entry import Entry, EntryKind, moves_as_folder
from connectors.errors import ConnectorError, FatalError, NotFound, Stopped
from connectors.source import Source
from flows.reconciliation.comparison import Comparison
from flows.reconciliation.differences import Difference, DifferenceKind
from flows.transfer.absent import Listings, with_unlisted
from flows.transfer.naming import compare_folder
from state.diff import Change, ChangeKind
from state.records import FolderNode
from state.reports.contents import folder_count, folders_in_box
from state.statuses import ItemStatus

#: Folders that are asked for together, and whose rows are held.
FOLDERS_AT_ONCE = 64

_OUT_OF_SIGHT = (ItemStatus.GONE, ItemStatus.EXCLUDED)


def compare_at_source(
    comparison: Comparison,
    source: Source,
    excluded: Callable[[Entry], str | None],
    *,
    changes: bool,
) -> None:
    """Walk the trees' folders and tell what is missing, new or, with `changes`, changed since it was sent.

    A new folder is one difference, and not walked into. What was touched counts as changed: only reading tells more.
    """
    walk = _Walk(comparison, source, excluded, changes=changes)
    checkpoint = comparison.access.checkpoint
    total = sum(folder_count(checkpoint, tree.id) for tree in comparison.trees)
    comparison.ledger.begin("folders of the share", total)
    folders = chain.from_iterable(folders_in_box(checkpoint, tree.id) for tree in comparison.trees)
    while batch := list(islice(folders, FOLDERS_AT_ONCE)):
        walk.compare(batch)
        comparison.stop.raise_if_stopped()


def compare_top(comparison: Comparison, source: Source, excluded: Callable[[Entry], str | None]) -> None:
    """Where the plan names no trees, tell of each top-level folder, and of loose files, that no run has begun."""
    known = {tree.source for tree in comparison.all_trees}
    for entry in source.list_folder(""):
        of_tree = entry.path if moves_as_folder(entry) else ""
        if of_tree not in known and not entry.is_link and excluded(entry) is None:
            detail = "no run has begun a tree for it"
            kind = DifferenceKind.NEW_AT_SOURCE
            comparison.ledger.add_once(
                Difference(kind=kind, path=entry.path, detail=detail), source_key(entry.path)
            )


class _Walk:
    def __init__(
        self,
        comparison: Comparison,
        source: Source,
        excluded: Callable[[Entry], str | None],
        *,
        changes: bool,
    ) -> None:
        self._comparison, self._source = comparison, source
        self._excluded, self._changes = excluded, changes
        self._listings = Listings(source)
        #: Where the plan names no trees: the files at the top of the share, whose folders are other trees.
        self._files_only = {
            tree.id for tree in comparison.trees if tree.source == "" and not comparison.access.plan.trees
        }

    def compare(self, folders: Sequence[FolderNode]) -> None:
        by_path = {folder.path: folder for folder in folders}
        known = self._comparison.access.checkpoint.known_children_of([folder.id for folder in folders])
        for path, listing in self._source.list_folders(list(by_path)):
            folder = by_path[path]
            if isinstance(listing, Stopped | FatalError):
                raise listing
            if isinstance(listing, ConnectorError):
                self._tell_unlisted(folder, listing)
                continue
            whole = with_unlisted(self._source, path, listing, known[folder.id], self._comparison.stop.is_set)
            found, _ = compare_folder(self._own(folder, whole), known[folder.id], excluded=self._excluded)
            for change in found:
                self._tell(folder, change)
            self._comparison.ledger.compared()

    def _own(self, folder: FolderNode, listing: list[Entry]) -> list[Entry]:
        if folder.tree_id not in self._files_only:
            return listing
        return [entry for entry in listing if not moves_as_folder(entry) or self._excluded(entry) is not None]

    def _tell_unlisted(self, folder: FolderNode, error: ConnectorError) -> None:
        is_root, gone = folder.parent_id is None, isinstance(error, NotFound)
        if gone and not is_root and not self._listings.shows(folder.path):
            return  # the folder above tells it as missing
        missing = gone and is_root
        kind = DifferenceKind.MISSING_AT_SOURCE if missing else DifferenceKind.UNREADABLE_AT_SOURCE
        self._add(kind, folder.path, str(error))

    def _tell(self, folder: FolderNode, change: Change) -> None:
        path = f"{folder.path}/{change.name}".lstrip("/")
        known, entry = change.known, change.entry
        if change.kind is ChangeKind.NEW and entry is not None:
            what = "a folder, not looked into" if entry.kind is EntryKind.FOLDER else f"{entry.size:,} bytes"
            self._add(DifferenceKind.NEW_AT_SOURCE, path, what)
        elif change.kind is ChangeKind.MISSING and known is not None and known.status not in _OUT_OF_SIGHT:
            self._add(DifferenceKind.MISSING_AT_SOURCE, path, "the share does not have it any more")
        elif change.kind is ChangeKind.FAILED:
            self._add(DifferenceKind.UNREADABLE_AT_SOURCE, path, change.detail or "")
        elif change.kind is ChangeKind.CHANGED and self._changes and _is_other(change):
            self._add(DifferenceKind.CHANGED_AT_SOURCE, path, "; ".join(_what_changed(change)))

    def _add(self, kind: DifferenceKind, path: str, detail: str) -> None:
        difference = Difference(kind=kind, path=path, detail=detail)
        self._comparison.ledger.add_once(difference, source_key(path))


def source_key(path: str) -> str:
    """By what one thing of the share is told once."""
    return f"source {path}"


def _is_other(change: Change) -> bool:
    """True for what was sent and looks otherwise now; what is to be sent again anyway is told with its tree."""
    known, entry = change.known, change.entry
    if known is None or entry is None or known.status is not ItemStatus.UPLOADED:
        return False
    return not known.fingerprint.same_content_as(entry.fingerprint)


def _what_changed(change: Change) -> Iterator[str]:
    if change.known is None or change.entry is None:
        return
    was, now = change.known.fingerprint, change.entry.fingerprint
    if was.size != now.size:
        yield f"{was.size:,} bytes were sent, it has {now.size:,}"
    if was.modified_ns != now.modified_ns:
        yield "another modification time"
    elif was.size == now.size:
        yield "touched: another change time or file id"
