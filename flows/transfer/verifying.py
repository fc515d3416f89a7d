"""Verifying: Box's own listing against the checkpoint, folder by folder. Sends nothing."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

from connectors.box.types import BoxChild, BoxFile, BoxFolder, Known, Place
from connectors.entry import EntryKind
from connectors.errors import DestinationGone, ItemError, Rejected
from connectors.tracing import carried
from flows.plan.changes import InBox
from flows.plan.transfer import Verification
from flows.run.job import Job
from flows.sharing.own_files import OwnFiles
from flows.transfer.conflicts import editor_of
from flows.transfer.edits import LeftToBox, left_in_trash, put_back, settle
from flows.transfer.migration import Migration
from flows.transfer.outcomes import Outcome, failure_of, outcome_of
from flows.transfer.sight import topmost_gone
from state.records import ExpectedChild, FolderNode, TreeRecord
from state.statuses import (
    DIFFERENT_IN_BOX,
    GONE_FROM_BOX,
    LEFT_IN_TRASH,
    EventKind,
    IncompleteReason,
    TreeState,
)

#: Folders that wait to be listed, or for those before them, at most.
FOLDERS_AT_ONCE = 256

#: Differences of one kind that are named in the detail of a tree; the report has them all.
NAMED_DIFFERENCES = 3


@dataclass
class Differences:
    """Where Box contradicts the checkpoint: row ids of items by reason, and of folders that are gone."""

    items: dict[str, list[int]] = field(default_factory=dict)
    #: Row id of the folder → the id that Box does not know any more.
    folders_gone: dict[int, str] = field(default_factory=dict)
    #: Row id of a file that the plan leaves in Box's trash → its path, and what a person did.
    left: dict[int, tuple[str, str]] = field(default_factory=dict)
    #: Row ids of files that were left in Box's trash and lie in their folder again.
    restored: list[int] = field(default_factory=list)
    #: Why something could not be looked at; nothing is known of it.
    out_of_sight: list[str] = field(default_factory=list)

    def add(self, reason: str, child: ExpectedChild) -> None:
        """One child differs."""
        if child.kind is EntryKind.FOLDER:
            self.folders_gone[child.row_id] = child.box_id
        else:
            self.items.setdefault(reason, []).append(child.row_id)

    def merge(self, other: Differences) -> None:
        """Take over what another folder found."""
        for reason, ids in other.items.items():
            self.items.setdefault(reason, []).extend(ids)
        self.folders_gone |= other.folders_gone
        self.left |= other.left
        self.restored += other.restored
        self.out_of_sight += other.out_of_sight

    def __str__(self) -> str:
        parts = [f"{len(ids):,} {reason}" for reason, ids in sorted(self.items.items())]
        parts += [f"{len(self.folders_gone):,} folders {GONE_FROM_BOX}"] if self.folders_gone else []
        parts += [f"{len(self.restored):,} restored in Box"] if self.restored else []
        return ", ".join(parts + self.out_of_sight[:1])


@dataclass
class FolderLook:
    """One folder compared: what differs, and what people did there in Box, which is told and left as it is."""

    differences: Differences = field(default_factory=Differences)
    told: dict[EventKind, list[str]] = field(default_factory=dict)

    def tell(self, kind: EventKind, name: str) -> None:
        """A person did this to that child."""
        self.told.setdefault(kind, []).append(name)


def verify_tree(migration: Migration, tree: TreeRecord) -> bool:
    """Compare every folder of the tree with Box's listing of it (name, size, sha1): one call per 1,000 items.

    True when all agree. Otherwise what differs is pending again; what Box has beyond the checkpoint is reported.
    """
    by_listing = migration.plan.transfer.verify is not Verification.RECEIPTS
    found = Differences()
    # Receipts prove what was written down; what a dead process may have put into Box beside it is looked for.
    folders = (
        migration.checkpoint.folders_to_verify(tree.id)
        if by_listing
        else migration.checkpoint.folders_in_doubt(tree.id)
    )
    with closing(_looked_at(migration, folders)) as looks:
        for differences in looks:
            found.merge(differences)
            migration.stop.raise_if_stopped()
    detail = str(found)
    if not detail:
        _record_verified(migration, tree, by_listing=by_listing)
        return True
    migration.checkpoint.record_verification_mismatch(
        tree.id,
        item_ids_by_reason=found.items,
        folders_gone=found.folders_gone,
        detail=detail,
        worker=migration.worker,
    )
    if found.restored:
        migration.checkpoint.take_up_restored(tree.id, found.restored, worker=migration.worker)
    for row_id, (path, words) in found.left.items():
        settle(migration, row_id, path, LeftToBox(words, reason=LEFT_IN_TRASH))
    migration.recorder.flush()
    if found.folders_gone:
        migration.folders.read_again()
    migration.checkpoint.set_tree_state(
        tree.id,
        TreeState.INCOMPLETE,
        reason=IncompleteReason.VERIFICATION_FAILED,
        detail=detail,
        worker=migration.worker,
    )
    return False


def _record_verified(migration: Migration, tree: TreeRecord, *, by_listing: bool) -> None:
    """With what proved it, which the plan may say otherwise by the time of the report."""
    migration.record_event(
        EventKind.PROVEN, {"tree": tree.name, "by": migration.plan.transfer.verify.value}, tree=tree
    )
    migration.checkpoint.record_verified(tree.id, by_listing=by_listing, worker=migration.worker)


def _looked_at(migration: Migration, folders: Iterable[FolderNode]) -> Generator[Differences]:
    """Verify many folders at once, and hold no more of them than are listed within moments (P9).

    Whoever ends it early waits for those that are under way, and for no others.
    """
    over = threading.Event()

    def look_at(folder: FolderNode) -> Differences:
        return Differences() if over.is_set() else _verify_or_tell(migration, folder)

    migration.listers.begin_with(migration.senders.width // 2)
    source, look = iter(folders), carried(look_at)
    window: deque[Job[Differences]] = deque()
    try:
        while True:
            for folder in islice(source, FOLDERS_AT_ONCE - len(window)):
                window.append(migration.listers.submit(look, folder))
            if not window:
                return
            yield window.popleft().result()
    except KeyboardInterrupt:
        migration.stop.set()  # else those under way are waited for as long as Box is away
        raise
    finally:
        over.set()
        for job in window:
            job.wait()


def _verify_or_tell(migration: Migration, folder: FolderNode) -> Differences:
    """Compare one folder; one that cannot be compared is its own failure, and its tree's (P11)."""
    try:
        return verify_folder(migration, folder)
    except Exception as exc:
        if outcome_of(exc) not in (Outcome.FAILED, Outcome.AGAIN):
            raise
        return Differences(out_of_sight=[f"the folder {folder.path!r}: {failure_of(exc)[1]}"])


