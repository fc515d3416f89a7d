"""One folder of a simulated pass: what becomes of each of its entries, and by which calls. Asks nobody."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from connectors.entry import Entry, EntryKind
from flows.foresight.costs import pages_of, sending_calls
from flows.foresight.moved_files import has_same_content
from flows.foresight.notes import UNKNOWN, PassNotes, Place, Unmade
from flows.transfer.identity import Looked
from state.change_records import PlacedFolder
from state.diff import Change, ChangeKind
from state.records import KnownChild
from state.statuses import KEPT_IN_BOX, ItemStatus

OUT_OF_SIGHT = (ItemStatus.GONE, ItemStatus.EXCLUDED)


class FolderPass:
    """One folder while its entries are gone through."""

    def __init__(
        self,
        notes: PassNotes,
        place: Place,
        known: Sequence[KnownChild],
        changes: Mapping[str, Change],
        moved: Mapping[str, PlacedFolder],
        renamed: Collection[str],
        left: Collection[str] = (),
    ) -> None:
        """`moved`: folders that came to this one, by their names. `renamed`: names that files got in this folder.
        `left`: what a quick pass leaves for a whole one."""
        self._notes, self._place, self._tree = notes, place, place.tree
        self._rows = {(child.name, child.kind is EntryKind.FOLDER): child for child in known}
        self._changes, self._moved, self._renamed, self._left = changes, moved, renamed, left
        self._new: list[Entry] = []
        self._changed: list[Entry] = []
        #: Something is put into it, so that Box's listing of it is compared.
        self._is_filled = bool(renamed)
        #: What lies in it in Box before anything is trashed.
        self._in_box = sum(child.placed for child in known)
        self.below: list[Place] = []

    def add(self, entry: Entry) -> None:
        """Decide what becomes of one entry."""
        if entry.name in self._left:
            return
        change = self._changes.get(entry.name)
        row = change.known if change is not None else self._row_of(entry)
        kind = change.kind if change is not None else ChangeKind.UNCHANGED
        if row is not None and row.placed and row.status is ItemStatus.GONE and row.reason != KEPT_IN_BOX:
            self._notes.note_back(self._tree, row.id, is_folder=row.kind is EntryKind.FOLDER)
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
            self._notes.note_moved(moved)
            if moved.is_gone:
                self._notes.note_back(self._tree, moved.id, is_folder=True)
            self._tree.items["moved"] += 1
            self._is_filled = True
            self._need()
            self.below.append(Place(self._tree, entry.path, moved.id, placed=True))
            return
        comes_back = row is not None and placed and row.status in OUT_OF_SIGHT
        self._is_filled |= not placed or comes_back
        self._tree.items["unchanged" if placed else "new"] += 1
        row_id = row.id if row is not None else UNKNOWN
        unmade = None if placed else Unmade(self._tree, self._place.unmade)
        self.below.append(Place(self._tree, entry.path, row_id, placed, comes_back, unmade))

    def _add_file(self, entry: Entry, row: KnownChild | None, kind: ChangeKind) -> None:
        if kind is ChangeKind.UNCHANGED and _has(row, ItemStatus.WAIVED):
            self._tree.items["waived"] += 1
            return
        placed = row is not None and row.placed
        is_known = row is not None and placed and _is_known_content(entry, row, kind)
        # What is the same by its date alone waits to be read.
        waits = not is_known or (kind is not ChangeKind.UNCHANGED and not _is_out_of_sight(row))
        if waits and not self._notes.selection.takes(entry.path, entry.size, entry.modified_ns):
            self._leave_out(entry, row, kind)
            return
        if is_known:
            # Out of sight it was compared with nothing.
            self._is_filled |= _is_out_of_sight(row)
            if self._notes.selection.reads_all and not _is_out_of_sight(row):
                self._tree.read_again += 1
                self._tree.read_again_bytes += entry.size
            self._tree.items["moved" if entry.name in self._renamed else "unchanged"] += 1
            return
        self._need()
        self._in_box += not placed
        self._is_filled = True
        self._tree.items["moved" if entry.name in self._renamed else "changed" if placed else "new"] += 1
        self._tree.items["same_size"] += row is not None and row.in_box and row.fingerprint.size == entry.size
        self._tree.items["too_large"] += entry.size > self._notes.largest_file
        self._tree.bytes += entry.size
        self._tree.sent += 1
        self._tree.calls.update(sending_calls(entry.size, self._notes.plan, is_version=placed))
        (self._changed if placed else self._new).append(entry)

    def _leave_out(self, entry: Entry, row: KnownChild | None, kind: ChangeKind) -> None:
        """The filters of the run do: it stays pending, or failed as it is, and may have been somewhere else all the
        same."""
        if kind is ChangeKind.UNCHANGED and _has(row, ItemStatus.FAILED):
            self._tree.items["failed"] += 1
            return
        self._tree.left_out += 1
        self._tree.left_out_bytes += entry.size
        (self._new if row is None or not row.placed else self._changed).append(entry)

    def _need(self) -> None:
        if self._place.unmade is not None:
            self._place.unmade.need()

    def settle(self) -> None:
        """Count the folder itself, and Box's listing of it."""
        place, notes = self._place, self._notes
        notes.note_files(self._tree, self._new, self._changed)
        is_needed = not self._tree.files_only or self._tree.sent > 0 or place.placed
        if not is_needed:
            return
        if place.unmade is not None:
            self._tree.unmade += not place.unmade.is_root
            self._tree.root_is_unmade |= place.unmade.is_root
        if notes.lists_in_box and (self._is_filled or not place.placed or place.comes_back):
            self._tree.pages += pages_of(self._in_box)
            if place.row_id != UNKNOWN:
                notes.note_proven(place.row_id)


def _is_out_of_sight(row: KnownChild | None) -> bool:
    return row is not None and row.status in OUT_OF_SIGHT


def _has(row: KnownChild | None, status: ItemStatus) -> bool:
    return row is not None and row.status is status


def _is_known_content(entry: Entry, row: KnownChild, kind: ChangeKind) -> bool:
    """True for what Box has already: as it is listed, or read again and found the same, or back as it was."""
    if kind is ChangeKind.UNCHANGED:
        return row.status is ItemStatus.UPLOADED
    if row.status in OUT_OF_SIGHT:
        return row.in_box and row.fingerprint.same_content_as(entry.fingerprint)
    old = Looked(row.fingerprint.size, row.fingerprint.modified_ns, None)
    return row.in_box and has_same_content(old, Looked.at(entry))
