"""Walking: list folders of the share, compare each with the checkpoint, write down what differs. Sends nothing."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from connectors.entry import Entry, moves_as_folder
from connectors.errors import AccessDenied, ConnectorError, FatalError, NotFound, Stopped
from connectors.tracing import span
from flows.plan.transfer import Verification
from flows.transfer.absent import Listings, with_unlisted
from flows.transfer.emptied import (
    DISK_GONE,
    EMPTIED,
    EMPTIED_AT_MOST,
    Missing,
    disks_that_are_gone,
    is_below_a_disk_that_is_away,
    look_for,
    looks_emptied,
    was_a_disk,
)
from flows.transfer.exchanges import follow_exchanges
from flows.transfer.file_moves import follow_file_moves
from flows.transfer.migration import Migration
from flows.transfer.moves import FolderMoves
from flows.transfer.naming import compare_folder
from flows.transfer.outcomes import Outcome, failure_of, outcome_of
from flows.transfer.remarks import remarks
from flows.transfer.remembering import listing_digest, may_be_remembered
from flows.transfer.renamed_files import may_have_renamed
from flows.transfer.renames import follow_renames
from flows.transfer.true_names import give_names_back
from state.diff import Change, ChangeKind, Compared
from state.records import FolderNode, KnownChild
from state.statuses import FOLDER_EMPTIED, EventKind

#: Folders claimed from the checkpoint at a time; each is one listing.
WALK_BATCH = 256

#: Entries of listings that are recorded together, at most by one folder more, and seconds that a listing waits for it.
ENTRIES_AT_ONCE, SECONDS_AT_ONCE = 5_000, 0.05

#: A folder, what it lists, and the digest of that.
Listed = tuple[FolderNode, list[Entry], str | None]


def walk_trees(migration: Migration) -> None:
    """Walk every folder of the plan's trees that this pass has not seen, until none is left or somebody says stop.

    Raises FatalError when the share is gone, or looks as if it was; what was walked stays walked.
    """
    try:
        _walk_frontier(migration)
        _judge_emptied(migration)
        if migration.stop.is_set():
            return
        if migration.claims.held:
            _end_of_the_walk(migration, migration.claims.held)
        if migration.quick is None and not migration.is_dry:
            give_names_back(migration, migration.tree_ids)
        migration.claims.hold([])
    except Stopped:
        return  # whoever said stop knows why
    except BaseException as exc:
        migration.stop.fail(exc)
        raise
    finally:
        migration.walking.clear()
        migration.progress.walk(goes_on=False)


def _end_of_the_walk(migration: Migration, held: Sequence[int]) -> None:
    """Follow files that moved; a quick pass, which does not know what is gone, leaves them to a whole one."""
    if migration.quick is None:
        follow_file_moves(migration, held)
        return
    for tree_id in held:
        for size in migration.checkpoint.forget_moved_files(tree_id, worker=migration.worker):
            migration.progress.leave_out(size)
            migration.quick.leave(1)


def _walk_frontier(migration: Migration) -> None:
    waiting = ahead = sorted(migration.tree_ids)
    while not migration.stop.is_set():
        folders = migration.checkpoint.claim_folders_to_walk(
            migration.worker, migration.pass_id, tree_ids=ahead, limit=WALK_BATCH
        )
        if folders:
            with span("walk folders", {"boxhaul.folders": len(folders), **migration.trees_of(folders)}):
                walk_folders(migration, folders)
            # Nothing is left of the trees before this one, and what a folder holds is of its own tree.
            ahead = ahead[bisect_left(ahead, min(folder.tree_id for folder in folders)) :]
        elif len(ahead) == len(waiting):
            return
        else:
            ahead = waiting  # a worker that died may have left some of those before


def walk_folders(migration: Migration, folders: Sequence[FolderNode]) -> None:
    """List these folders, many at once, and record them as they answer, many in one transaction.

    Where moves are followed, those of one depth at a time: by then it is known where a folder above them is now.
    """
    listed, levels = _Listed(migration), dict[int, list[FolderNode]]()
    for folder in folders:
        depth = len(folder.path.split("/")) if folder.path and migration.follows_moves else 0
        levels.setdefault(depth, []).append(folder)
    for depth in sorted(levels):
        here = [each for each in levels[depth] if not listed.moves.has_left(each)]  # others are walked again
        try:
            _list_together(migration, listed, here)
        finally:
            listed.record()  # what was walked stays walked, whatever ends the walk
        if migration.stop.is_set():
            return


def _list_together(migration: Migration, listed: _Listed, folders: Sequence[FolderNode]) -> None:
    by_path: dict[str, list[FolderNode]] = {}
    for folder in folders:
        by_path.setdefault(folder.path, []).append(folder)
    listings, away = Listings(migration.source), dict[int, bool | None]()
    for path, listing in migration.source.list_folders(list(by_path)):
        if isinstance(listing, Stopped):
            return
        for folder in by_path[path]:
            if listed.moves.has_left(folder):
                continue
            migration.look(folder, listing)
            with _failing(migration, folder):
                if isinstance(listing, ConnectorError):
                    _record_failure(migration, folder, listing, listings, away)
                else:
                    listed.add(folder, listing)
        if migration.stop.is_set():
            return
        if listed.is_full():
            listed.record()


@contextmanager
def _failing(migration: Migration, folder: FolderNode) -> Iterator[None]:
    """Let an error that is this folder's own business fail it alone (P11)."""
    try:
        yield
    except Exception as exc:
        if outcome_of(exc) not in (Outcome.FAILED, Outcome.AGAIN):
            raise
        _fail_folder(migration, folder, *failure_of(exc))


