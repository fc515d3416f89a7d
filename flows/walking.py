"""Walking: list folders of the share, compare each with the checkpoint, write down what differs. Sends nothing."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.entry import Entry
from connectors.errors import AccessDenied, ConnectorError, FatalError, NotFound
from connectors.names import PlannedName, plan_names
from connectors.source import Source
from flows.open_plan import OpenPlan, moves_as_folder
from flows.remarks import remarks
from state.diff import Change, diff_folder
from state.records import FolderNode, KnownChild
from state.statuses import ItemStatus

#: Folders claimed from the checkpoint at a time; each is one listing.
WALK_BATCH = 64


def walk_trees(opened: OpenPlan) -> None:
    """Walk every folder of the plan's trees that this pass has not seen, until none is left or somebody says stop.

    Raises FatalError when the share is gone, or looks as if it was; what was walked stays walked.
    """
    try:
        _walk_frontier(opened)
    except BaseException as exc:
        opened.fail(exc)
        raise
    finally:
        opened.end_walk()


def _walk_frontier(opened: OpenPlan) -> None:
    while not opened.stopping():
        folders = opened.checkpoint.claim_folders_to_walk(
            opened.worker, opened.pass_id, tree_ids=opened.tree_ids, limit=WALK_BATCH
        )
        if not folders:
            return
        walk_folders(opened, folders)


def walk_folders(opened: OpenPlan, folders: Sequence[FolderNode]) -> None:
    """List these folders, many at once, and record each as it answers."""
    by_path: dict[str, list[FolderNode]] = {}
    for folder in folders:
        by_path.setdefault(folder.path, []).append(folder)
    for path, listing in opened.source.list_folders(list(by_path)):
        for folder in by_path[path]:
            if isinstance(listing, ConnectorError):
                _record_failure(opened, folder, listing)
            else:
                _record_listing(opened, folder, listing)
        if opened.stopping():
            return


def _record_listing(opened: OpenPlan, folder: FolderNode, listing: list[Entry]) -> None:
    if folder.parent_id is None:
        opened.root_lists([tree for tree in opened.trees if tree.id == folder.tree_id], folder.path, listing)
    if folder.tree_id in opened.files_only_trees:
        listing = [
            entry for entry in listing if not moves_as_folder(entry) or opened.excluded(entry) is not None
        ]
    known = opened.checkpoint.known_children(folder.id)
    changes = compare_folder(opened, listing, known)
    for kind, detail in remarks(folder.path, changes, listing):
        opened.record_event(kind, detail)
    opened.checkpoint.record_listing(folder.id, opened.pass_id, changes, worker=opened.worker)
    opened.progress.walked(listing, changes)


def compare_folder(opened: OpenPlan, listing: list[Entry], known: list[KnownChild]) -> list[Change]:
    """What differs between a listing and the checkpoint, with the Box name that each new entry gets (P7)."""
    excluded = opened.excluded
    moving = [entry for entry in listing if entry.skip_reason is None and excluded(entry) is None]
    assigned = {child.name: child.box_name for child in known if child.status is not ItemStatus.EXCLUDED}
    planned = plan_names([(entry.name, entry.kind, assigned.get(entry.name)) for entry in moving])
    names = {name: choice.box_name for name, choice in planned.items()}
    _report_renames(opened, moving, planned, assigned)
    return diff_folder(listing, known, box_names=names, excluded=excluded)


def _report_renames(
    opened: OpenPlan, moving: list[Entry], planned: dict[str, PlannedName], assigned: dict[str, str]
) -> None:
    """Every name that Box gets differently is an event in the checkpoint, once."""
    for entry in moving:
        choice = planned[entry.name]
        if choice.reason is not None and assigned.get(entry.name) != choice.box_name:
            opened.record_event(
                "renamed", {"path": entry.path, "box_name": choice.box_name, "reason": choice.reason}
            )


def _record_failure(opened: OpenPlan, folder: FolderNode, error: ConnectorError) -> None:
    """A folder that cannot be listed is a failed item of its tree, never a silent gap (P2)."""
    if isinstance(error, FatalError):
        raise error
    if isinstance(error, NotFound | AccessDenied):
        opened.require_root(folder.tree_id)
    if isinstance(error, NotFound) and folder.parent_id is not None:
        opened.checkpoint.record_folder_vanished(folder.id, opened.pass_id)
        return
    opened.checkpoint.record_folder_failure(folder.id, opened.pass_id, reason=error.reason, detail=str(error))
    opened.progress.folder_failed()


def uncovered_entries(source: Source, tree_sources: Sequence[str]) -> list[str]:
    """Top-level entries of the share that no tree of the plan contains, so that the report can name them (P2)."""
    if "" in tree_sources:
        return []
    covered = {path.split("/")[0] for path in tree_sources}
    return [entry.path for entry in source.list_folder("") if entry.path not in covered]
