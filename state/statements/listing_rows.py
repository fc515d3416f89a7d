"""The rows that a folder's changes become: what to insert and what to update, sorted by statement. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.entry import Entry, EntryKind
from state.diff import Change, ChangeKind
from state.records import KnownChild
from state.statuses import ItemStatus, require_transition


@dataclass(kw_only=True, slots=True)
class ListingWrites:
    """Parameters of each statement of one listing; those of updates are `row_id` and `new_…`."""

    new_items: list[dict[str, Any]] = field(default_factory=list)
    #: To PENDING: other content, or never in Box.
    pending_items: list[dict[str, Any]] = field(default_factory=list)
    #: Back to UPLOADED: Box still holds this very content.
    restored_items: list[dict[str, Any]] = field(default_factory=list)
    excluded_items: list[dict[str, Any]] = field(default_factory=list)
    missing_items: list[dict[str, Any]] = field(default_factory=list)
    #: They are there, and could not be looked at: what is known of them stays.
    failed_items: list[dict[str, Any]] = field(default_factory=list)
    new_folders: list[dict[str, Any]] = field(default_factory=list)
    restored_folders: list[dict[str, Any]] = field(default_factory=list)
    #: Another one of this name, by its id in the source, which is all that is written.
    identified_folders: list[dict[str, Any]] = field(default_factory=list)
    excluded_folders: list[dict[str, Any]] = field(default_factory=list)
    missing_folders: list[dict[str, Any]] = field(default_factory=list)
    #: Something was out of sight (GONE, EXCLUDED), where Box's listing was compared with nothing, and is back.
    comes_back: bool = False

    def send_restored(self) -> None:
        """Let nothing count as UPLOADED without a word of Box: what is restored goes the way of what changed."""
        self.pending_items += [row | {"unsettled": False} for row in self.restored_items]
        self.restored_items = []

    @property
    def brings_work(self) -> bool:
        """True when something in this folder is to move, so that the folder itself must."""
        moving = (
            self.new_items,
            self.pending_items,
            self.restored_items,
            self.new_folders,
            self.restored_folders,
        )
        return any(moving)


def listing_writes(
    folder_id: int, tree_id: int, depth: int, changes: Sequence[Change], *, now_ns: int
) -> ListingWrites:
    """What the changes of one folder mean in rows; `now_ns` is after the listing (nanoseconds since 1970).

    IllegalTransition when a change contradicts statuses.py.
    """
    writes = ListingWrites()
    parent = {"tree_id": tree_id, "parent_id": folder_id, "depth": depth + 1}
    for change in changes:
        if change.kind is ChangeKind.UNCHANGED:
            continue
        if _is_folder(change):
            _add_folder(writes, parent, change)
        else:
            _add_item(writes, folder_id, tree_id, change, now_ns)
    return writes


def _is_folder(change: Change) -> bool:
    if change.known is not None:
        return change.known.kind is EntryKind.FOLDER
    return change.entry is not None and change.entry.kind is EntryKind.FOLDER


def _add_item(writes: ListingWrites, folder_id: int, tree_id: int, change: Change, now_ns: int) -> None:
    known, entry = change.known, change.entry
    if entry is None:
        if known is not None:
            require_transition(known.status, ItemStatus.GONE)
            writes.missing_items.append({"row_id": known.id})
        return
    values = _item_values(entry, change, now_ns)
    excluded = change.kind is ChangeKind.EXCLUDED
    if known is None:
        status = _NEW_STATUS.get(change.kind, ItemStatus.PENDING)
        place = {"folder_id": folder_id, "tree_id": tree_id, "name": change.name, "status": status}
        writes.new_items.append({**place, **values, "detail": change.detail})
        return
    if change.kind is ChangeKind.FAILED:
        writes.failed_items.append(_failed_item(known, change, values))
        return
    values = {f"new_{name}": value for name, value in values.items()}
    writes.comes_back |= not excluded and known.status in (ItemStatus.GONE, ItemStatus.EXCLUDED)
    same = known.in_box and known.kind is entry.kind and known.fingerprint.same_content_as(entry.fingerprint)
    if excluded:
        require_transition(known.status, ItemStatus.EXCLUDED)
        writes.excluded_items.append({"row_id": known.id, **values, "new_in_box": same})
    elif same and known.settles_ns is None and change.box_name == known.box_name and not change.read_again:
        require_transition(known.status, ItemStatus.UPLOADED)
        writes.restored_items.append({"row_id": known.id, **values})
    else:
        require_transition(known.status, ItemStatus.PENDING)
        early = known.settles_ns is not None or change.read_again
        unsettled = known.status is ItemStatus.UPLOADED and early
        writes.pending_items.append({"row_id": known.id, **values, "unsettled": unsettled})


_NEW_STATUS = {ChangeKind.EXCLUDED: ItemStatus.EXCLUDED, ChangeKind.FAILED: ItemStatus.FAILED}


def _failed_item(known: KnownChild, change: Change, values: dict[str, Any]) -> dict[str, Any]:
    """Two steps at once where it was excluded: it is to move from now on, and it cannot."""
    found = ItemStatus.PENDING if known.status is ItemStatus.EXCLUDED else known.status
    require_transition(known.status, found)
    require_transition(found, ItemStatus.FAILED)
    row = {"row_id": known.id, "new_box_name": values["box_name"]}
    row |= {"new_reason": change.reason, "new_detail": change.detail}
    return row | {"same_name": change.box_name == known.box_name}


def _item_values(entry: Entry, change: Change, now_ns: int) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "box_name": None if change.box_name == change.name else change.box_name,
        "reason": change.reason,
        "size": entry.size,
        "modified_ns": entry.modified_ns,
        "created_ns": entry.created_ns,
        "changed_ns": entry.changed_ns,
        "source_file_id": entry.file_id,
        "note": entry.note,
        "settles_ns": _settles_ns(entry, change.known, now_ns),
    }


def _settles_ns(entry: Entry, known: KnownChild | None, now_ns: int) -> int | None:
    """From when on reading it proves something: counted from the first time that this fingerprint was seen."""
    if known is not None and known.fingerprint == entry.fingerprint and (known.in_box or known.settles_ns):
        return known.settles_ns
    return entry.fingerprint.settles_ns(now_ns)


def _add_folder(writes: ListingWrites, parent: dict[str, Any], change: Change) -> None:
    known, entry = change.known, change.entry
    excluded = change.kind is ChangeKind.EXCLUDED
    if known is not None and entry is None:
        require_transition(known.status, ItemStatus.GONE)
        writes.missing_folders.append({"row_id": known.id})
    elif known is not None and excluded:
        require_transition(known.status, ItemStatus.EXCLUDED)
        writes.excluded_folders.append({"row_id": known.id, "new_reason": change.reason})
    elif known is not None and change.kind is ChangeKind.IDENTIFIED:
        writes.identified_folders.append({"row_id": known.id, "new_source_file_id": _id_of(entry)})
    elif known is not None:
        require_transition(known.status, ItemStatus.PENDING)
        row = {"row_id": known.id, "new_box_name": change.box_name, "new_source_file_id": _id_of(entry)}
        writes.restored_folders.append(row)
        writes.comes_back = True
    elif entry is not None:
        status = ItemStatus.EXCLUDED if excluded else ItemStatus.PENDING
        names: dict[str, Any] = {"name": change.name, "path": entry.path, "box_name": change.box_name}
        names["source_file_id"] = entry.file_id
        writes.new_folders.append({**parent, **names, "status": status, "reason": change.reason})


def _id_of(entry: Entry | None) -> str | None:
    return None if entry is None else entry.file_id