class _Listed:
    """Folders that were listed and are not recorded yet: few entries, and not for long, so that senders have work."""

    def __init__(self, migration: Migration) -> None:
        self._migration = migration
        self._unchanged: list[tuple[FolderNode, list[Entry]]] = []
        self._others: list[Listed] = []
        self._entries = 0
        self._since = time.monotonic()
        self.moves = FolderMoves(migration)

    def add(self, folder: FolderNode, listing: list[Entry]) -> None:
        """Take what this folder lists. Raises FatalError when the share looks as if it was gone."""
        if folder.parent_id is None:
            self._migration.guard.tree_lists(folder.tree_id, folder.path, listing)
        digest = listing_digest(_own(self._migration, folder, listing), self._migration.rules)
        remembers = digest is not None and not self._migration.reads_all
        if remembers and digest == folder.listing_digest:
            self._unchanged.append((folder, listing))
        else:
            self._others.append((folder, listing, digest))
        self._entries += len(listing)

    def is_full(self) -> bool:
        """Tell whether it is time to record them."""
        waiting = self._unchanged or self._others
        return bool(waiting) and (
            self._entries >= ENTRIES_AT_ONCE or time.monotonic() - self._since >= SECONDS_AT_ONCE
        )

    def record(self) -> None:
        """Write down all of them; those that list what is remembered are not compared."""
        unchanged, others = self._unchanged, self._others
        self._unchanged, self._others, self._entries = [], [], 0
        if others and self._migration.follows_moves:
            others = self._follow_moves(others)
            unchanged = [each for each in unchanged if not self.moves.has_left(each[0])]
        if unchanged:
            others = _record_unchanged(self._migration, unchanged) + others
        if others:
            _compare_and_record(self._migration, others)
        self._since = time.monotonic()

    def _follow_moves(self, others: Sequence[Listed]) -> list[Listed]:
        """Move in Box what these listings show to have moved; return those that are still to be compared."""
        rows = self.moves.candidates([listing for _, listing, _ in others])
        followed = []
        for each in others:
            folder, listing, _ = each
            if self.moves.has_left(folder):
                continue
            with _failing(self._migration, folder):
                self.moves.follow(folder, _own(self._migration, folder, listing), rows)
                followed.append(each)
        return [each for each in followed if not self.moves.has_left(each[0])]


