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
from flows.transfer.migration import OpenPlan
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


def create_missing_folders(opened: OpenPlan, tree: TreeRecord) -> bool:
    """Make the folders that no file has made yet (the empty ones). False when the run is stopping."""
    tries: Counter[int] = Counter()
    while not opened.stopping():
        if tree.id in opened.files_only_trees:
            return True
        folders = opened.checkpoint.folders_to_create(
            opened.pass_id, tree_ids=[tree.id], limit=FOLDERS_AT_ONCE
        )
        if not folders:
            return True
        tries.update(folder.id for folder in folders)
        list(opened.senders.map(lambda folder: _create_folder(opened, folder, tries[folder.id]), folders))
        opened.raise_if_stopped()
    return False


def _create_folder(opened: OpenPlan, folder: FolderNode, attempt: int) -> None:
    """A folder that cannot be made, or one above it, is recorded as failed: its tree is then incomplete."""
    try:
        opened.folders.box_id(folder.id)
    except FatalError as exc:
        opened.fail(exc)
    except (Stopped, Interrupted):
        return
    except ConnectorError as exc:
        if isinstance(exc, DestinationGone) and attempt < FOLDER_ATTEMPTS:
            return  # somebody deleted its parents in Box; the next round makes them again
        opened.checkpoint.record_folder_creation_failed(folder.id, reason=exc.reason, detail=str(exc))


def complete_tree(opened: OpenPlan, tree: TreeRecord) -> bool:
    """Verify and collaborate one tree if everything of it has arrived.

    True: nothing more is to do for it in this pass. False: Box differs from the checkpoint, the items concerned are
    pending again and want sending.
    """
    needs_folder = tree.id not in opened.files_only_trees
    if not opened.checkpoint.tree_is_settled(opened.pass_id, tree.id, needs_folder=needs_folder):
        opened.checkpoint.set_tree_state(
            tree.id,
            TreeState.INCOMPLETE,
            reason=IncompleteReason.FAILED_ITEMS,
            detail=_what_failed(opened, tree),
        )
        return True
    if not tree.verified and not verify_tree(opened, tree):
        return False
    collaborate_tree(opened, tree)
    return True


def _what_failed(opened: OpenPlan, tree: TreeRecord) -> str:
    failures = opened.checkpoint.tree_report(tree.id).failures_by_reason
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


def verify_tree(opened: OpenPlan, tree: TreeRecord) -> bool:
    """Compare every folder of the tree with Box's listing of it (name, size, sha1): one call per 1,000 items.

    True when all agree. Otherwise what differs is pending again; what Box has beyond the checkpoint is reported.
    """
    if opened.plan.transfer.verify is Verification.RECEIPTS:
        _record_verified(opened, tree)
        return True
    found = Differences()
    with ThreadPoolExecutor(opened.plan.transfer.walk_threads, thread_name_prefix="verifier") as threads:
        for differences in _windowed(threads, opened, opened.checkpoint.folders_to_verify(tree.id)):
            found.merge(differences)
            opened.raise_if_stopped()
    detail = str(found)
    if not detail:
        _record_verified(opened, tree)
        return True
    opened.checkpoint.record_verification_mismatch(
        tree.id, item_ids_by_reason=found.items, folder_ids_gone=found.folders_gone, detail=detail
    )
    opened.checkpoint.set_tree_state(
        tree.id, TreeState.INCOMPLETE, reason=IncompleteReason.VERIFICATION_FAILED, detail=detail
    )
    return False


def _record_verified(opened: OpenPlan, tree: TreeRecord) -> None:
    """With what proved it, which the plan may say otherwise by the time of the report."""
    opened.record_event(
        EventKind.PROVEN, {"tree": tree.name, "by": opened.plan.transfer.verify.value}, tree=tree
    )
    opened.checkpoint.record_verified(tree.id)


