"""Elsewhere: what is gone from one tree may be in another that this run did not walk, and is in Box nowhere else then.

Such a tree was not chosen, is closed, could not be walked whole, or is away. It is listed here, and nothing of it is
written down: what it holds and Box has not yet is compared with what is gone. An equal id, an equal name, or an equal
size and date is enough to hold an entry back, and what has no id may be anything. Once a pass of that tree has sent it,
nothing holds the old one back any more. A file that somebody waived is held back by the same signs: Box has it nowhere
else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.entry import Entry, EntryKind, Fingerprint, moves_as_folder
from connectors.errors import ConnectorError, FatalError, NotFound, Stopped
from flows.transfer.absent import with_unlisted
from flows.transfer.emptied import is_mount_point
from flows.transfer.migration import Migration
from flows.transfer.moved_folders import Looks
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


class GoneFile(NamedTuple):
    """A file that is gone from a tree and that Box has."""

    row_id: int
    folder_id: int
    #: Where it was.
    path: str
    #: As the source had it when it was seen last.
    seen: Fingerprint | None


class Other(NamedTuple):
    """A tree of the plan that was not walked whole."""

    name: str
    source: str
    #: The row of its own folder; None: the checkpoint does not know it.
    row_id: int | None


def held_back(migration: Migration, trees: Sequence[TreeRecord]) -> HeldBack:
    """Look for the files that are gone from these trees, which were walked whole, in the other trees of the plan.

    Lists those, and asks Box nothing. Raises FatalError, and Stopped.
    """
    checkpoint, walked = migration.checkpoint, {tree.id for tree in trees}
    of_plan = {tree.id: tree for tree in (*migration.trees, *migration.not_chosen)}
    away = trees_away(migration, of_plan)
    others = [
        Other(tree.name, tree.source, tree.root_folder_id)
        for tree in (*of_plan.values(), *away)
        if tree.id not in walked
    ]
    gone = (
        GoneFile(entry.row_id, entry.folder_id, entry.path, entry.seen)
        for tree in trees
        for entry in checkpoint.gone_files(tree.id)
    )

    def gone_above(folder_id: int) -> list[int]:
        return [folder.row_id for folder in checkpoint.gone_folders_above(folder_id)]

    return hold_back(migration, others, gone, gone_above, is_stopped=migration.stop.is_set)


def trees_away(looks: Looks, there: Collection[int]) -> list[TreeRecord]:
    """The trees that were begun and are away, of a plan that names none; `there`: ids of those that the share has."""
    if looks.plan.trees:
        return []
    return [
        tree
        for tree in looks.checkpoint.trees(looks.plan_id)
        if tree.id not in there
        and tree.state is not TreeState.COMPLETE
        and tree.incomplete_reason is not IncompleteReason.NOT_BEGUN
        and looks.excluded(Entry(path=tree.source, kind=EntryKind.FOLDER)) is None
    ]


def hold_back(
    looks: Looks,
    others: Sequence[Other],
    gone_files: Iterable[GoneFile],
    gone_above: Callable[[int], Iterable[int]],
    *,
    is_stopped: Callable[[], bool],
) -> HeldBack:
    """Look for these files in these trees, as a run does, and as one that is only simulated does.

    `gone_above`: the folders that are gone from one upwards, as far as each is.
    """
    waived = looks.checkpoint.waived_files
    if not others and next(waived(looks.plan_id), None) is None:
        return HeldBack()
    gone = _Gone()
    for file in gone_files:
        if len(gone.folder_of) >= COMPARED_AT_MOST:
            return HeldBack(
                f"more than {COMPARED_AT_MOST:,} files are gone, too many to look for each of them"
            )
        gone.add(file)
    for path, seen in waived(looks.plan_id) if gone.folder_of else ():
        gone.compare(path, seen)
    for tree in others:
        if gone.are_all_held:
            break  # nothing is about to be deleted
        if (everything := _look_through(looks, tree, gone, is_stopped)) is not None:
            return HeldBack(everything)
    folders = {gone.folder_of[row_id] for row_id in gone.held}
    return HeldBack(files=gone.held, folders={above for each in folders for above in gone_above(each)})


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

    def add(self, file: GoneFile) -> None:
        """One more that is gone."""
        self.folder_of[file.row_id] = file.folder_id
        for sign in _signs(file.path, file.seen):
            self._rows.setdefault(sign, []).append(file.row_id)

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


def _look_through(looks: Looks, tree: Other, gone: _Gone, is_stopped: Callable[[], bool]) -> str | None:
    """Compare with what this tree holds and Box has not; return why anything may be in it."""
    waiting: list[_Place] = [(tree.source, tree.row_id)]
    whole = bool(looks.plan.trees) or tree.source != ""
    while waiting and not gone.are_all_held:
        batch, waiting = waiting[-FOLDERS_AT_ONCE:], waiting[:-FOLDERS_AT_ONCE]
        rows = dict(batch)
        known = looks.checkpoint.known_children_of([row for row in rows.values() if row is not None])
        for path, listing in looks.source.list_folders(list(rows)):
            if is_stopped():
                raise Stopped
            if isinstance(listing, FatalError | Stopped):
                raise listing
            if isinstance(listing, NotFound) and rows[path] is None:
                continue  # it was there a moment ago; what was in it is looked for by the next run
            if isinstance(listing, ConnectorError):
                return f"{tree.name} cannot be looked through: {listing}"
            children = known.get(rows[path] or 0, [])
            found = _not_in_box(
                looks, path, with_unlisted(looks.source, path, listing, children, is_stopped), children
            )
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
    looks: Looks, path: str, listing: list[Entry], known: list[KnownChild]
) -> list[tuple[Entry, KnownChild | None]] | str:
    """Folders, and files that Box has not as they are; or why anything may be in this folder."""
    below = looks.checkpoint.known_children_of
    if not looks.plan.source.may_be_empty and is_mount_point(
        looks.source, below, listing, known, excluded=looks.excluded
    ):
        return f"{path} lists nothing of what it had before"
    rows = {(child.name, child.kind is EntryKind.FOLDER): child for child in known}
    found: list[tuple[Entry, KnownChild | None]] = []
    for entry in listing:
        if entry.is_link or looks.excluded(entry) is not None:
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
