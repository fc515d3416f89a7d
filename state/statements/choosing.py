"""Choosing: files that a run leaves out of what it sends, though they are pending. No status changes by that."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, case, or_, select, update

from state.change_records import FailedFile
from state.database.models import FOLDER_FAILED, ITEM_FAILED, ITEM_IS_CLAIMED, ITEM_IS_FREE, Folder, Item
from state.records import WorkerLease
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks
from state.statements.bulk import checked, is_postgresql, one_of
from state.statements.digests import forget_listings_of_folders, forget_listings_of_items
from state.statements.passes import HEALED_FOLDER
from state.statuses import PERMANENT_REASONS, ItemStatus

#: The claim of what its holder does not send; those of files on their way are larger.
SET_ASIDE = 0

_SET_ASIDE = {
    postgresql: update(Item)
    .where(one_of(Item.id, postgresql=postgresql), checked(Item.claimed_by == bindparam("worker")))
    .values(claim=SET_ASIDE)
    for postgresql in (False, True)
}

_FREE = {
    postgresql: select(Item.id).where(one_of(Item.tree_id, postgresql=postgresql), ITEM_IS_FREE).limit(1)
    for postgresql in (False, True)
}

_ON_THEIR_WAY = select(Item.id).where(ITEM_IS_CLAIMED, Item.claim != SET_ASIDE).limit(1)

_PUT_ASIDE = select(Item.id).where(ITEM_IS_CLAIMED, Item.claim == SET_ASIDE).limit(1)

_FAILED_FILES = (
    select(Item.id, Folder.path, Item.name, Item.size, Item.modified_ns)
    .join(Folder, Folder.id == Item.folder_id)
    .where(Item.tree_id == bindparam("tree"), ITEM_FAILED, Item.id > bindparam("after"))
    .where(Item.reason.not_in(PERMANENT_REASONS))
    .order_by(Item.id)
    .limit(bindparam("most"))
)


class ChoosingStatements(Statements):
    """Files set aside by a worker for as long as its lease lasts, and failures tried again one by one."""

    def set_aside(self, worker: WorkerLease, item_ids: Sequence[int]) -> None:
        """Nobody is given these files of this worker's claims before its lease ends; they stay PENDING.

        LostLease when the worker was taken over.
        """

        def put(connection: Connection) -> None:
            for chunk in in_chunks(item_ids, IDS_PER_STATEMENT):
                mine = {"ids": list(chunk), "worker": worker.id}
                connection.execute(_SET_ASIDE[is_postgresql(connection)], mine)

        self.write_as(worker, put)

    def has_files_to_send(self, worker: WorkerLease, tree_ids: Sequence[int]) -> bool:
        """True while any file of these trees is PENDING that nobody set aside, whoever holds it."""
        others = [
            _ON_THEIR_WAY.where(Item.claimed_by == worker.id),
            _ON_THEIR_WAY.where(Item.claimed_by != worker.id),
        ]

        def has_some(connection: Connection) -> bool:
            free = _FREE[is_postgresql(connection)]
            for chunk in in_chunks(tree_ids, IDS_PER_STATEMENT):
                if connection.execute(free, {"ids": list(chunk)}).first() is not None:
                    return True
                for query in others:
                    mine = query.where(Item.tree_id.in_(chunk), Item.status == ItemStatus.PENDING)
                    if connection.execute(mine).first() is not None:
                        return True
            return False

        return self.database.read(has_some)

    def has_files_set_aside(self, tree_ids: Sequence[int]) -> bool:
        """True while a worker has set a file of these trees aside."""

        def has_some(connection: Connection) -> bool:
            return any(
                connection.execute(
                    _PUT_ASIDE.where(Item.tree_id.in_(chunk), Item.status == ItemStatus.PENDING)
                ).first()
                is not None
                for chunk in in_chunks(tree_ids, IDS_PER_STATEMENT)
            )

        return self.database.read(has_some)

    def failed_files(self, tree_id: int, *, after: int = 0, limit: int = 5_000) -> list[FailedFile]:
        """Files of the tree that failed for a reason that a new pass tries again, by their ids from `after` on."""
        which = {"tree": tree_id, "after": after, "most": limit}
        return self.database.read(
            lambda connection: [
                FailedFile(id=row_id, path=f"{folder}/{name}" if folder else name, size=size, modified_ns=at)
                for row_id, folder, name, size, at in connection.execute(_FAILED_FILES, which).all()
            ]
        )

    def revive_files(self, item_ids: Sequence[int], *, worker: WorkerLease) -> None:
        """FAILED files → PENDING, with all their attempts again; what is not failed by now is left alone."""

        def revive(connection: Connection) -> None:
            for chunk in in_chunks(item_ids, IDS_PER_STATEMENT):
                these = (Item.id.in_(chunk), ITEM_FAILED)
                forget_listings_of_items(connection, *these)
                fresh = {"status": ItemStatus.PENDING, "attempts": 0, "reason": None, "detail": None}
                connection.execute(update(Item).where(*these).values(**fresh))

        self.write_as(worker, revive)

    def revive_folders(self, tree_ids: Sequence[int], *, worker: WorkerLease) -> None:
        """FAILED folders of these trees → what they were before: files below them may move."""

        def revive(connection: Connection) -> None:
            for chunk in in_chunks(tree_ids, IDS_PER_STATEMENT):
                these = (
                    Folder.tree_id.in_(chunk),
                    FOLDER_FAILED,
                    or_(Folder.unlisted, Folder.reason.not_in(PERMANENT_REASONS)),
                )
                forget_listings_of_folders(connection, *these)
                again = case((Folder.unlisted, 0), else_=Folder.walked_pass)
                healed = {"status": HEALED_FOLDER, "walked_pass": again, "reason": None, "detail": None}
                connection.execute(update(Folder).where(*these).values(**healed))

        self.write_as(worker, revive)
