"""Trashing, as it is foreseen: what of a simulated pass's deletions goes to Box's trash, and what is held back.

By the rules of `transfer.deletions` and `transfer.elsewhere`, and by their functions where those ask only the share and
the checkpoint. Writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from connectors.entry import EntryKind, Fingerprint
from flows.foresight.costs import Route, pages_of
from flows.foresight.notes import SimulatedTree
from flows.transfer.elsewhere import GoneFile, HeldBack, Other, hold_back
from flows.transfer.moved_folders import Looks
from flows.words import counted
from state.change_records import GoneEntry, PlacedFile
from state.database.scratch import PassChanges
from state.records import KnownChild
from state.statuses import KEPT_IN_BOX, ItemStatus

#: Files of this pass that are looked up in the checkpoint at once.
AT_ONCE = 500


@dataclass
class Foreseen:
    """What becomes of all that is gone."""

    #: So many are gone, which is more than the plan allows: a run would stop before its first deletion.
    too_many: int = 0
    #: Why a run would trash nothing at all; None: it would.
    why_nothing: str | None = None


@dataclass
class _Cost:
    """Of what goes: files by themselves, folders as a whole, and the pages of Box's listings of those."""

    files: int = 0
    folders: int = 0
    pages: int = 0


@dataclass
class _Held:
    """What stays of one tree."""

    files: set[int] = field(default_factory=set)
    #: Folders that are gone and hold one of them, and those of these that are in no other.
    folders: set[int] = field(default_factory=set)
    tops: set[int] = field(default_factory=set)
    #: Files whose folder is not gone.
    alone: int = 0


def foresee_deletions(
    looks: Looks,
    changes: PassChanges,
    trees: Sequence[SimulatedTree],
    others: Sequence[Other],
    *,
    is_stopped: Callable[[], bool],
) -> Foreseen:
    """Count in each tree what goes to the trash and what is held back. `others`: trees that this pass does not walk.

    Lists those where something is gone. Raises FatalError, and Stopped.
    """
    return _Trashing(looks, changes, trees).foresee(others, is_stopped)