def _windowed(
    threads: ThreadPoolExecutor, opened: OpenPlan, folders: Iterable[FolderNode]
) -> Iterator[Differences]:
    """Verify many folders at once, never holding more of them than a few per thread (P9)."""
    source = iter(folders)
    window: set[Future[Differences]] = set()
    while True:
        room = 4 * opened.plan.transfer.walk_threads - len(window)
        window |= {threads.submit(_verify_folder, opened, folder) for folder in islice(source, room)}
        if not window:
            return
        done, window = wait(window, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def _verify_folder(opened: OpenPlan, folder: FolderNode) -> Differences:
    """One folder's listing in Box against what the checkpoint expects there."""
    differences = Differences()
    if opened.stopping() or folder.box_folder_id is None:
        return differences
    expected = opened.checkpoint.expected_children(folder.id)
    try:
        listed = {child.id: child for child in opened.box.list_folder(folder.box_folder_id)}
    except DestinationGone:
        differences.folders_gone.append(folder.id)
        return differences
    for box_id, child in expected.items():
        reason = compare_child(child, listed.get(box_id))
        if reason == DIFFERENT_IN_BOX:
            reason = _second_look(opened, child)
        if reason is not None:
            differences.add(reason, child)
    extra = [child.name for box_id, child in listed.items() if box_id not in expected]
    if extra:
        detail = {"path": folder.path, "count": len(extra), "names": extra[:NAMED_DIFFERENCES]}
        opened.record_event(EventKind.ONLY_IN_BOX, detail)
    return differences


def _second_look(opened: OpenPlan, expected: ExpectedChild) -> str | None:
    """Ask for the file itself before its content is sent again: a listing may lag behind what it lists."""
    try:
        stored = opened.box.file_info(expected.box_id)
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


def collaborate_tree(opened: OpenPlan, tree: TreeRecord) -> None:
    """Let the plan's people in, each once (P4). The tree is complete when all of them are, or are invited."""
    share_tree(opened.sharing, tree)


def finish_pass(opened: OpenPlan) -> dict[str, Any]:
    """End the pass and say what it came to: plan, pass, complete, and each tree with its counts."""
    opened.recorder.flush()
    give_back_sessions(opened)
    opened.save_call_counts()
    trees = opened.refresh_trees()
    complete = all(tree.state is TreeState.COMPLETE for tree in trees)
    summary: dict[str, Any] = {"complete": complete, "trees": [_tree_summary(opened, tree) for tree in trees]}
    opened.checkpoint.end_pass(
        opened.pass_id, PassState.COMPLETE if complete else PassState.INCOMPLETE, summary=summary
    )
    opened.progress.enter("complete" if complete else "incomplete")
    return {"plan": opened.plan.name, "pass": opened.pass_id, **summary}


def unfinished_pass(opened: OpenPlan) -> dict[str, Any]:
    """What finish_pass says, of a pass that stays open for the next run."""
    trees = [_tree_summary(opened, tree) for tree in opened.refresh_trees()]
    return {"plan": opened.plan.name, "pass": opened.pass_id, "complete": False, "trees": trees}


def _tree_summary(opened: OpenPlan, tree: TreeRecord) -> dict[str, Any]:
    counts = opened.checkpoint.tree_report(tree.id).items
    return {
        "name": tree.name,
        "state": tree.state.value,
        "incomplete_reason": tree.incomplete_reason.value if tree.incomplete_reason else None,
        "detail": tree.detail,
        "box_folder_id": tree.box_folder_id,
        "items": {"total": counts.total, "uploaded": counts.uploaded, "failed": counts.failed},
    }


def give_up(opened: OpenPlan, cause: BaseException) -> None:
    """The run ends early: say so on every tree that is not complete. The pass stays open for the next run."""
    opened.stop()
    if isinstance(cause, WindowClosed | QuotaExceeded):
        reason, detail = IncompleteReason.LIMIT_REACHED, str(cause)
    elif not isinstance(cause, Exception | KeyboardInterrupt) or isinstance(
        cause, KeyboardInterrupt | Interrupted
    ):
        reason, detail = IncompleteReason.CANCELLED, None
    else:
        reason, detail = IncompleteReason.STOPPED, str(cause)
    for tree in opened.refresh_trees():
        if tree.state is not TreeState.COMPLETE:
            opened.checkpoint.set_tree_state(tree.id, TreeState.INCOMPLETE, reason=reason, detail=detail)
    opened.progress.enter(reason.value)
