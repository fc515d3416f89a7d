"""Verifying: Box's own listing against the checkpoint, folder by folder. Sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice

from connectors.box.types import BoxChild
from connectors.entry import EntryKind
from connectors.errors import DestinationGone
from flows.plan.model import Verification
from flows.transfer.migration import Migration
from state.records import ExpectedChild, FolderNode, TreeRecord
from state.statuses import DIFFERENT_IN_BOX, GONE_FROM_BOX, EventKind, IncompleteReason, TreeState

#: A person renamed it in Box.
RENAMED_IN_BOX = "renamed_in_box"

#: Differences of one kind that are named in the detail of a tree; the report has them all.
NAMED_DIFFERENCES = 3


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
        window |= {threads.submit(verify_folder, migration, folder) for folder in islice(source, room)}
        if not window:
            return
        done, window = wait(window, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def verify_folder(migration: Migration, folder: FolderNode) -> Differences:
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
