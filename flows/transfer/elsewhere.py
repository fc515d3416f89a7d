"""Elsewhere: what is gone from one tree may be in another that this run did not walk, and is in Box nowhere else then.

Such a tree was not chosen, is closed, could not be walked whole, or is away. It is listed here, and nothing of it is
written down: what it holds and Box has not yet is compared with what is gone. An equal id, an equal name, or an equal
size and date is enough to hold an entry back, and what has no id may be anything. Once a pass of that tree has sent it,
nothing holds the old one back any more. A file that somebody waived is held back by the same signs: Box has it nowhere
else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from connectors.entry import Entry, EntryKind, Fingerprint, moves_as_folder
from connectors.errors import ConnectorError, FatalError, NotFound, Stopped
from flows.transfer.absent import with_unlisted
from flows.transfer.emptied import looks_emptied
from flows.transfer.migration import Migration
from state.change_records import GoneEntry
from state.records import KnownChild, TreeRecord
from state.statuses import IncompleteReason, ItemStatus, TreeState

#: So many files that are gone are compared one by one; of more, all are held back.
COMPARED_AT_MOST = 100_000

#: Folders listed at a time.
FOLDERS_AT_ONCE = 64

#: A folder of the share, and its row; None: the checkpoint does not know it.
_Place = tuple[str, int | None]


@dataclass
class HeldBack:
    """What of the files that are gone stays in Box for now."""

    #: Why nothing at all goes to the trash; None: only these stay.
    everything: str | None = None
    #: Ids of rows, with the path of what each may be.
    files: dict[int, str] = field(default_factory=dict)
    #: Folders that are gone and hold one of those files, at whatever depth.
    folders: set[int] = field(default_factory=set)


def held_back(migration: Migration, trees: Sequence[TreeRecord]) -> HeldBack:
    """Look for the files that are gone from these trees, which were walked whole, in the other trees of the plan.

    Lists those, and asks Box nothing. Raises FatalError, and Stopped.
    """
    others = _others(migration, trees)
    waived = migration.checkpoint.waived_files
    if not others and next(waived(migration.plan_id), None) is None:
        return HeldBack()
    gone = _Gone()
    for tree in trees:
        for entry in migration.checkpoint.gone_files(tree.id):
            if len(gone.folder_of) >= COMPARED_AT_MOST:
                return HeldBack(
                    f"more than {COMPARED_AT_MOST:,} files are gone, too many to look for each of them"
                )
            gone.add(entry)
    for path, seen in waived(migration.plan_id) if gone.folder_of else ():
        gone.compare(path, seen)
    for tree in others:
        if gone.are_all_held:
            break  # nothing is about to be deleted
        if (everything := _look_through(migration, tree, gone)) is not None:
            return HeldBack(everything)
    folders = {gone.folder_of[row_id] for row_id in gone.held}
    above = (folder for each in folders for folder in migration.checkpoint.gone_folders_above(each))
    return HeldBack(files=gone.held, folders={folder.row_id for folder in above})


class _Gone:
    """Files that are gone, by what tells them again."""

    def __init__(self) -> None:
        self.folder_of: dict[int, int] = {}
        self.held: dict[int, str] = {}
        self._rows: dict[object, list[int]] = {}

    @property
    def are_all_held(self) -> bool:
        """True when no other file can change what becomes of them."""
        return len(self.held) == len(self.folder_of)

    def add(self, entry: GoneEntry) -> None:
        """One more that is gone."""
        self.folder_of[entry.row_id] = entry.folder_id
        for sign in _signs(entry.path, entry.seen):
            self._rows.setdefault(sign, []).append(entry.row_id)

    def compare(self, path: str, seen: Fingerprint) -> None:
        """Hold back what this file may be."""
        for sign in _signs(path, seen):
            for row_id in self._rows.get(sign, ()):
                self.held.setdefault(row_id, path)


def _signs(path: str, seen: Fingerprint | None) -> Iterator[object]:
    yield path.rpartition("/")[2].casefold()
    if seen is None:
        return
    if _has_id(seen.file_id):
        yield "id", seen.file_id
    if seen.modified_ns is not None:
        yield seen.size, seen.modified_ns


def _has_id(file_id: str | None) -> bool:
    """True for an id that a file keeps; those of some stores name the content."""
    return file_id not in (None, "0") and not str(file_id).startswith("etag:")


def _others(migration: Migration, trees: Sequence[TreeRecord]) -> list[TreeRecord]:
    """Trees of the plan that are not among these, or that were begun and are away."""
    walked = {tree.id for tree in trees}
    of_plan = {tree.id: tree for tree in (*migration.trees, *migration.not_chosen)}
    others = [tree for tree in of_plan.values() if tree.id not in walked]
    if migration.plan.trees:
        return others
    return others + [
        tree
        for tree in migration.checkpoint.trees(migration.plan_id)
        if tree.id not in of_plan
        and tree.state is not TreeState.COMPLETE
        and tree.incomplete_reason is not IncompleteReason.NOT_BEGUN
        and migration.excluded(Entry(path=tree.source, kind=EntryKind.FOLDER)) is None
    ]


def _look_through(migration: Migration, tree: TreeRecord, gone: _Gone) -> str | None:
    """Compare with what this tree holds and Box has not; return why anything may be in it."""
    waiting: list[_Place] = [(tree.source, tree.root_folder_id)]
    whole = bool(migration.plan.trees) or tree.source != ""
    while waiting and not gone.are_all_held:
        batch, waiting = waiting[-FOLDERS_AT_ONCE:], waiting[:-FOLDERS_AT_ONCE]
        rows = dict(batch)
        known = migration.checkpoint.known_children_of([row for row in rows.values() if row is not None])
        for path, listing in migration.source.list_folders(list(rows)):
            migration.stop.raise_if_stopped()
            if isinstance(listing, FatalError | Stopped):
                raise listing
            if isinstance(listing, NotFound) and rows[path] is None:
                continue  # it was there a moment ago; what was in it is looked for by the next run
            if isinstance(listing, ConnectorError):
                return f"{tree.name} cannot be looked through: {listing}"
            children = known.get(rows[path] or 0, [])
            found = _not_in_box(migration, path, listing, children)
            if isinstance(found, str):
                return found
            for entry, child in found:
                if moves_as_folder(entry):
                    waiting += [(entry.path, None if child is None else child.id)] if whole else []
                elif not _has_id(entry.file_id):
                    return f"{entry.path} is not in Box yet, and may be any of them"
                else:
                    gone.compare(entry.path, entry.fingerprint)
    return None


def _not_in_box(
    migration: Migration, path: str, listing: list[Entry], known: list[KnownChild]
) -> list[tuple[Entry, KnownChild | None]] | str:
    """Folders, and files that Box has not as they are; or why anything may be in this folder."""
    listing = with_unlisted(migration.source, path, listing, known, migration.stop.is_set)
    if looks_emptied(migration, listing, known):
        return f"{path} lists nothing of what it had before"
    rows = {(child.name, child.kind is EntryKind.FOLDER): child for child in known}
    found: list[tuple[Entry, KnownChild | None]] = []
    for entry in listing:
        if entry.is_link or migration.excluded(entry) is not None:
            continue
        child = rows.get((entry.name, entry.kind is EntryKind.FOLDER))
        if entry.fault is not None:
            return f"{entry.path} cannot be looked at: {entry.fault.detail}"
        if moves_as_folder(entry) or not _is_settled(entry, child):
            found.append((entry, child))
    return found


def _is_settled(entry: Entry, child: KnownChild | None) -> bool:
    """Box has it as it is; or a person waived it, which was compared already."""
    if child is None or child.status not in (ItemStatus.UPLOADED, ItemStatus.WAIVED):
        return False
    return child.fingerprint.same_content_as(entry.fingerprint)
