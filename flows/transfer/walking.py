"""Walking: list folders of the share, compare each with the checkpoint, write down what differs. Sends nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from connectors.entry import Entry, moves_as_folder
from connectors.errors import AccessDenied, ConnectorError, FatalError, NotFound, Stopped
from flows.plan.model import Verification
from flows.transfer.absent import Listings, with_unlisted
from flows.transfer.migration import Migration
from flows.transfer.naming import OUT_OF_SIGHT, compare_folder
from flows.transfer.outcomes import Outcome, failure_of, outcome_of
from flows.transfer.remarks import remarks
from state.records import FolderNode, KnownChild
from state.statuses import FOLDER_EMPTIED, EventKind

#: Folders claimed from the checkpoint at a time; each is one listing.
WALK_BATCH = 64

#: Where so many entries are all away at once, and no more than a few others are there, a disk is away.
MANY_ENTRIES, NOTES_OF_A_MOUNT_POINT = 5, 2


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
        migration.progress.walk(goes_on=False)


def _walk_frontier(migration: Migration) -> None:
    waiting = ahead = sorted(migration.tree_ids)
    while not migration.stop.is_set():
        folders = migration.checkpoint.claim_folders_to_walk(
            migration.worker, migration.pass_id, tree_ids=ahead, limit=WALK_BATCH
        )
        if folders:
            walk_folders(migration, folders)
            # Nothing is left of the trees before this one, and what a folder holds is of its own tree.
            ahead = ahead[bisect_left(ahead, min(folder.tree_id for folder in folders)) :]
        elif len(ahead) == len(waiting):
            return
        else:
            ahead = waiting  # a worker that died may have left some of those before


def walk_folders(migration: Migration, folders: Sequence[FolderNode]) -> None:
    """List these folders, many at once, and record each as it answers."""
    by_path: dict[str, list[FolderNode]] = {}
    for folder in folders:
        by_path.setdefault(folder.path, []).append(folder)
    listings = Listings(migration.source)
    for path, listing in migration.source.list_folders(list(by_path)):
        if isinstance(listing, Stopped):
            return
        for folder in by_path[path]:
            try:
                if isinstance(listing, ConnectorError):
                    _record_failure(migration, folder, listing, listings)
                else:
                    _record_listing(migration, folder, listing)
            except Exception as exc:
                if outcome_of(exc) not in (Outcome.FAILED, Outcome.AGAIN):
                    raise
                _fail_folder(migration, folder, *failure_of(exc))
        if migration.stop.is_set():
            return


def _record_listing(migration: Migration, folder: FolderNode, listing: list[Entry]) -> None:
    if folder.parent_id is None:
        migration.guard.tree_lists(folder.tree_id, folder.path, listing)
    known = migration.checkpoint.known_children(folder.id)
    listing = with_unlisted(migration.source, folder.path, listing, known, migration.stop.is_set)
    if folder.tree_id in migration.files_only_trees:
        listing = [
            entry for entry in listing if not moves_as_folder(entry) or migration.excluded(entry) is not None
        ]
    if _looks_emptied(migration, folder, listing, known):
        words = (
            "it lists nothing of what it had before; is a disk mounted there?"
            " If it really was emptied, say so in the plan: source: {may_be_empty: true}"
        )
        _fail_folder(migration, folder, FOLDER_EMPTIED, words)
        return
    changes, renames = compare_folder(listing, known, excluded=migration.excluded)
    for entry, choice in renames:
        detail = {"path": entry.path, "box_name": choice.box_name, "reason": choice.reason}
        migration.record_event(EventKind.RENAMED, detail)
    for kind, detail in remarks(folder.path, changes, listing):
        migration.record_event(kind, detail)
    migration.checkpoint.record_listing(
        folder.id,
        migration.pass_id,
        changes,
        compared=migration.plan.transfer.verify is Verification.LISTING,
        worker=migration.worker,
    )
    migration.progress.walked(listing, changes)


def _record_failure(
    migration: Migration, folder: FolderNode, error: ConnectorError, listings: Listings
) -> None:
    """A folder that cannot be listed is a failed item of its tree, never a silent gap (P2).

    It is gone when the folder above does not list it any more, and not because the server says that it is not there.
    """
    if isinstance(error, FatalError):
        raise error
    if isinstance(error, NotFound | AccessDenied):
        migration.guard.require_root(folder.tree_id)
    if isinstance(error, NotFound) and folder.parent_id is not None:
        if not listings.shows(folder.path):
            migration.checkpoint.record_folder_vanished(folder.id, migration.pass_id, worker=migration.worker)
            return
        error = NotFound(
            f"{error}, and the folder above lists it: its path may be too long for the server; shorten it"
        )
    _fail_folder(migration, folder, error.reason, str(error))


def _fail_folder(migration: Migration, folder: FolderNode, reason: str, detail: str) -> None:
    migration.checkpoint.record_folder_failure(
        folder.id, migration.pass_id, reason=reason, detail=detail, worker=migration.worker
    )
    migration.progress.folder_failed(reason)


def _looks_emptied(
    migration: Migration, folder: FolderNode, listing: Sequence[Entry], known: Sequence[KnownChild]
) -> bool:
    """Return True for what is rather a disk that is not mounted: nothing of what the folder held is there (P2).

    A mount point may hold a note that says so. Where as much is there as before, under other names, it was renamed.
    """
    held = {child.name for child in known if child.status not in OUT_OF_SIGHT}
    if not held or migration.plan.source.may_be_empty:
        return False
    if len(held) < MANY_ENTRIES:
        return not listing
    moving = [entry for entry in listing if not entry.is_link and migration.excluded(entry) is None]
    return len(moving) <= NOTES_OF_A_MOUNT_POINT and held.isdisjoint(entry.name for entry in listing)