def verify_folder(migration: Migration, folder: FolderNode) -> Differences:
    """Compare one folder's listing in Box with what the checkpoint expects there."""
    look = FolderLook()
    if migration.stop.is_set() or folder.box_folder_id is None:
        return look.differences
    expected = migration.checkpoint.expected_children(folder.id)
    try:
        listed = {child.id: child for child in migration.box.list_folder(folder.box_folder_id)}
        for box_id, child in expected.items():
            reason = compare_child(child, listed.get(box_id))
            if reason is not None and box_id == child.box_id:
                reason = _look_again(migration, folder, child, look, listed=box_id in listed)
            if reason is not None:
                look.differences.add(reason, child)
    except DestinationGone as exc:
        _look_from_the_top(migration, folder, look.differences, exc)
        return look.differences
    except ItemError as exc:
        # What may not be looked at is not proven, and is no other folder's business (P11).
        look.differences.out_of_sight.append(f"{folder.path or folder.box_name}: {exc}")
        return look.differences
    others = [child for box_id, child in listed.items() if box_id not in expected]
    extra = _not_left_to_box(migration, folder, others, look.differences)
    for kind, names in {**look.told, EventKind.ONLY_IN_BOX: extra}.items():
        if names:
            detail = {"path": folder.path, "count": len(names), "names": names[:NAMED_DIFFERENCES]}
            migration.record_event(kind, detail)
    return look.differences


def _not_left_to_box(
    migration: Migration, folder: FolderNode, others: list[BoxChild], differences: Differences
) -> list[str]:
    """Names of what is in Box alone; what a plan left to Box is not, and what it left in the trash was restored."""
    left = migration.checkpoint.left_to_box(folder.id) if others else {}
    found = [left[child.id] for child in others if child.id in left]
    differences.restored += [row_id for row_id, was_trashed in found if was_trashed]
    others = [child for child in others if child.id not in left]
    # The plan's own reports lie there by request.
    reports = OwnFiles(migration.checkpoint, migration.box, migration.plan.checkpoint_name)
    own = reports.ids_among(folder.box_folder_id, others) if others else ()
    return [child.name for child in others if child.id not in own]


def compare_child(expected: ExpectedChild, listed: BoxChild | None) -> str | None:
    """Return why Box's listing does not show this child as the checkpoint has it; None when it does."""
    if listed is None:
        return GONE_FROM_BOX
    if expected.kind is EntryKind.FILE and (listed.sha1, listed.size) != (expected.sha1, expected.size):
        return DIFFERENT_IN_BOX
    return None if listed.name == expected.box_name else DIFFERENT_IN_BOX


