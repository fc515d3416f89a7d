"""Moved files of a simulated pass: what was counted as new, and was elsewhere before. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from connectors.box.values import box_date
from connectors.entry import Entry
from flows.foresight.costs import Route, sending_calls
from flows.foresight.notes import PassNotes, SimulatedTree
from flows.transfer.identity import Looked, is_one_file
from flows.transfer.moved_folders import Looks
from state.change_records import PlacedFile
from state.database.scratch import LeftFile, MayBeOne, SeenFile

T = TypeVar("T")

#: Files looked up in the checkpoint at once.
AT_ONCE = 500


def known_elsewhere(looks: Looks, tree: SimulatedTree, new: Sequence[Entry]) -> set[str]:
    """Names of new files with id, size and date of one that the tree has: a quick pass leaves them to a whole one."""
    if tree.record is None:
        return set()
    asked = [
        (entry, entry.file_id) for entry in new if entry.file_id is not None and entry.modified_ns is not None
    ]
    there = looks.checkpoint.files_in_sight(
        tree.record.id, [(file_id, entry.size) for entry, file_id in asked]
    )
    rows = looks.checkpoint.placed_files([row_id for found in there.values() for row_id in found])
    return {
        entry.name
        for entry, file_id in asked
        if any(
            rows[row_id].modified_ns == entry.modified_ns
            for row_id in there[file_id, entry.size]
            if row_id in rows
        )
    }


class MovedFiles:
    """Follows them once a simulated walk has ended, by the rules of file_moves.py."""

    def __init__(self, looks: Looks, notes: PassNotes) -> None:
        self._looks, self._plan, self._changes = looks, notes.plan, notes.changes
        self._selection = notes.selection
        self._looked_at = set[int]()

    def follow(self, trees: Sequence[SimulatedTree]) -> None:
        """Count as moved what was counted as new, and as gone, before.

        Of trees that were complete once: until then files are sent while the walk still goes on.
        """
        proven = self._looks.checkpoint.proven_trees(self._looks.plan_id)
        held = {tree.number for tree in trees if tree.record is not None and tree.record.id in proven}
        for tree in (tree for tree in trees if tree.number in held):
            self._add_those_gone_before(tree)
        found = (each for each in self._changes.maybe_moved() if each.new.tree in held)
        for batch in _batches(found):
            rows = self._looks.checkpoint.placed_files([each.old.row_id for each in batch])
            there = self._in_sight(trees, batch)
            for each in batch:
                tree, row = trees[each.new.tree], rows.get(each.old.row_id)
                names = there[each.new.tree][each.new.file_id, each.new.size]
                if row is not None and self._is_one(row, each, names):
                    self._count(tree, row, each)

    def _in_sight(
        self, trees: Sequence[SimulatedTree], batch: Sequence[MayBeOne]
    ) -> dict[int, dict[tuple[str, int], list[int]]]:
        """Tree → id and size of its new files → the rows that have them: one look for each tree."""
        found = {}
        for number in {each.new.tree for each in batch}:
            record = trees[number].record
            assert record is not None  # noqa: S101  (held)
            seen = [(each.new.file_id, each.new.size) for each in batch if each.new.tree == number]
            found[number] = self._looks.checkpoint.files_in_sight(record.id, seen)
        return found

    def _add_those_gone_before(self, tree: SimulatedTree) -> None:
        """Files that an earlier pass missed, and whose ids are here again."""
        assert tree.record is not None  # noqa: S101  (held)
        if not self._looks.checkpoint.count_gone(tree.record.id):
            return
        for ids in _batches(self._changes.new_ids(tree.number)):
            gone = self._looks.checkpoint.gone_files_by_source_id(tree.record.id, ids)
            self._changes.add_left_files(
                LeftFile(tree.number, file_id, row_id, folder_id, since_earlier=True)
                for file_id, row_id, folder_id in gone
            )

    def _takes(self, new: SeenFile) -> bool:
        return self._selection.takes(new.path, new.size, new.modified_ns)

    def _unsend(self, tree: SimulatedTree, new: SeenFile) -> None:
        tree.calls.subtract(sending_calls(new.size, self._plan, is_version=False))
        tree.bytes, tree.sent = tree.bytes - new.size, tree.sent - 1

    def _is_one(self, row: PlacedFile, each: MayBeOne, names: Sequence[int]) -> bool:
        new = each.new
        if row.adopted or not all(self._changes.has_left(row_id) for row_id in names):
            return False
        seen = Looked(new.size, new.modified_ns, new.created_ns)
        return is_one_file(self._looks, Looked.at(row), seen, path=new.path, known_since=row.known_since)

    def _count(self, tree: SimulatedTree, row: PlacedFile, each: MayBeOne) -> None:
        """One call for its name and place; and a version where it was edited as well."""
        new, old = each.new, each.old
        above = self._changes.gone_above(old.folder_id)
        if old.since_earlier:
            above += len(self._looks.checkpoint.gone_folders_above(old.folder_id))
        tree.items.update({"moved": 1, "gone_in_box": -1, "gone": -(not old.since_earlier)})
        tree.gone_files -= not above and not old.since_earlier
        self._changes.add_back(old.row_id, is_folder=False, tree=tree.number)
        tree.calls[Route.MOVE_FILE] += 1
        if old.folder_id not in self._looked_at:
            self._looked_at.add(old.folder_id)
            tree.calls[Route.FOLDER] += above
        if not self._takes(new):
            return
        self._unsend(tree, new)
        tree.items["new"] -= 1
        if not has_same_content(Looked.at(row), Looked(new.size, new.modified_ns, new.created_ns)):
            tree.bytes, tree.sent = tree.bytes + new.size, tree.sent + 1
            tree.items["same_size"] += row.size == new.size
            tree.calls.update(sending_calls(new.size, self._plan, is_version=True))


def has_same_content(old: Looked, new: Looked) -> bool:
    """True for what a pass reads and finds to be what Box has: the same size, and for Box the same date."""
    if old.size != new.size or old.modified_ns is None or new.modified_ns is None:
        return False
    return box_date(old.modified_ns) == box_date(new.modified_ns)


def _batches(found: Iterator[T]) -> Iterator[list[T]]:
    batch: list[T] = []
    for each in found:
        batch.append(each)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
