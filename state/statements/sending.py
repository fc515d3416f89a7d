"""Files on their way: batches that a worker claims and gives back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, TextClause, and_, bindparam, exists, select, update

from connectors.entry import Fingerprint
from state.database.models import ITEM_IS_CLAIMED, ITEM_IS_FREE, Folder, Item, Tree
from state.records import ClaimedItem, WorkerLease
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks, new_claim_number
from state.statements.workers import release_dead_workers
from state.statuses import ItemStatus

_CLAIMED_ITEMS = (
    select(
        Item.id,
        Item.tree_id,
        Item.folder_id,
        Folder.path.label("folder_path"),
        Item.name,
        Item.box_name,
        Item.size,
        Item.modified_ns,
        Item.created_ns,
        Item.changed_ns,
        Item.source_file_id,
        Item.box_file_id,
        Item.box_etag,
        Item.box_version_id,
        Item.sha1,
        Item.settles_ns,
        Item.adopted,
        Item.attempts,
    )
    .join(Folder, Folder.id == Item.folder_id)
    .where(Item.claimed_by == bindparam("worker"), Item.claim == bindparam("claim_number"), ITEM_IS_CLAIMED)
    .order_by(Item.tree_id, Item.attempts, Item.folder_id, Item.id)
)


class SendingStatements(Statements):
    """Claims of files."""

    def claim_batch(
        self,
        worker: WorkerLease,
        *,
        tree_ids: Sequence[int],
        max_items: int,
        max_bytes: int,
        attempts_at_most: int | None = None,
    ) -> list[ClaimedItem]:
        """PENDING files, in folder order, at most so many and so many bytes (at least one). Empty: nothing to do now.

        Tree by tree; in each, what failed before comes after what was never tried, and what failed more than
        `attempts_at_most` times is left for later (see `has_pending_files`). No two workers, nor two threads of
        one, are ever given the same file. LostLease when the worker was taken over.
        """
        claim = new_claim_number()
        free = (
            ITEM_IS_FREE
            if attempts_at_most is None
            else and_(ITEM_IS_FREE, Item.attempts <= attempts_at_most)
        )

        def claim_items(connection: Connection) -> list[ClaimedItem]:
            self.require_alive(connection, worker)
            which = {"worker": worker.id, "claim_number": claim}
            rows = connection.execute(_CLAIMED_ITEMS, which).all()
            if not rows:
                ids = _free_items(connection, tree_ids, max_items, max_bytes, free)
                for chunk in in_chunks(ids, IDS_PER_STATEMENT):
                    values = {"claimed_by": worker.id, "claim": claim, "overtaken": False}
                    connection.execute(update(Item).where(Item.id.in_(chunk)).values(values))
                rows = connection.execute(_CLAIMED_ITEMS, which).all() if ids else []
            return [_claimed_item(row) for row in rows]

        claimed = self.database.write(claim_items)
        if claimed or not release_dead_workers(self, sparing=worker):
            return claimed
        return self.database.write(claim_items)

    def has_pending_files(self, tree_ids: Sequence[int]) -> bool:
        """True while any file of these trees is PENDING, whoever holds it."""

        def has_some(connection: Connection) -> bool:
            for chunk in in_chunks(tree_ids, IDS_PER_STATEMENT):
                pending = and_(Item.tree_id.in_(chunk), Item.status == ItemStatus.PENDING)
                if connection.execute(select(Item.id).where(pending).limit(1)).first() is not None:
                    return True
            return False

        return self.database.read(has_some)

    def release_claims(self, worker: WorkerLease, item_ids: Sequence[int]) -> None:
        """Give files back unsent; those that are not this worker's are left alone."""

        def release(connection: Connection) -> None:
            for chunk in in_chunks(item_ids, IDS_PER_STATEMENT):
                mine = and_(Item.id.in_(chunk), Item.claimed_by == worker.id)
                values = {"claimed_by": None, "claim": None, "overtaken": False}
                connection.execute(update(Item).where(mine).values(values))

        self.database.write(release)


def _free_items(
    connection: Connection,
    tree_ids: Sequence[int],
    max_items: int,
    max_bytes: int,
    free: ColumnElement[bool] | TextClause,
) -> list[int]:
    found: list[int] = []
    size = 0
    for chunk in in_chunks(sorted(tree_ids), IDS_PER_STATEMENT):
        has_some = exists().where(Item.tree_id == Tree.id, free)
        trees = select(Tree.id).where(Tree.id.in_(chunk), has_some).order_by(Tree.id)
        for tree_id in connection.execute(trees).scalars():
            query = select(Item.id, Item.size).where(Item.tree_id == tree_id, free)
            query = query.order_by(Item.attempts, Item.folder_id, Item.id).limit(max_items - len(found))
            for row in connection.execute(query.with_for_update(skip_locked=True)).all():
                size += row.size
                if found and size > max_bytes:
                    return found
                found.append(row.id)
            if len(found) >= max_items:
                return found
    return found


def _claimed_item(row: Any) -> ClaimedItem:
    return ClaimedItem(
        id=row.id,
        tree_id=row.tree_id,
        folder_id=row.folder_id,
        path=f"{row.folder_path}/{row.name}" if row.folder_path else row.name,
        box_name=row.name if row.box_name is None else row.box_name,
        size=row.size,
        fingerprint=Fingerprint(
            size=row.size, modified_ns=row.modified_ns, changed_ns=row.changed_ns, file_id=row.source_file_id
        ),
        modified_ns=row.modified_ns,
        created_ns=row.created_ns,
        box_file_id=row.box_file_id,
        box_etag=row.box_etag,
        box_version_id=row.box_version_id,
        sha1=row.sha1,
        settles_ns=row.settles_ns,
        adopted=row.adopted,
        attempts=row.attempts,
    )
