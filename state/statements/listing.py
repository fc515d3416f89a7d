"""Listings: what a folder's listing, or its failure, changes in the checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, case, or_, select, update

from state.database.models import Folder, Item, Pass, Tree
from state.diff import Change, Compared
from state.records import FolderNode, WorkerLease
from state.statements.base import IDS_PER_STATEMENT, Statements, execute_many, in_chunks
from state.statements.digests import FORGOTTEN, forget_listings, remembered
from state.statements.listing_rows import ListingWrites, listing_writes
from state.statements.listing_updates import (
    EXCLUDED_FOLDER,
    EXCLUDED_ITEM,
    FAILED_ITEM,
    IDENTIFIED_FOLDER,
    MARK_WALKED,
    MISSING_FOLDER,
    MISSING_ITEM,
    NEW_FOLDERS,
    NEW_ITEMS,
    NO_WAIVER,
    PENDING_ITEM,
    RESTORED_FOLDER,
    RESTORED_ITEM,
)
from state.statements.plain_listings import mark_unchanged, record_plain
from state.statuses import NOT_FOUND, IncompleteReason, ItemStatus, TreeState, require_transition

#: A folder that is not there, or not ours to look into.
_OUT_OF_SIGHT = (ItemStatus.GONE, ItemStatus.EXCLUDED)

#: Why a tree that is verified is not complete.
_WAITED_TO_BE_SHARED = (
    IncompleteReason.TREE_BELOW,
    IncompleteReason.COLLABORATION_FAILED,
    IncompleteReason.SHARED_LINK_FAILED,
)


class ListingStatements(Statements):
    """Listings recorded, and folders that could not be listed."""

    def record_listing(
        self,
        folder_id: int,
        pass_id: int,
        changes: Sequence[Change],
        *,
        compared: bool = True,
        worker: WorkerLease | None = None,
    ) -> None:
        """One transaction: apply the differences, mark the folder walked in this pass. An unchanged folder costs one
        small write. A missing subfolder takes everything below it with it (GONE). Any real change clears the
        tree's `verified`.

        `compared`: Box's listing is compared afterwards. Without that, a file that comes back is PENDING, not UPLOADED:
        who sends it asks Box for it. With `worker`, LostLease is raised and nothing written when its lease was taken
        over. The same listing twice is the same as once. A folder that has gone out of sight since (GONE, EXCLUDED) is
        left as it is.
        """

        found = Compared(folder_id=folder_id, changes=changes)
        self.write_as(
            worker, lambda connection: _record_listing(connection, found, pass_id, compared=compared)
        )

    def record_listings(
        self,
        pass_id: int,
        found: Sequence[Compared],
        *,
        compared: bool = True,
        worker: WorkerLease | None = None,
    ) -> None:
        """The same of many folders in one transaction: all of them or none.

        Those that hold nothing but new entries, or nothing new at all, are written together; then the others, one after
        the other. What `found` says of a digest is remembered, unless the rows of its folder changed since they were
        read.
        """

        def record(connection: Connection) -> None:
            others, changed = record_plain(connection, pass_id, found)
            for tree_id in changed:
                unverify(connection, tree_id)
            for each in others:
                _record_listing(connection, each, pass_id, compared=compared)

        self.write_as(worker, record)

    def record_unchanged(
        self, pass_id: int, folders: Sequence[FolderNode], *, worker: WorkerLease
    ) -> list[FolderNode]:
        """These folders, claimed by this worker, list what their digest says: they are walked, and nothing else.

        Returns those of which something changed since they were claimed: they are to be compared. LostLease.
        """
        return self.write_as(worker, lambda connection: mark_unchanged(connection, worker, pass_id, folders))

    def record_folder_failure(
        self,
        folder_id: int,
        pass_id: int,
        *,
        reason: str,
        detail: str,
        worker: WorkerLease | None = None,
    ) -> None:
        """The folder could not be listed: FAILED, walked; what is below keeps its status.

        One that somebody waived stays WAIVED, one that is out of sight by now GONE or EXCLUDED.
        """
        self.write_as(
            worker,
            lambda connection: _fail_folder(connection, folder_id, pass_id, reason=reason, detail=detail),
        )

    def record_folder_vanished(
        self, folder_id: int, pass_id: int, *, worker: WorkerLease | None = None
    ) -> None:
        """The folder was listed by its parent and is gone now: GONE, with everything below it, and not to be walked.

        A tree's root is FAILED instead: a tree without its root is not an empty tree.
        """

        def vanish(connection: Connection) -> None:
            folder = connection.execute(_FOLDER, {"folder": folder_id}).one()
            if folder.parent_id is None:
                detail = "the tree's own folder is not in the source any more"
                _fail_folder(connection, folder_id, pass_id, reason=NOT_FOUND, detail=detail)
                return
            # Nobody has listed it in this pass: which one did so last is known still.
            connection.execute(MARK_WALKED, _walked(folder, folder.walked_pass))
            # The folder above lists it, maybe, when it comes back, as it did before.
            forget_listings(connection, [folder.parent_id])
            gone = _was_there(connection, folder)
            execute_many(connection, MISSING_FOLDER, [{"row_id": folder_id, "new_detail": gone}])
            _hide_below(connection, [folder_id], ItemStatus.GONE, detail=gone)
            unverify(connection, folder.tree_id)

        self.write_as(worker, vanish)

    def record_tree_gone(
        self, tree_id: int, *, detail: str | None = None, worker: WorkerLease | None = None
    ) -> None:
        """The tree's folder is not in the source any more: all of it is GONE, and nothing of it is left to do.

        `detail`: why, in place of until when it was there. `ensure_trees` brings it back. Idempotent.
        LostLease when the worker was taken over.
        """

        def take_away(connection: Connection) -> None:
            root = select(Folder.id).where(
                Folder.tree_id == tree_id, Folder.parent_id.is_(None), Folder.status != ItemStatus.GONE
            )
            for folder_id in connection.execute(root).scalars().all():
                folder = connection.execute(_FOLDER, {"folder": folder_id}).one()
                gone = detail or _was_there(connection, folder)
                execute_many(connection, MISSING_FOLDER, [{"row_id": folder_id, "new_detail": gone}])
                _hide_below(connection, [folder_id], ItemStatus.GONE, detail=gone)
                done = {"state": TreeState.COMPLETE, "incomplete_reason": None, "detail": None}
                connection.execute(update(Tree).where(Tree.id == tree_id).values(done))

        self.write_as(worker, take_away)


def _record_listing(connection: Connection, found: Compared, pass_id: int, *, compared: bool) -> None:
    """Whatever one folder's listing changes."""
    folder = connection.execute(_FOLDER_LOCKED, {"folder": found.folder_id}).one()
    writes, in_sight = ListingWrites(), folder.status not in _OUT_OF_SIGHT
    if in_sight:
        writes = listing_writes(folder.id, folder.tree_id, folder.depth, found.changes, now_ns=time.time_ns())
        if not compared:
            writes.send_restored()
        _apply(connection, writes, gone=_gone(connection, folder, writes))
    if replace(writes, identified_folders=[]) != ListingWrites():
        unverify(connection, folder.tree_id)
    if writes.comes_back or writes.restored_items:
        connection.execute(update(Folder).where(Folder.id == folder.id).values(unproven=True))
    if folder.status == ItemStatus.WAIVED and writes.brings_work:
        connection.execute(update(Folder).where(Folder.id == folder.id).values(NO_WAIVER))
    row = _walked(folder, pass_id, brings_work=writes.brings_work)
    if in_sight and not found.changes:
        row["new_digest"] = remembered(folder, found.digest, seen=found.seen)
    connection.execute(MARK_WALKED, row)