def _own(migration: Migration, folder: FolderNode, listing: list[Entry]) -> list[Entry]:
    """The entries that are this tree's: of one of loose files, the folders are not."""
    if folder.tree_id not in migration.files_only_trees:
        return listing
    return [entry for entry in listing if not moves_as_folder(entry) or migration.excluded(entry) is not None]


def _record_unchanged(migration: Migration, listed: Sequence[tuple[FolderNode, list[Entry]]]) -> list[Listed]:
    """Record that they are walked; those whose rows changed since they were claimed are to be compared all the same."""
    folders = [folder for folder, _ in listed]
    changed = {
        folder.id
        for folder in migration.checkpoint.record_unchanged(
            migration.pass_id, folders, worker=migration.worker
        )
    }
    for folder, listing in listed:
        if folder.id not in changed:
            migration.progress.walked(_own(migration, folder, listing), ())
    return [(folder, listing, None) for folder, listing in listed if folder.id in changed]


def _compare_and_record(migration: Migration, listed: Sequence[Listed]) -> None:
    known = migration.checkpoint.known_children_of([folder.id for folder, _, _ in listed])
    whole, renamed = list[Listed](), False
    for folder, listing, digest in listed:
        with _failing(migration, folder):
            each = _whole(migration, folder, listing, digest, known[folder.id])
            renamed = _follow_names(migration, folder, each[1], known[folder.id]) or renamed
            whole.append(each)
    if renamed:  # a file that changed folders is in the rows of both
        known = migration.checkpoint.known_children_of([folder.id for folder, _, _ in whole])
    found: list[tuple[FolderNode, list[Entry], Compared]] = []
    for folder, listing, digest in whole:
        with _failing(migration, folder):
            changes = _compare(migration, folder, listing, known[folder.id])
            if changes is not None:
                found.append((folder, listing, _compared(folder, changes, digest, known[folder.id])))
    if found:
        _record(migration, found)


def _whole(
    migration: Migration,
    folder: FolderNode,
    listing: list[Entry],
    digest: str | None,
    known: Sequence[KnownChild],
) -> Listed:
    """With what was found when it was asked for by name, which is asked for again each time."""
    whole = listing
    if migration.quick is None:  # nothing is gone by a quick pass
        whole = with_unlisted(migration.source, folder.path, listing, known, migration.stop.is_set)
    digest = digest if whole is listing and migration.quick is None else None
    return folder, _own(migration, folder, whole), digest


def _follow_names(
    migration: Migration, folder: FolderNode, listing: list[Entry], known: Sequence[KnownChild]
) -> bool:
    """Follow files that have each other's names or places; True where the rows may have changed."""
    if migration.quick is not None or not migration.follows_moves or not may_have_renamed(listing, known):
        return False
    # Read anew: an exchange with a folder before this one may have changed it.
    follow_exchanges(migration, folder, listing, migration.checkpoint.known_children(folder.id))
    follow_renames(migration, folder, listing, migration.checkpoint.known_children(folder.id))
    return True


def _compared(
    folder: FolderNode, changes: list[Change], digest: str | None, known: Sequence[KnownChild]
) -> Compared:
    if digest is not None and not may_be_remembered(changes, known):
        digest = None
    return Compared(folder_id=folder.id, changes=changes, digest=digest, seen=folder.listing_digest)


def _judge_emptied(migration: Migration) -> None:
    """Once the walk has seen all: folders that look emptied are failed, unless what they held was moved elsewhere.

    Many of them at once, since what is new is looked through for that.
    """
    while migration.emptied and not migration.stop.is_set():
        emptied = _next_emptied(migration)
        look_for(migration, [missing for *_, missing in emptied if missing is not None])
        for folder, whole, known, missing in emptied:
            with _failing(migration, folder):
                if missing is not None and not missing.was_moved:
                    _fail_folder(migration, folder, FOLDER_EMPTIED, EMPTIED)
                    continue
                changes = _compare(migration, folder, whole, known, judged=True)
                _record(migration, [(folder, whole, _compared(folder, changes or [], None, known))])


