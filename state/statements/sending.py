"""Files on their way: batches that a worker claims and gives back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, exists, select, update

from connectors.entry import Fingerprint
from state.database.models import ITEM_IS_CLAIMED, ITEM_IS_FREE, Folder, Item, Tree
from state.records import ClaimedItem, WorkerLease
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks, new_claim_number
from state.statements.bulk import checked, is_postgresql, one_of
from state.statements.workers import release_dead_workers
from state.statuses import ItemStatus

_ITEMS = select(
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
    Item.note,
    Item.box_modified_ns,
).join(Folder, Folder.id == Item.folder_id)

_CLAIMED_ITEMS = _ITEMS.where(
    Item.claimed_by == bindparam("worker"), Item.claim == bindparam("claim_number"), ITEM_IS_CLAIMED
).order_by(Item.tree_id, Item.attempts, Item.folder_id, Item.id)

_TRIED_AT_MOST = Item.attempts <= bindparam("attempts", type_=Integer)

#: By whether the attempts count: what is free in one tree, in the order in which it is sent.
_FREE_ITEMS = {
    counts: _ITEMS.where(
        Item.tree_id == bindparam("tree"), ITEM_IS_FREE, *([_TRIED_AT_MOST] if counts else [])
    )
    .order_by(Item.attempts, Item.folder_id, Item.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True, of=Item)
    for counts in (False, True)
}

QUERY_OF_NEXT_FILES = _FREE_ITEMS[False]

#: By the kind of database and the same: trees of which something is free.
_TREES_TO_SEND = {
    (postgresql, counts): select(Tree.id)
    .where(one_of(Tree.id, postgresql=postgresql))
    .where(exists().where(Item.tree_id == Tree.id, ITEM_IS_FREE, *([_TRIED_AT_MOST] if counts else [])))
    .order_by(Tree.id)
    for postgresql in (False, True)
    for counts in (False, True)
}

_CLAIM = {
    postgresql: update(Item)
    .where(one_of(Item.id, postgresql=postgresql))
    .values(claimed_by=bindparam("worker"), claim=bindparam("claim_number"), overtaken=False)
    for postgresql in (False, True)
}

_RELEASE = {
    postgresql: update(Item)
    .where(one_of(Item.id, postgresql=postgresql), checked(Item.claimed_by == bindparam("worker")))
    .values(claimed_by=None, claim=None, overtaken=False)
    for postgresql in (False, True)
}

_PENDING = {
    postgresql: select(Item.id)
    .where(one_of(Item.tree_id, postgresql=postgresql), Item.status == ItemStatus.PENDING)
    .limit(1)
    for postgresql in (False, True)
}


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
        which = {"worker": worker.id, "claim_number": new_claim_number()}

        def claim_items(connection: Connection) -> list[ClaimedItem]:
            self.require_alive(connection, worker)
            # Of a claim whose commit was answered by silence.
            rows = connection.execute(_CLAIMED_ITEMS, which).all()
            if not rows:
                rows = _free_items(connection, tree_ids, max_items, max_bytes, attempts_at_most)
                for chunk in in_chunks([row.id for row in rows], IDS_PER_STATEMENT):
                    connection.execute(_CLAIM[is_postgresql(connection)], {**which, "ids": list(chunk)})
            return [_claimed_item(row, which["claim_number"]) for row in rows]

        claimed = self.database.write(claim_items)
        if claimed or not release_dead_workers(self, sparing=worker):
            return claimed
        return self.database.write(claim_items)

    def has_pending_files(self, tree_ids: Sequence[int]) -> bool:
        """True while any file of these trees is PENDING, whoever holds it."""

        def has_some(connection: Connection) -> bool:
            pending = _PENDING[is_postgresql(connection)]
            return any(
                connection.execute(pending, {"ids": list(chunk)}).first() is not None
                for chunk in in_chunks(tree_ids, IDS_PER_STATEMENT)
            )

        return self.database.read(has_some)

    def release_claims(self, worker: WorkerLease, item_ids: Sequence[int]) -> None:
        """Give files back unsent; those that are not this worker's are left alone."""

        def release(connection: Connection) -> None:
            for chunk in in_chunks(item_ids, IDS_PER_STATEMENT):
                mine = {"ids": list(chunk), "worker": worker.id}
                connection.execute(_RELEASE[is_postgresql(connection)], mine)

        self.database.write(release)


def _free_items(
    connection: Connection,
    tree_ids: Sequence[int],
    max_items: int,
    max_bytes: int,
    attempts_at_most: int | None,
) -> list[Any]:
    found: list[Any] = []
    size, counts = 0, attempts_at_most is not None
    trees, free = _TREES_TO_SEND[is_postgresql(connection), counts], _FREE_ITEMS[counts]
    tried = {"attempts": attempts_at_most} if counts else {}
    for chunk in in_chunks(sorted(tree_ids), IDS_PER_STATEMENT):
        for tree_id in connection.execute(trees, {"ids": list(chunk), **tried}).scalars().all():
            which = {"tree": tree_id, "most": max_items - len(found), **tried}
            for row in connection.execute(free, which).all():
                size += row.size
                if found and size > max_bytes:
                    return found
                found.append(row)
            if len(found) >= max_items:
                return found
    return found


def _claimed_item(row: Any, claim: int) -> ClaimedItem:
    # One step for all columns: there are millions of these.
    row_id, tree_id, folder_id, folder, name, box_name, size, modified_ns, created_ns, changed_ns, *rest = row
    file_id, box_file_id, box_etag, box_version_id, sha1, settles_ns, adopted, *rest = rest
    attempts, note, box_modified_ns = rest
    return ClaimedItem(
        id=row_id,
        tree_id=tree_id,
        folder_id=folder_id,
        path=f"{folder}/{name}" if folder else name,
        box_name=name if box_name is None else box_name,
        size=size,
        fingerprint=Fingerprint(size=size, modified_ns=modified_ns, changed_ns=changed_ns, file_id=file_id),
        modified_ns=modified_ns,
        created_ns=created_ns,
        box_file_id=box_file_id,
        box_etag=box_etag,
        box_version_id=box_version_id,
        sha1=sha1,
        settles_ns=settles_ns,
        adopted=adopted,
        attempts=attempts,
        note=note,
        box_modified_ns=modified_ns if box_modified_ns is None else box_modified_ns,
        claim=claim,
    )
