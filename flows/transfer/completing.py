"""Completing: is a tree all there, does Box's own listing say so, and then: let people in. Sends no file."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from connectors.box.types import BoxChild
from connectors.entry import EntryKind
from connectors.errors import ConnectorError, DestinationGone, FatalError, QuotaExceeded, Stopped
from flows.errors import Interrupted, WindowClosed
from flows.leftovers import give_back_sessions
from flows.plan.model import Verification
from flows.sharing.trees import share_tree
from flows.transfer.migration import Migration
from state.records import ExpectedChild, FolderNode, TreeRecord
from state.statuses import (
    DIFFERENT_IN_BOX,
    GONE_FROM_BOX,
    EventKind,
    IncompleteReason,
    PassState,
    TreeState,
)

log = logging.getLogger(__name__)

#: A person renamed it in Box.
RENAMED_IN_BOX = "renamed_in_box"

#: Missing folders made in one go.
FOLDERS_AT_ONCE = 500

#: A folder whose parents vanish in Box again and again is tried this often.
FOLDER_ATTEMPTS = 3

#: Differences of one kind that are named in the detail of a tree; the report has them all.
NAMED_DIFFERENCES = 3


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
        list(
            migration.senders.map(lambda folder: _create_folder(migration, folder, tries[folder.id]), folders)
        )
        migration.stop.raise_if_stopped()
    return False


def _create_folder(migration: Migration, folder: FolderNode, attempt: int) -> None:
    """A folder that cannot be made, or one above it, is recorded as failed: its tree is then incomplete."""
    try:
        migration.folders.box_id(folder.id)
    except FatalError as exc:
        migration.stop.fail(exc)
    except (Stopped, Interrupted):
        return
    except ConnectorError as exc:
        if isinstance(exc, DestinationGone) and attempt < FOLDER_ATTEMPTS:
            return  # somebody deleted its parents in Box; the next round makes them again
        migration.checkpoint.record_folder_creation_failed(folder.id, reason=exc.reason, detail=str(exc))


def complete_tree(migration: Migration, tree: TreeRecord) -> bool:
    """Verify and collaborate one tree if everything of it has arrived.

    True: nothing more is to do for it in this pass. False: Box differs from the checkpoint, the items concerned are
    pending again and want sending.
    """
    needs_folder = tree.id not in migration.files_only_trees
    if not migration.checkpoint.tree_is_settled(migration.pass_id, tree.id, needs_folder=needs_folder):
        migration.checkpoint.set_tree_state(
            tree.id,
            TreeState.INCOMPLETE,
            reason=IncompleteReason.FAILED_ITEMS,
            detail=_what_failed(migration, tree),
        )
        return True
    if not tree.verified and not verify_tree(migration, tree):
        return False
    collaborate_tree(migration, tree)
    return True


def _what_failed(migration: Migration, tree: TreeRecord) -> str:
    failures = migration.checkpoint.tree_report(tree.id).failures_by_reason
    return ", ".join(f"{count} {reason}" for reason, count in sorted(failures.items())) or "items are pending"


@dataclass
class Differences:
    """Where Box's listing contradicts the checkpoint: row ids of items by reason, and of folders that are gone."""

    items: dict[str, list[int]] = field(default_factory=dict)
    folders_gone: list[int] = field(default_factory=list)
    #: Renamed by a person in Box: told, never sent again.
    renamed: list[str] = field(default_factory=list)

    def add(self, reason: str, child: ExpectedChild) -> None:
        """One child differs."""
        if reason == RENAMED_IN_BOX:
            self.renamed.append(child.box_name)
        elif child.kind is EntryKind.FOLDER:
            self.folders_gone.append(child.row_id)
        else:
            self.items.setdefault(reason, []).append(child.row_id)

    def merge(self, other: Differences) -> None:
        """Take over what another folder found."""
        for reason, ids in other.items.items():
            self.items.setdefault(reason, []).extend(ids)
        self.folders_gone += other.folders_gone
        self.renamed += other.renamed

    def __str__(self) -> str:
        parts = [f"{len(ids):,} {reason}" for reason, ids in sorted(self.items.items())]
        parts += [f"{len(self.folders_gone):,} folders {GONE_FROM_BOX}"] if self.folders_gone else []
        parts += [f"renamed in Box: {', '.join(self.renamed[:NAMED_DIFFERENCES])}"] if self.renamed else []
        return ", ".join(parts)


def verify_tree(migration: Migration, tree: TreeRecord) -> bool:
    """Compare every folder of the tree with Box's listing of it (name, size, sha1): one call per 1,000 items.

    True when all agree. Otherwise what differs is pending again; what Box has beyond the checkpoint is reported.
    """
    if migration.plan.transfer.verify is Verification.RECEIPTS:
        _record_verified(migration, tree)
        return True
    found = Differences()
    with ThreadPoolExecutor(migration.plan.transfer.walk_threads, thread_name_prefix="verifier") as threads:
        for differences in _windowed(threads, migration, migration.checkpoint.folders_to_verify(tree.id)):
            found.merge(differences)
            migration.stop.raise_if_stopped()
    detail = str(found)
    if not detail:
        _record_verified(migration, tree)
        return True
    migration.checkpoint.record_verification_mismatch(
        tree.id, item_ids_by_reason=found.items, folder_ids_gone=found.folders_gone, detail=detail
    )
    migration.checkpoint.set_tree_state(
        tree.id, TreeState.INCOMPLETE, reason=IncompleteReason.VERIFICATION_FAILED, detail=detail
    )
    return False