def _next_emptied(
    migration: Migration,
) -> list[tuple[FolderNode, list[Entry], list[KnownChild], Missing | None]]:
    """List some of these folders once more, with what is missing from each; None where it does not look so now."""
    found: list[tuple[FolderNode, list[Entry], list[KnownChild], Missing | None]] = []
    while migration.emptied and sum(len(known) for _, _, known, _ in found) < ENTRIES_AT_ONCE:
        folder_id, seen = migration.emptied.popitem()
        folder = migration.checkpoint.folder_chain(folder_id)[-1]
        if folder.path != seen.path:
            continue  # it was moved since, and walked again where it is now
        with _failing(migration, folder):
            listing = _own(migration, folder, migration.source.list_folder(folder.path))
            known = migration.checkpoint.known_children(folder_id)
            whole = with_unlisted(migration.source, folder.path, listing, known, migration.stop.is_set)
            missing = Missing(whole, known) if looks_emptied(migration, whole, known) else None
            found.append((folder, whole, known, missing))
    return found


def _compare(
    migration: Migration,
    folder: FolderNode,
    listing: list[Entry],
    known: list[KnownChild],
    *,
    judged: bool = False,
) -> list[Change] | None:
    """What is to be recorded of this folder; None when it looks emptied, and is judged later."""
    if not judged and looks_emptied(migration, listing, known):
        if len(migration.emptied) < EMPTIED_AT_MOST:
            migration.emptied[folder.id] = folder
        else:
            _fail_folder(migration, folder, FOLDER_EMPTIED, EMPTIED)
        return None
    changes, renames = compare_folder(
        listing, known, excluded=migration.excluded, reads_all=migration.reads_all
    )
    if any(change.kind is ChangeKind.MISSING for change in changes):
        # They stay in the frontier: it fails them one by one.
        away = disks_that_are_gone(migration, folder.path, listing, known)
        changes = [each for each in changes if each.kind is not ChangeKind.MISSING or each.name not in away]
    if migration.quick is not None:
        changes = migration.quick.chosen(changes)
        recorded = {change.name for change in changes}
        renames = [each for each in renames if each[0].name in recorded]
    for entry, choice in renames:
        detail = {"path": entry.path, "box_name": choice.box_name, "reason": choice.reason}
        migration.record_event(EventKind.RENAMED, detail)
    for kind, detail in remarks(folder.path, changes, listing):
        migration.record_event(kind, detail)
    return changes


def _record(migration: Migration, found: Sequence[tuple[FolderNode, list[Entry], Compared]]) -> None:
    """Write them down together; where that fails for a reason that nobody foresaw, one by one (P11)."""
    try:
        _write(migration, found)
    except Exception as exc:
        if outcome_of(exc) not in (Outcome.FAILED, Outcome.AGAIN):
            raise
        for each in found:
            with _failing(migration, each[0]):
                _write(migration, [each])


def _write(migration: Migration, found: Sequence[tuple[FolderNode, list[Entry], Compared]]) -> None:
    migration.checkpoint.record_listings(
        migration.pass_id,
        [each for _, _, each in found],
        compared=migration.plan.transfer.verify is Verification.LISTING,
        worker=migration.worker,
    )
    for _, listing, each in found:
        migration.progress.walked(listing, each.changes)


def _record_failure(
    migration: Migration,
    folder: FolderNode,
    error: ConnectorError,
    listings: Listings,
    away: dict[int, bool | None],
) -> None:
    """A folder that cannot be listed is a failed item of its tree, never a silent gap (P2).

    It is gone when the folder above does not list it any more, and not because the server says that it is not there;
    nor is it where that one looks emptied, which fails by itself.
    """
    if isinstance(error, FatalError):
        raise error
    if isinstance(error, NotFound | AccessDenied):
        migration.guard.require_root(folder.tree_id)
    if isinstance(error, NotFound) and folder.parent_id is not None:
        if not listings.shows(folder.path):
            if was_a_disk(migration, folder):
                _fail_folder(migration, folder, FOLDER_EMPTIED, DISK_GONE)
                return
            if migration.quick is not None or is_below_a_disk_that_is_away(migration, folder, away):
                _write(migration, [(folder, [], _compared(folder, [], None, ()))])
                return
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