def _look_again(
    migration: Migration, folder: FolderNode, child: ExpectedChild, look: FolderLook, *, listed: bool
) -> str | None:
    """Ask for the thing itself, by its id: a listing may lag, and what a person did in Box is never undone."""
    if child.kind is EntryKind.FOLDER:
        return _look_at_folder(migration, folder, child, look, listed=listed)
    try:
        stored = migration.box.file_info(child.box_id)
    except DestinationGone as exc:
        _gone(migration, folder, exc, listed=listed)
        return _gone_file(migration, folder, child, look)
    if stored.trashed:
        return _gone_file(migration, folder, child, look)
    if (stored.sha1, stored.size) != (child.sha1, child.size):
        editor = editor_of(migration, stored, version_id=child.version_id, sha1=child.sha1)
        if editor is None or migration.plan.changes.in_box is InBox.SOURCE:
            return DIFFERENT_IN_BOX
        look.tell(EventKind.CHANGED_IN_BOX, f"{child.box_name} ({editor})")
    _where_it_is(migration, folder, child, stored, look)
    return None


def _gone_file(migration: Migration, folder: FolderNode, child: ExpectedChild, look: FolderLook) -> str:
    """A file is gone from Box: it is sent again, or left so where the plan says it."""
    words = left_in_trash(migration, child.box_id)
    if words is None:
        return GONE_FROM_BOX
    look.differences.left[child.row_id] = (f"{folder.path}/{child.box_name}".lstrip("/"), words)
    return DIFFERENT_IN_BOX


def _look_at_folder(
    migration: Migration, folder: FolderNode, child: ExpectedChild, look: FolderLook, *, listed: bool
) -> str | None:
    try:
        found = migration.box.folder_info(child.box_id)
    except DestinationGone as exc:
        return _gone(migration, folder, exc, listed=listed)
    _where_it_is(migration, folder, child, found, look)
    return None


def _gone(migration: Migration, folder: FolderNode, refusal: DestinationGone, *, listed: bool) -> str:
    """Return that it is gone: Box neither lists it nor shows it by its id.

    What is hidden with its folder is not (DestinationGone); nor is what Box lists and does not show (Rejected).
    """
    migration.box.folder_info(folder.box_folder_id or "")
    if listed:
        raise Rejected(f"Box lists what it does not show. {refusal}") from refusal
    return GONE_FROM_BOX


def _where_it_is(
    migration: Migration,
    folder: FolderNode,
    child: ExpectedChild,
    stored: BoxFile | BoxFolder,
    look: FolderLook,
) -> None:
    """What has another name or place in Box stays there and is told; or is put back, where the plan says so."""
    was_moved = stored.parent_id not in (None, folder.box_folder_id)
    if not was_moved and stored.name == child.box_name:
        return
    more = ""
    if migration.plan.changes.in_box is InBox.SOURCE and stored.parent_id is not None:
        try:
            _put_back(migration, folder, child, stored, stored.parent_id)
            return
        except ItemError as exc:
            more = f" (it was not put back: {exc})"
    if was_moved:
        look.tell(EventKind.MOVED_IN_BOX, f"{child.box_name}{more}")
    if stored.name != child.box_name:
        look.tell(EventKind.RENAMED_IN_BOX, f"{child.box_name} is {stored.name}{more}")


def _put_back(
    migration: Migration,
    folder: FolderNode,
    child: ExpectedChild,
    stored: BoxFile | BoxFolder,
    parent_id: str,
) -> None:
    known = Known(kind=child.kind, box_id=child.box_id, name=stored.name, etag=stored.etag)
    now, wanted = Place(parent_id, stored.name), Place(folder.box_folder_id or "", child.box_name)
    path = f"{folder.path}/{child.box_name}".lstrip("/")
    changed = put_back(migration, known, now, wanted, path)
    migration.checkpoint.record_put_back(
        child.kind, child.row_id, box_etag=changed.etag, worker=migration.worker
    )


def _look_from_the_top(
    migration: Migration, folder: FolderNode, differences: Differences, refusal: DestinationGone
) -> None:
    """Box does not show this folder: the highest that is gone is made again, with all below it."""
    try:
        gone = topmost_gone(migration.checkpoint, migration.box, folder.id)
    except ItemError as exc:
        differences.out_of_sight.append(str(exc))
        return
    if gone is not None:
        differences.folders_gone[gone.id] = gone.box_folder_id or ""
    else:
        differences.out_of_sight.append(
            f"the folder {folder.path!r} was out of sight for a moment: {refusal}"
        )
