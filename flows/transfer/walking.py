"""Walking: list folders of the share, compare each with the checkpoint, write down what differs. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.box.names import PlannedName, box_name, collision_key, plan_names
from connectors.entry import Entry, EntryKind, moves_as_folder
from connectors.errors import AccessDenied, ConnectorError, FatalError, NotFound, Stopped
from flows.transfer.migration import Migration
from flows.transfer.remarks import remarks
from state.diff import Change, diff_folder
from state.records import FolderNode, KnownChild
from state.statuses import EventKind, ItemStatus

#: What is not there, or does not move: its name in Box is its own only while something lies there.
OUT_OF_SIGHT = (ItemStatus.MISSING, ItemStatus.EXCLUDED)

#: Folders claimed from the checkpoint at a time; each is one listing.
WALK_BATCH = 64


def walk_trees(migration: Migration) -> None:
    """Walk every folder of the plan's trees that this pass has not seen, until none is left or somebody says stop.

    Raises FatalError when the share is gone, or looks as if it was; what was walked stays walked.
    """
    try:
        _walk_frontier(migration)
    except Stopped:
        return  # whoever said stop knows why
    except BaseException as exc:
        migration.stop.fail(exc)
        raise
    finally:
        migration.walking.clear()


def _walk_frontier(migration: Migration) -> None:
    while not migration.stop.is_set():
        folders = migration.checkpoint.claim_folders_to_walk(
            migration.worker, migration.pass_id, tree_ids=migration.tree_ids, limit=WALK_BATCH
        )
        if not folders:
            return
        walk_folders(migration, folders)


def walk_folders(migration: Migration, folders: Sequence[FolderNode]) -> None:
    """List these folders, many at once, and record each as it answers."""
    by_path: dict[str, list[FolderNode]] = {}
    for folder in folders:
        by_path.setdefault(folder.path, []).append(folder)
    for path, listing in migration.source.list_folders(list(by_path)):
        if isinstance(listing, Stopped):
            return
        for folder in by_path[path]:
            if isinstance(listing, ConnectorError):
                _record_failure(migration, folder, listing)
            else:
                _record_listing(migration, folder, listing)
        if migration.stop.is_set():
            return


def _record_listing(migration: Migration, folder: FolderNode, listing: list[Entry]) -> None:
    if folder.parent_id is None:
        migration.guard.root_lists(
            [tree for tree in migration.trees if tree.id == folder.tree_id], folder.path, listing
        )
    if folder.tree_id in migration.files_only_trees:
        listing = [
            entry for entry in listing if not moves_as_folder(entry) or migration.excluded(entry) is not None
        ]
    known = migration.checkpoint.known_children(folder.id)
    changes = compare_folder(migration, listing, known)
    for kind, detail in remarks(folder.path, changes, listing):
        migration.record_event(kind, detail)
    migration.checkpoint.record_listing(folder.id, migration.pass_id, changes, worker=migration.worker)
    migration.progress.walked(listing, changes)


def compare_folder(migration: Migration, listing: list[Entry], known: list[KnownChild]) -> list[Change]:
    """What differs between a listing and the checkpoint, with the Box name that each new entry gets (P7)."""
    excluded = migration.excluded
    moving = [entry for entry in listing if entry.skip_reason is None and excluded(entry) is None]
    rows = {_place(child.name, child.kind): child for child in known}
    own = {entry.name: row for entry in moving if (row := _row_of(entry, rows)) is not None}
    assigned = {
        name: row.box_name for name, row in own.items() if row.placed or row.status not in OUT_OF_SIGHT
    }
    strangers = [child for child in known if child.placed and own.get(child.name) is not child]
    newcomers = [entry for entry in moving if entry.name not in assigned]
    taken = _names_held(strangers, newcomers, listing)
    planned = plan_names([(each.name, each.kind, assigned.get(each.name)) for each in moving], taken=taken)
    names = {name: choice.box_name for name, choice in planned.items()}
    _report_renames(migration, moving, planned, assigned)
    return diff_folder(listing, known, box_names=names, excluded=excluded)


def _row_of(entry: Entry, rows: Mapping[tuple[str, bool], KnownChild]) -> KnownChild | None:
    """The checkpoint's row of an entry: a file and a folder of one name are two things, as for diff_folder()."""
    folder = rows.get((entry.name, True))
    unknown = entry.fault is not None and entry.kind is EntryKind.SPECIAL
    if entry.kind is EntryKind.FOLDER or (
        unknown and folder is not None and folder.status not in OUT_OF_SIGHT
    ):
        return folder
    return rows.get((entry.name, False))


def _names_held(
    strangers: Sequence[KnownChild], newcomers: Sequence[Entry], listing: Sequence[Entry]
) -> list[str]:
    """Names of what lies in Box and does not move now, gone or excluded: nothing else gets one of them (P7).

    Except what took the place of the gone: the same kind of thing, under a name that is the same to Box.
    """
    if not strangers:
        return []
    there = {_place(entry.name, entry.kind) for entry in listing}
    coming = {_wish(entry.name, entry.kind) for entry in newcomers}
    held = []
    for child in strangers:
        wish = _wish(child.name, child.kind)
        gone = _place(child.name, child.kind) not in there and wish[0] == collision_key(child.box_name)
        if not (gone and wish in coming):
            held.append(child.box_name)
    return held


def _place(name: str, kind: EntryKind) -> tuple[str, bool]:
    return name, kind is EntryKind.FOLDER


def _wish(name: str, kind: EntryKind) -> tuple[str, bool]:
    """What Box would compare the name by, if it got the one that it would like."""
    return collision_key(box_name(name, kind)), kind is EntryKind.FOLDER


def _report_renames(
    migration: Migration, moving: list[Entry], planned: dict[str, PlannedName], assigned: dict[str, str]
) -> None:
    """Every name that Box gets differently is an event in the checkpoint, once."""
    for entry in moving:
        choice = planned[entry.name]
        if choice.reason is not None and assigned.get(entry.name) != choice.box_name:
            detail = {"path": entry.path, "box_name": choice.box_name, "reason": choice.reason}
            migration.record_event(EventKind.RENAMED, detail)


def _record_failure(migration: Migration, folder: FolderNode, error: ConnectorError) -> None:
    """A folder that cannot be listed is a failed item of its tree, never a silent gap (P2)."""
    if isinstance(error, FatalError):
        raise error
    if isinstance(error, NotFound | AccessDenied):
        migration.guard.require_root(folder.tree_id)
    if isinstance(error, NotFound) and folder.parent_id is not None:
        migration.checkpoint.record_folder_vanished(folder.id, migration.pass_id)
        return
    migration.checkpoint.record_folder_failure(
        folder.id, migration.pass_id, reason=error.reason, detail=str(error)
    )
    migration.progress.folder_failed()