def _fail_folder(connection: Connection, folder_id: int, pass_id: int, *, reason: str, detail: str) -> None:
    folder = connection.execute(_FOLDER_LOCKED, {"folder": folder_id}).one()
    status = ItemStatus(folder.status)
    connection.execute(MARK_WALKED, _walked(folder, pass_id))
    forget_listings(connection, [folder.parent_id])
    if status in _OUT_OF_SIGHT:
        return
    if status is not ItemStatus.WAIVED:
        require_transition(status, ItemStatus.FAILED)
        status = ItemStatus.FAILED
    connection.execute(
        update(Folder)
        .where(Folder.id == folder_id)
        .values(status=status, unlisted=True, reason=reason, detail=detail)
    )
    unverify(connection, folder.tree_id)


_FOLDER = select(
    Folder.id,
    Folder.tree_id,
    Folder.parent_id,
    Folder.depth,
    Folder.status,
    Folder.unlisted,
    Folder.walked_pass,
    Folder.box_folder_id,
    Folder.reason,
    Folder.detail,
    Folder.listing_digest,
).where(Folder.id == bindparam("folder"))

_FOLDER_LOCKED = _FOLDER.with_for_update()


def _walked(folder: Any, pass_id: int, *, brings_work: bool = False) -> dict[str, Any]:
    """The parameters of `MARK_WALKED`. A listing heals a failed listing, and new content ends a waiver."""
    row = {"row_id": folder.id, "new_pass": pass_id, "new_digest": None, "new_status": folder.status}
    row |= {"new_reason": folder.reason, "new_detail": folder.detail}
    healed = folder.status == ItemStatus.FAILED and folder.unlisted
    if healed or (folder.status == ItemStatus.WAIVED and brings_work):
        in_box = folder.box_folder_id is not None
        row |= {"new_status": ItemStatus.UPLOADED if in_box else ItemStatus.PENDING}
        row |= {"new_reason": None, "new_detail": None}
    return row