def _record_verified(migration: Migration, tree: TreeRecord) -> None:
    """With what proved it, which the plan may say otherwise by the time of the report."""
    migration.record_event(
        EventKind.PROVEN, {"tree": tree.name, "by": migration.plan.transfer.verify.value}, tree=tree
    )
    migration.checkpoint.record_verified(tree.id)


def _windowed(
    threads: ThreadPoolExecutor, migration: Migration, folders: Iterable[FolderNode]
) -> Iterator[Differences]:
    """Verify many folders at once, never holding more of them than a few per thread (P9)."""
    source = iter(folders)
    window: set[Future[Differences]] = set()
    while True:
        room = 4 * migration.plan.transfer.walk_threads - len(window)
        window |= {threads.submit(_verify_folder, migration, folder) for folder in islice(source, room)}
        if not window:
            return
        done, window = wait(window, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def _verify_folder(migration: Migration, folder: FolderNode) -> Differences:
    """One folder's listing in Box against what the checkpoint expects there."""
    differences = Differences()
    if migration.stop.is_set() or folder.box_folder_id is None:
        return differences
    expected = migration.checkpoint.expected_children(folder.id)
    try:
        listed = {child.id: child for child in migration.box.list_folder(folder.box_folder_id)}
    except DestinationGone:
        differences.folders_gone.append(folder.id)
        return differences
    for box_id, child in expected.items():
        reason = compare_child(child, listed.get(box_id))
        if reason == DIFFERENT_IN_BOX:
            reason = _second_look(migration, child)
        if reason is not None:
            differences.add(reason, child)
    extra = [child.name for box_id, child in listed.items() if box_id not in expected]
    if extra:
        detail = {"path": folder.path, "count": len(extra), "names": extra[:NAMED_DIFFERENCES]}
        migration.record_event(EventKind.ONLY_IN_BOX, detail)
    return differences


def _second_look(migration: Migration, expected: ExpectedChild) -> str | None:
    """Ask for the file itself before its content is sent again: a listing may lag behind what it lists."""
    try:
        stored = migration.box.file_info(expected.box_id)
    except DestinationGone:
        return GONE_FROM_BOX
    if stored.trashed:
        return GONE_FROM_BOX
    return None if (stored.sha1, stored.size) == (expected.sha1, expected.size) else DIFFERENT_IN_BOX


def compare_child(expected: ExpectedChild, listed: BoxChild | None) -> str | None:
    """Why Box's listing does not show this child as the checkpoint has it; None when it does."""
    if listed is None:
        return GONE_FROM_BOX
    if expected.kind is EntryKind.FILE and (listed.sha1, listed.size) != (expected.sha1, expected.size):
        return DIFFERENT_IN_BOX
    return None if listed.name == expected.box_name else RENAMED_IN_BOX


def collaborate_tree(migration: Migration, tree: TreeRecord) -> None:
    """Let the plan's people in, each once (P4). The tree is complete when all of them are, or are invited."""
    share_tree(migration.access, tree)


def finish_pass(migration: Migration) -> dict[str, Any]:
    """End the pass and say what it came to: plan, pass, complete, and each tree with its counts."""
    migration.recorder.flush()
    give_back_sessions(migration)
    migration.call_counts.save()
    trees = migration.refresh_trees()
    complete = all(tree.state is TreeState.COMPLETE for tree in trees)
    summary: dict[str, Any] = {
        "complete": complete,
        "trees": [_tree_summary(migration, tree) for tree in trees],
    }
    migration.checkpoint.end_pass(
        migration.pass_id, PassState.COMPLETE if complete else PassState.INCOMPLETE, summary=summary
    )
    migration.progress.enter("complete" if complete else "incomplete")
    return {"plan": migration.plan.name, "pass": migration.pass_id, **summary}


def unfinished_pass(migration: Migration) -> dict[str, Any]:
    """What finish_pass says, of a pass that stays open for the next run."""
    trees = [_tree_summary(migration, tree) for tree in migration.refresh_trees()]
    return {"plan": migration.plan.name, "pass": migration.pass_id, "complete": False, "trees": trees}


def _tree_summary(migration: Migration, tree: TreeRecord) -> dict[str, Any]:
    counts = migration.checkpoint.tree_report(tree.id).items
    return {
        "name": tree.name,
        "state": tree.state.value,
        "incomplete_reason": tree.incomplete_reason.value if tree.incomplete_reason else None,
        "detail": tree.detail,
        "box_folder_id": tree.box_folder_id,
        "items": {"total": counts.total, "uploaded": counts.uploaded, "failed": counts.failed},
    }


def give_up(migration: Migration, cause: BaseException) -> None:
    """The run ends early: say so on every tree that is not complete. The pass stays open for the next run."""
    migration.stop.set()
    if isinstance(cause, WindowClosed | QuotaExceeded):
        reason, detail = IncompleteReason.LIMIT_REACHED, str(cause)
    elif not isinstance(cause, Exception | KeyboardInterrupt) or isinstance(
        cause, KeyboardInterrupt | Interrupted
    ):
        reason, detail = IncompleteReason.CANCELLED, None
    else:
        reason, detail = IncompleteReason.STOPPED, str(cause)
    for tree in migration.refresh_trees():
        if tree.state is not TreeState.COMPLETE:
            migration.checkpoint.set_tree_state(tree.id, TreeState.INCOMPLETE, reason=reason, detail=detail)
    migration.progress.enter(reason.value)
