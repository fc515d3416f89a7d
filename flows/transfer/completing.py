"""What makes a tree complete: it is all there, Box's own listing says so, its people are in. Sends no file.

`complete_tree` is the whole rule, in its order; its first half may be done long before the second (a tree inside it
is not complete, Box refuses a person), which is then tried again by `complete_verified_tree` alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from connectors.errors import ConnectorError, DestinationGone, FatalError, Stopped
from flows.errors import Interrupted
from flows.run.notices import RUN, Tone
from flows.sharing.access import Access
from flows.sharing.links import is_to_be_published, publish
from flows.sharing.telling import complete_words
from flows.sharing.trees import (
    SETTLED,
    let_people_in,
    lets_people_in,
    take_uploaders_out,
    unfinished_below,
    waiting_above,
)
from flows.transfer.choosing import left_out_of
from flows.transfer.migration import Migration
from flows.transfer.outcomes import Outcome, failure_of, outcome_of
from flows.transfer.verifying import verify_tree
from state.records import FolderNode, TreeRecord
from state.statuses import IncompleteReason, TreeState

#: Told of a tree that is complete now, with the number of the line that waits in the checkpoint, if there is one.
Tell = Callable[[str, int | None], object]

#: Missing folders made in one go.
FOLDERS_AT_ONCE = 500

#: Refusals that are named in the detail of a tree.
NAMED_REFUSALS = 3

#: Box differs from the checkpoint, it is sent again, and again it differs: then the tree waits for the next run.
VERIFY_ROUNDS = 2

#: A folder that vanishes in Box again and again, or its parents, is tried this often.
FOLDER_ATTEMPTS = 3


def create_missing_folders(migration: Migration, tree: TreeRecord) -> bool:
    """Make the folders that no file has made yet (the empty ones). False when the run is stopping."""
    tries: Counter[int] = Counter()
    while not migration.stop.is_set():
        if tree.id in migration.files_only_trees:
            return True
        folders = migration.checkpoint.folders_to_create(
            migration.pass_id, tree_ids=[tree.id], limit=FOLDERS_AT_ONCE
        )
        if not folders:
            return True
        tries.update(folder.id for folder in folders)
        migration.senders.map(lambda folder: _create_folder(migration, folder, tries[folder.id]), folders)
        migration.stop.raise_if_stopped()
    return False


def _create_folder(migration: Migration, folder: FolderNode, attempt: int) -> None:
    """A folder that cannot be made, or one above it, is recorded as failed: its tree is then incomplete.

    So is one that was made again and again and is still to be made: nothing here goes on without progress.
    """
    if attempt > FOLDER_ATTEMPTS:
        detail = f"made {FOLDER_ATTEMPTS} times, and Box does not have it; look at who deletes it there, then retry"
        migration.checkpoint.record_folder_creation_failed(
            folder.id, reason=DestinationGone.reason, detail=detail, worker=migration.worker
        )
        return
    try:
        migration.folders.box_id(folder.id)
    except FatalError as exc:
        migration.stop.fail(exc)
    except (Stopped, Interrupted):
        return
    except ConnectorError as exc:
        if isinstance(exc, DestinationGone) and attempt < FOLDER_ATTEMPTS:
            return  # somebody deleted its parents in Box; the next round makes them again
        migration.checkpoint.record_folder_creation_failed(
            folder.id, reason=exc.reason, detail=str(exc), worker=migration.worker
        )
    except Exception as exc:
        if outcome_of(exc) is not Outcome.FAILED:
            raise
        reason, detail = failure_of(exc)
        migration.checkpoint.record_folder_creation_failed(
            folder.id, reason=reason, detail=detail, worker=migration.worker
        )


def complete_tree(migration: Migration, tree: TreeRecord) -> bool:
    """Verify and collaborate one tree if everything of it has arrived.

    A quick pass completes no tree that no whole pass did before: it did not look at everything.
    A tree is complete when, in this order: every entry is settled and none failed (`tree_is_settled`), Box's own
    listing agrees (`verify_tree`), the uploaders are out, the trees inside it are complete, its people are in and
    its link is made (`_share`).

    True: nothing more is to do for it in this run. False: Box differs from the checkpoint, the items concerned are
    pending again and want sending. When it differs again after that, a person has to look at who changes it in Box.
    """
    needs_folder = tree.id not in migration.files_only_trees
    if not migration.checkpoint.tree_is_settled(migration.pass_id, tree.id, needs_folder=needs_folder):
        if left := left_out_of(migration, tree):
            _incomplete(migration.access, tree, IncompleteReason.LEFT_OUT, left)
            return True
        _incomplete(migration.access, tree, IncompleteReason.FAILED_ITEMS, _what_failed(migration, tree))
        return True
    if migration.quick is not None and not migration.checkpoint.was_verified(tree.id):
        _incomplete(migration.access, tree, IncompleteReason.NOT_WHOLE, "run a whole pass: boxhaul migrate")
        return True
    if not tree.verified and not verify_tree(migration, tree):
        migration.mismatches[tree.id] += 1
        return migration.mismatches[tree.id] >= VERIFY_ROUNDS
    if migration.holds_people:
        _hold_people(migration.access, tree)
    else:
        complete_verified_tree(migration.access, tree, partial(_tell, migration))
    return True


def _hold_people(access: Access, tree: TreeRecord) -> None:
    """Nobody is let in: a verified tree that waits for nobody is complete, and any other is verified, also one that an
    earlier run left incomplete for its people or for a tree below. So are those above that waited for it alone."""
    tree = access.checkpoint.tree(tree.id)
    if not tree.verified:
        return
    if not _waits_for_nobody(access, tree):
        if tree.state is not TreeState.COMPLETE:
            access.checkpoint.set_tree_state(tree.id, TreeState.VERIFIED, worker=access.worker)
        return
    if _complete(access, tree):
        for above in waiting_above(access, tree, held=True):
            _hold_people(access, above)


def _waits_for_nobody(access: Access, tree: TreeRecord) -> bool:
    """Whether a tree is complete without letting anybody in, as it was perhaps before the share changed."""
    records = access.checkpoint.ensure_collaborations(tree.id, access.specs(tree))
    settled = all(record.status in SETTLED for record in records)
    return settled and not is_to_be_published(access, tree) and not unfinished_below(access, tree)


def _tell(migration: Migration, words: str, number: int | None) -> None:
    """People are told that a tree is complete; that it is to be told stands in the checkpoint until they were."""
    forget = None if number is None else partial(migration.checkpoint.forget_message, number)
    migration.tell(Tone.GOOD, words, sent=forget)


def complete_verified_tree(access: Access, tree: TreeRecord, tell: Tell | None = None) -> None:
    """Share a tree that is verified: it is complete when nothing lacks, then those that waited for it alone are, too.

    Safe to repeat: each person is let in once (P4). A tree that is not verified, as the checkpoint has it now, is
    left as it is. `tell`: told of each one that was not complete before, with the number of the line that waits in the
    checkpoint until people were told it; None where the plan tells nobody.
    """
    tree = access.checkpoint.tree(tree.id)
    if tree.verified and _complete(access, tree, tell):
        for above in waiting_above(access, tree):
            complete_verified_tree(access, above, tell)


def _complete(access: Access, tree: TreeRecord, tell: Tell | None = None) -> bool:
    """Share this tree alone; tell whether it is complete."""
    lacking = _share(access, tree)
    if lacking is not None:
        _incomplete(access, tree, *lacking)
        return False
    words = complete_words(tree, access.checkpoint.all_collaborations(tree.id)) if tell else ""
    waits = words if access.plan.notify is not None else ""
    new, number = access.checkpoint.complete_tree(tree.id, message=waits, by=RUN, worker=access.worker)
    if tell is not None and new:
        tell(words, number)
    return True


def _share(access: Access, tree: TreeRecord) -> tuple[IncompleteReason, str] | None:
    """Take uploaders out, let people in, make the link; return what the tree lacks to be complete, None for nothing.

    Nobody comes in while a tree inside its folder is not complete: they would see that one unfinished (P4). Who is in
    already stays in.
    """
    if (refusal := take_uploaders_out(access, tree)) is not None:
        return IncompleteReason.COLLABORATION_FAILED, refusal
    comes_in = (
        tree.state is not TreeState.COMPLETE
        or lets_people_in(access, tree)
        or is_to_be_published(access, tree)
    )
    if comes_in and (waiting := unfinished_below(access, tree)):
        return IncompleteReason.TREE_BELOW, ", ".join(below.name for below in waiting)
    if refused := let_people_in(access, tree):
        return IncompleteReason.COLLABORATION_FAILED, "; ".join(refused[:NAMED_REFUSALS])
    if (refusal := publish(access, tree)) is not None:
        return IncompleteReason.SHARED_LINK_FAILED, refusal
    return None


def _incomplete(access: Access, tree: TreeRecord, reason: IncompleteReason, detail: str) -> None:
    access.checkpoint.set_tree_state(
        tree.id, TreeState.INCOMPLETE, reason=reason, detail=detail, worker=access.worker
    )


def _what_failed(migration: Migration, tree: TreeRecord) -> str:
    failures = migration.checkpoint.tree_report(tree.id).failures_by_reason
    return ", ".join(f"{count} {reason}" for reason, count in sorted(failures.items())) or "items are pending"