class _Trashing:
    def __init__(self, looks: Looks, changes: PassChanges, trees: Sequence[SimulatedTree]) -> None:
        self._looks, self._checkpoint, self._changes = looks, looks.checkpoint, changes
        self._trees = trees
        self._whole = [tree for tree in trees if not tree.is_unlisted]
        #: Row of a file that is gone → its tree's number, and its folder; filled as they are compared.
        self._gone: dict[int, tuple[int, int]] = {}

    def foresee(self, others: Sequence[Other], is_stopped: Callable[[], bool]) -> Foreseen:
        gone = {tree.number: self._count(tree) for tree in self._whole}
        total = sum(gone.values())
        if not total:
            return Foreseen()
        unlisted = [
            Other(tree.spec.name, tree.spec.source, tree.record.root_folder_id if tree.record else None)
            for tree in self._trees
            if tree.is_unlisted
        ]
        held = hold_back(
            self._looks, [*unlisted, *others], self._gone_files(), self._gone_above, is_stopped=is_stopped
        )
        if held.everything is None and total - len(held.files) > self._allowed(total):
            return Foreseen(too_many=total)
        if missing := sum(tree.items["failed"] for tree in self._trees):
            are = counted(missing, "entry of the share would", "entries of the share would")
            return Foreseen(why_nothing=f"{are} not be in Box, and what is gone may be one of them")
        if held.everything is not None:
            return Foreseen(
                why_nothing=f"what is gone may be in a tree that is not walked ({held.everything})"
            )
        stays = self._by_tree(held)
        for tree in self._whole:
            if gone[tree.number]:
                self._trash(tree, gone[tree.number], stays[tree.number])
        return Foreseen()

    def _count(self, tree: SimulatedTree) -> int:
        if tree.record is None:
            return 0
        return self._checkpoint.count_gone(tree.record.id) + tree.items["gone_in_box"]

    def _allowed(self, gone: int) -> int:
        names = ("new", "changed", "moved", "unchanged")
        in_box = gone + sum(tree.items[name] for tree in self._whole for name in names)
        allowed: int = self._looks.plan.changes.most_deletions(in_box)
        return allowed

    def _gone_files(self) -> Iterator[GoneFile]:
        """Those of earlier passes that are not back, and those of this one that are nowhere else."""
        for tree in self._whole:
            if tree.record is None:
                continue
            for entry in self._checkpoint.gone_files(tree.record.id):
                if not self._changes.is_back(entry.row_id, is_folder=False):
                    self._gone[entry.row_id] = (tree.number, entry.folder_id)
                    yield GoneFile(entry.row_id, entry.folder_id, entry.path, entry.seen)
            for rows in self._changes.files_gone(tree.number, at_once=AT_ONCE):
                for row in self._checkpoint.placed_files(rows).values():
                    self._gone[row.id] = (tree.number, row.folder_id)
                    path = f"{row.folder_path}/{row.name}".lstrip("/")
                    yield GoneFile(row.id, row.folder_id, path, _seen(row))

    def _gone_above(self, folder_id: int) -> list[int]:
        """The folders that are gone by this pass, or were before and are not back, from this one upwards."""
        found = []
        for node in reversed(self._checkpoint.folder_chain(folder_id)):
            is_gone = self._changes.gone_above(node.id) or (
                self._checkpoint.gone_folders_above(node.id)
                and not self._changes.is_back(node.id, is_folder=True)
            )
            if not is_gone:
                break
            found.append(node.id)
        return found

    def _by_tree(self, held: HeldBack) -> dict[int, _Held]:
        found = {tree.number: _Held() for tree in self._whole}
        for row_id in held.files:
            number, folder_id = self._gone[row_id]
            stays, above = found[number], self._gone_above(folder_id)
            stays.files.add(row_id)
            stays.folders.update(above)
            stays.tops.update(above[-1:])
            stays.alone += not above
        return found

    def _trash(self, tree: SimulatedTree, gone: int, held: _Held) -> None:
        """Folders go as a whole, once they were looked at; files one by one; what earlier passes left, too."""
        assert tree.record is not None  # noqa: S101  (something of it is gone)
        cost = _Cost(tree.gone_files - held.alone)
        for is_folder, row_id in self._at_the_top(tree, tree.record.id):
            self._add(cost, row_id, is_folder=is_folder)
        for folder_id in held.tops:
            cost.folders -= 1
            cost.pages -= self._pages(folder_id)
            self._add_below(cost, folder_id, held)
        tree.items.update({"held": len(held.files), "trashed": gone - len(held.files) - len(held.folders)})
        tree.calls.update(
            Counter(
                {
                    Route.FOLDER: cost.folders,
                    Route.LIST: cost.pages,
                    Route.TRASH_FOLDER: cost.folders,
                    Route.TRASH_FILE: cost.files,
                }
            )
        )

    def _at_the_top(self, tree: SimulatedTree, tree_id: int) -> Iterator[tuple[bool, int]]:
        """Folders that this pass misses, and what earlier ones left: is a folder, row's id. Nothing that is back, but
        what is in it and is not."""
        for left in self._changes.gone(tree.number):
            if left.placed:
                yield True, left.id
        for entry in self._checkpoint.gone_at_the_top(tree_id):
            is_folder = entry.kind is EntryKind.FOLDER
            if not self._changes.is_back(entry.row_id, is_folder=is_folder) and not self._is_inside(entry):
                yield is_folder, entry.row_id
        for folder_id in self._changes.folders_back(tree.number):
            for child in self._gone_children(folder_id):
                yield child.kind is EntryKind.FOLDER, child.id

    def _is_inside(self, entry: GoneEntry) -> bool:
        """Its folder is gone as well by now, and goes with all that is in it."""
        return self._changes.gone_above(entry.folder_id) > 0

    def _gone_children(self, folder_id: int) -> Iterator[KnownChild]:
        for child in self._checkpoint.known_children(folder_id):
            is_gone = child.placed and child.status is ItemStatus.GONE and child.reason != KEPT_IN_BOX
            if is_gone and not self._changes.is_back(child.id, is_folder=child.kind is EntryKind.FOLDER):
                yield child

    def _add(self, cost: _Cost, row_id: int, *, is_folder: bool) -> None:
        if is_folder:
            cost.folders, cost.pages = cost.folders + 1, cost.pages + self._pages(row_id)
        else:
            cost.files += 1

    def _add_below(self, cost: _Cost, folder_id: int, held: _Held) -> None:
        """A folder stays for what is held back in it, and the rest of it goes piece by piece."""
        for child in self._still_in(folder_id):
            is_folder = child.kind is EntryKind.FOLDER
            if is_folder and child.id in held.folders:
                self._add_below(cost, child.id, held)
            elif is_folder or child.id not in held.files:
                self._add(cost, child.id, is_folder=is_folder)

    def _still_in(self, folder_id: int) -> list[KnownChild]:
        """What of a folder that is gone Box has in it by then."""
        return [
            child
            for child in self._checkpoint.known_children(folder_id)
            if child.placed and not self._changes.is_back(child.id, is_folder=child.kind is EntryKind.FOLDER)
            if child.kind is not EntryKind.FOLDER or not self._changes.is_moved(child.id)
        ]

    def _pages(self, folder_id: int) -> int:
        """The pages of Box's listings of this folder and of all below it."""
        found, waiting = 0, [folder_id]
        while waiting:
            children = self._still_in(waiting.pop())
            found += pages_of(len(children))
            waiting += [child.id for child in children if child.kind is EntryKind.FOLDER]
        return found


def _seen(row: PlacedFile) -> Fingerprint:
    return Fingerprint(size=row.size, modified_ns=row.modified_ns, file_id=row.source_file_id)