def _gone(connection: Connection, folder: Any, writes: ListingWrites) -> str:
    """What is said of the entries that this listing does not show any more; "" when it shows all."""
    return _was_there(connection, folder) if writes.missing_items or writes.missing_folders else ""


def _was_there(connection: Connection, folder: Any) -> str:
    """Until when an entry of this folder was there: it was seen in the walk before this one."""
    query = select(Pass.started_at).where(Pass.id == folder.walked_pass)
    seen = None if folder.unlisted else connection.execute(query).scalar_one_or_none()
    return "was there in an earlier pass" if seen is None else f"was there until {seen:%Y-%m-%d %H:%M} UTC"


def _apply(connection: Connection, writes: ListingWrites, *, gone: str) -> None:
    NEW_ITEMS.run(connection, writes.new_items)
    execute_many(connection, PENDING_ITEM, _without("new_reason", rows=writes.pending_items))
    execute_many(connection, RESTORED_ITEM, _without("new_reason", "new_note", rows=writes.restored_items))
    execute_many(connection, EXCLUDED_ITEM, writes.excluded_items)
    execute_many(connection, MISSING_ITEM, [row | {"new_detail": gone} for row in writes.missing_items])
    execute_many(connection, FAILED_ITEM, writes.failed_items)
    NEW_FOLDERS.run(connection, writes.new_folders)
    execute_many(connection, RESTORED_FOLDER, writes.restored_folders)
    execute_many(connection, IDENTIFIED_FOLDER, writes.identified_folders)
    execute_many(connection, EXCLUDED_FOLDER, writes.excluded_folders)
    missing = [row | {"new_detail": gone} for row in writes.missing_folders]
    execute_many(connection, MISSING_FOLDER, missing)
    _hide_below(connection, [row["row_id"] for row in missing], ItemStatus.GONE, detail=gone)
    for row in writes.excluded_folders:
        # It is there, and a rule of the plan says that nothing of it moves.
        _hide_below(connection, [row["row_id"]], ItemStatus.EXCLUDED, reason=row["new_reason"])


def _without(*names: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def below(folder_ids: Sequence[int]) -> Any:
    """A subquery of the ids of every folder under these, not these themselves."""
    children = (
        select(Folder.id).where(Folder.parent_id.in_(folder_ids)).cte("below", recursive=True, nesting=True)
    )
    deeper = select(Folder.id).join(children, Folder.parent_id == children.c.id)
    return children.union_all(deeper)


def _hide_below(
    connection: Connection,
    folder_ids: Sequence[int],
    status: ItemStatus,
    *,
    reason: str | None = None,
    detail: str | None = None,
) -> None:
    """Everything under these folders becomes GONE or EXCLUDED; what is GONE already stays so."""
    hidden = {"status": status, "reason": reason, "detail": detail}
    for chunk in in_chunks(folder_ids, IDS_PER_STATEMENT):
        inside = select(below(chunk).c.id)
        everywhere = Item.folder_id.in_(chunk) | Item.folder_id.in_(inside)
        connection.execute(update(Item).where(everywhere, Item.status != ItemStatus.GONE).values(hidden))
        folders = update(Folder).where(Folder.id.in_(inside), Folder.status != ItemStatus.GONE)
        connection.execute(folders.values(hidden | FORGOTTEN))


_WAITED = Tree.incomplete_reason.in_(_WAITED_TO_BE_SHARED)
_WAS_PROVEN = or_(Tree.state.in_((TreeState.VERIFIED, TreeState.COMPLETE)), _WAITED)
_UNVERIFY = (
    update(Tree)
    .where(Tree.id == bindparam("tree"), Tree.verified)
    .values(
        verified=False,
        state=case((_WAS_PROVEN, TreeState.MOVING.value), else_=Tree.state),
        incomplete_reason=case((_WAITED, None), else_=Tree.incomplete_reason),
        detail=case((_WAITED, None), else_=Tree.detail),
    )
)


def unverify(connection: Connection, tree_id: int) -> None:
    """What was proven of the tree, is not any more, nor what was said of a tree that was verified."""
    connection.execute(_UNVERIFY, {"tree": tree_id})
