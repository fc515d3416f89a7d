"""Exchanges: files of several folders that have each other's places, as after a swap, keep their ids in Box.

The place of each is held by the next one, and that of the last one by the first: what stands there now is asked of
the source, place by place. One steps aside where it is, then each goes to its place: one call each, and one more. A run
after a kill finds the one that stepped aside, and goes on. Where the rest of the way is not to be seen any more, that
one gets the place where it is found; who has that place steps aside in its turn, counts as gone, and is found again as
a file that moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from connectors.box.names import collision_key
from connectors.box.types import BoxChild, Place
from connectors.entry import Entry, EntryKind
from connectors.errors import OF_ONE_ENTRY, ChangedInBox, ItemError
from flows.transfer.migration import Migration
from flows.transfer.moved_folders import ASIDE
from flows.transfer.renamed_files import is_ours_and_one, known_in_box, own_name
from flows.transfer.renames import as_listed, let_go, rename_in_box, step_aside
from state.change_records import PlacedFile
from state.records import FolderNode, KnownChild
from state.statuses import EventKind, ItemStatus

#: Places that one exchange has at most.
PLACES = 8


@dataclass(frozen=True, kw_only=True)
class _Step:
    """A file that goes to a place, which another one of these had."""

    file: PlacedFile
    #: Who had the place: its folder and names are the place's.
    holder: PlacedFile

    @property
    def path(self) -> str:
        return f"{self.holder.folder_path}/{own_name(self.holder.name)}".lstrip("/")


def follow_exchanges(
    migration: Migration, folder: FolderNode, listing: Sequence[Entry], known: Sequence[KnownChild]
) -> None:
    """Let the files of this folder that changed places with files of others go there in Box; the rows follow."""
    here = {entry.name: entry for entry in listing if entry.kind is EntryKind.FILE and entry.fault is None}
    ids = {entry.file_id for entry in here.values()}
    there: Mapping[str, BoxChild] = {}
    if any(_is_aside(child) for child in known):
        there = _write_down_places(migration, folder, [child for child in known if _is_aside(child)])
        known = migration.checkpoint.known_children(folder.id)
        migration.displaced |= {
            child.id for child in known if _is_aside(child) and child.fingerprint.file_id not in ids
        }
    left = [
        child
        for child in known
        if child.placed and child.kind is EntryKind.FILE and child.fingerprint.file_id not in ids
        if child.status is ItemStatus.UPLOADED or child.name.startswith(ASIDE)
        if (entry := here.get(own_name(child.name))) is not None and entry.file_id not in (None, "0")
    ]
    waiting = {child.fingerprint.file_id: child.id for child in known if _is_aside(child)}
    files = migration.checkpoint.placed_files([child.id for child in left]) if left else {}
    for child in left:
        migration.stop.raise_if_stopped()
        first = files.get(child.id)
        if first is not None and not _is_aside(child) and here[child.name].file_id in waiting:
            # The exchange was undone in the source: who has the place is here, and this one is found where it went.
            own = migration.checkpoint.placed_files([waiting[here[child.name].file_id]])
            with suppress(*OF_ONE_ENTRY):
                step_aside(migration, folder, _where_it_is(migration, first, list(own.values()), there))
                for file in own.values():
                    rename_in_box(migration, folder, file, first.name, first.box_name)
            continue
        steps = _circle(migration, folder.tree_id, first, here[own_name(child.name)]) if first else []
        if first is not None and steps:
            _carry_out(migration, folder, first, steps)


def _where_it_is(
    migration: Migration, file: PlacedFile, aside: Sequence[PlacedFile], there: Mapping[str, BoxChild]
) -> PlacedFile:
    """With the name of one of those that stepped aside, if the run that was ended gave it that: it is written down, or
    nobody would know it, were this run ended as well."""
    child = there.get(file.box_id)
    if child is None or child.name not in {own_name(other.name) for other in aside}:
        return file
    return as_listed(migration, file, child)


def _is_aside(child: KnownChild) -> bool:
    return child.placed and child.kind is EntryKind.FILE and child.name.startswith(ASIDE)


def _write_down_places(
    migration: Migration, folder: FolderNode, aside: Sequence[KnownChild]
) -> dict[str, BoxChild]:
    """A run was ended in the middle: see where Box has whoever stepped aside here, and who has come in its place.

    One listing of the folder, and one call for each that is not in it any more. Return the files of the folder by id,
    as far as they could be listed.
    """
    checkpoint, there = migration.checkpoint, dict[str, BoxChild]()
    with suppress(*OF_ONE_ENTRY):
        parent = migration.folders.box_id(folder.id)
        there = {child.id: child for child in migration.box.list_folder(parent) if child.type == "file"}
        files = checkpoint.placed_files([child.id for child in aside])
        places = {collision_key(own_name(file.name)): own_name(file.name) for file in files.values()}
        for child in there.values():
            name = places.get(collision_key(child.name))
            row = checkpoint.placed_file_of(folder.tree_id, child.id) if name else None
            if name and row is not None and row.folder_id != folder.id:
                etag = child.etag if child.version_id in (None, row.box_version_id) else row.box_etag
                _record(migration, row, folder.id, name, child.name, etag)
        for file in files.values():
            if file.box_id not in there:
                _write_down_place(migration, folder, file)
    return there


def _write_down_place(migration: Migration, folder: FolderNode, file: PlacedFile) -> None:
    """It has left the folder in Box: for the place of another one of the exchange, unless somebody else moved it."""
    stored = migration.box.file_info(file.box_id)
    where = migration.checkpoint.folder_in_box(migration.plan_id, stored.parent_id or "")
    if stored.trashed or where is None or where.tree_id != folder.tree_id:
        return
    held = migration.checkpoint.known_children(where.id)
    if not any(
        collision_key(stored.name) in (collision_key(each.name), collision_key(each.box_name))
        for each in held
    ):
        etag = stored.etag if stored.version_id in (None, file.box_version_id) else file.box_etag
        _record(migration, file, where.id, stored.name, stored.name, etag)


def _record(
    migration: Migration, file: PlacedFile, folder_id: int, name: str, box_name: str, etag: str | None
) -> None:
    migration.checkpoint.record_file_exchanged(
        file.id, folder_id=folder_id, name=name, box_name=box_name, box_etag=etag, worker=migration.worker
    )


def _circle(migration: Migration, tree_id: int, first: PlacedFile, entry: Entry) -> list[_Step]:
    """Who goes where, from the place of the first one on; empty where that leads neither back to it nor to one that a
    run which was ended left aside."""
    steps: list[_Step] = []
    holder = first
    for _ in range(PLACES):
        if entry.kind is not EntryKind.FILE or migration.excluded(entry) is not None:
            return []
        file = first if entry.file_id == first.source_file_id else _row_of(migration, tree_id, entry)
        if file is None or not is_ours_and_one(migration, file, entry):
            return []
        if any(step.file.id == file.id for step in steps):
            return []
        steps.append(_Step(file=file, holder=holder))
        if file.id == first.id:
            return steps if len({step.holder.folder_id for step in steps}) > 1 else []
        if _is_displaced(migration, file):
            return steps
        holder = file
        try:
            entry = migration.source.stat(f"{file.folder_path}/{file.name}".lstrip("/"))
        except ItemError:
            return []
    return []


def _row_of(migration: Migration, tree_id: int, entry: Entry) -> PlacedFile | None:
    """The one file of the tree that Box has, and that had this id, size and date; None where several have."""
    rows = migration.checkpoint.placed_files_seen_as(tree_id, entry.fingerprint)
    if not rows and migration.displaced:
        gone = migration.checkpoint.gone_files_seen_as(tree_id, entry.fingerprint)
        rows = [row for row in gone if row.id in migration.displaced]
    if len(rows) != 1 or (rows[0].name.startswith(ASIDE) and rows[0].box_name != rows[0].name):
        return None
    return rows[0]


def _is_displaced(migration: Migration, file: PlacedFile) -> bool:
    """True for who was left aside: nobody waits for the place that it had."""
    return file.name.startswith(ASIDE) or file.id in migration.displaced


def _carry_out(migration: Migration, folder: FolderNode, first: PlacedFile, steps: list[_Step]) -> None:
    """Each in its turn; what Box refuses ends it, and all is compared by names as ever. Whoever is a person's by now
    goes nowhere, and leaves its place to the next one."""
    place, followed = first, list[_Step]()  # the place as it was before
    aside: PlacedFile | None = first
    tree_id = folder.tree_id
    try:
        if not (first.name.startswith(ASIDE) and first.box_name == first.name):
            act = partial(_aside, migration, folder, first, steps)
            aside = _unless_theirs(migration, tree_id, first, steps, act)
        for step in steps:
            file = aside if step.file.id == first.id else step.file
            if file is not None:
                act = partial(_move, migration, file, step, place)
                followed += [step] if _unless_theirs(migration, tree_id, file, steps, act) else []
    except OF_ONE_ENTRY as exc:
        _tell(migration, EventKind.MOVE_NOT_FOLLOWED, steps, f" ({exc})")
        return
    _tell(migration, EventKind.MOVE_FOLLOWED, followed)


def _unless_theirs(
    migration: Migration,
    tree_id: int,
    file: PlacedFile,
    steps: Sequence[_Step],
    act: Callable[[], PlacedFile],
) -> PlacedFile | None:
    """What this makes of a file; None where a person renamed, moved or deleted it in Box, which is told."""
    try:
        return act()
    except OF_ONE_ENTRY as exc:
        if not let_go(migration, tree_id, file, exc):
            raise
        not_followed = [step for step in steps if step.file.id == file.id]
        _tell(migration, EventKind.MOVE_NOT_FOLLOWED, not_followed, f" ({exc})")
        return None


def _aside(migration: Migration, folder: FolderNode, first: PlacedFile, steps: list[_Step]) -> PlacedFile:
    """Let it step aside; one that none of these steps brings to a place may have left the folder in Box already."""
    if any(step.file.id == first.id for step in steps):
        return step_aside(migration, folder, first)
    migration.displaced.add(first.id)
    try:
        return step_aside(migration, folder, first)
    except ChangedInBox:
        with suppress(*OF_ONE_ENTRY):
            _write_down_place(migration, folder, first)
        return first


def _move(migration: Migration, file: PlacedFile, step: _Step, first: PlacedFile) -> PlacedFile:
    holder = step.holder
    name = own_name(holder.name)
    # Who stepped aside in an earlier run has lost sight of its name in Box.
    box_name = name if holder.id == first.id and first.name.startswith(ASIDE) else holder.box_name
    known = known_in_box(file)
    old = Place(migration.folders.box_id(file.folder_id), file.box_name)
    new = Place(migration.folders.box_id(holder.folder_id), box_name)
    changed = migration.box.items.move(known, old, new)
    # Of what somebody else wrote the etag that was known stays: whoever sends a version is to look at it.
    etag = changed.etag if changed.same_content else file.box_etag
    _record(migration, file, holder.folder_id, name, changed.name, etag)
    return file


def _tell(migration: Migration, kind: EventKind, steps: Sequence[_Step], why: str = "") -> None:
    for step in steps:
        old = f"{step.file.folder_path}/{own_name(step.file.name)}".lstrip("/")
        detail = {"path": step.holder.folder_path, "count": 1, "names": [f"{old} is {step.path}{why}"]}
        migration.record_event(kind, detail)
