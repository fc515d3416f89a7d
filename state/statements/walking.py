"""Walking: folders claimed to be listed, what is known of them, and when a tree is walked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    String,
    and_,
    bindparam,
    case,
    exists,
    func,
    not_,
    select,
    update,
)
from sqlalchemy.orm import aliased

from connectors.entry import EntryKind, Fingerprint
from state.database.models import FOLDER_IS_WALKED, FOLDER_WALK_IS_CLAIMED, Folder, Item, Pass, Tree
from state.records import FolderNode, KnownChild, WorkerLease
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks, new_claim_number
from state.statements.bulk import is_postgresql, one_of
from state.statements.workers import release_dead_workers
from state.statuses import ItemStatus

NODE_COLUMNS = (
    Folder.id,
    Folder.tree_id,
    Folder.parent_id,
    Folder.path,
    Folder.box_name,
    Folder.box_folder_id,
    Folder.create_claimed_at,
    Folder.listing_digest,
)


def folder_node(row: Any) -> FolderNode:
    """A row of NODE_COLUMNS as others see it."""
    return FolderNode(
        id=row.id,
        tree_id=row.tree_id,
        parent_id=row.parent_id,
        path=row.path,
        box_name=row.box_name,
        box_folder_id=row.box_folder_id,
        create_claimed_at=row.create_claimed_at,
        listing_digest=row.listing_digest,
    )


class WalkingStatements(Statements):
    """The walk: frontier and what is known."""

    def claim_folders_to_walk(
        self, worker: WorkerLease, pass_id: int, *, tree_ids: Sequence[int], limit: int
    ) -> list[FolderNode]:
        """Folders not walked in this pass and not claimed by a live worker, shallow ones first.

        Tree by tree in the order of their ids, so that trees complete one after the other. Empty: every folder is
        walked or in the hands of a live worker (see `walk_is_done`). LostLease when the worker was taken over.
        """
        claim = new_claim_number()
        mine = {"worker": worker.id, "claim_number": claim, "mark": f"claim {claim}"}

        def claim_folders(connection: Connection) -> list[FolderNode]:
            self.require_alive(connection, worker)
            already = connection.execute(_CLAIMED_FOLDERS, mine).all()
            if not already:
                ids = _frontier(connection, pass_id, tree_ids, limit)
                for chunk in in_chunks(ids, IDS_PER_STATEMENT):
                    connection.execute(_CLAIM[is_postgresql(connection)], {**mine, "ids": list(chunk)})
                already = connection.execute(_CLAIMED_FOLDERS, mine).all() if ids else []
            return [folder_node(row) for row in already]

        claimed = self.database.write(claim_folders)
        if claimed or not release_dead_workers(self, sparing=worker):
            return claimed
        return self.database.write(claim_folders)

    def release_folders(self, worker: WorkerLease, folder_ids: Sequence[int]) -> None:
        """Give back folders that were claimed for the walk and not listed."""

        def release(connection: Connection) -> None:
            for chunk in in_chunks(folder_ids, IDS_PER_STATEMENT):
                mine = and_(Folder.id.in_(chunk), Folder.walk_claimed_by == worker.id)
                connection.execute(update(Folder).where(mine).values(walk_claimed_by=None, walk_claim=None))

        self.database.write(release)

    def known_children(self, folder_id: int) -> list[KnownChild]:
        """Everything the checkpoint has under this folder, GONE included (never the grandchildren).

        Sorted by name.
        """
        return self.known_children_of([folder_id])[folder_id]

    def known_children_of(self, folder_ids: Sequence[int]) -> dict[int, list[KnownChild]]:
        """The same of many folders at once, by their ids."""

        def known(connection: Connection) -> dict[int, list[KnownChild]]:
            found: dict[int, list[KnownChild]] = {folder_id: [] for folder_id in folder_ids}
            for chunk in in_chunks(folder_ids, IDS_PER_STATEMENT):
                which, kind = {"ids": list(chunk)}, is_postgresql(connection)
                for row in connection.execute(_KNOWN_FOLDERS[kind], which):
                    found[row.parent_id].append(_known_folder(row))
                for row in connection.execute(_KNOWN_ITEMS[kind], which):
                    found[row[0]].append(_known_item(row))
            for children in found.values():
                children.sort(key=lambda child: child.name)
            return found

        return self.database.read(known)

    def walk_is_done(self, pass_id: int, tree_id: int) -> bool:
        """True when every folder of the tree was listed in this pass, or failed to be."""
        return self.database.read(lambda connection: walk_is_done(connection, pass_id, tree_id))

    def arrived_trees(self, pass_id: int, tree_ids: Sequence[int]) -> list[int]:
        """Those of these trees that are walked in this pass and have no PENDING file, whoever holds one."""

        def arrived(connection: Connection) -> list[int]:
            found: list[int] = []
            for chunk in in_chunks(sorted(tree_ids), IDS_PER_STATEMENT):
                which = {"ids": list(chunk), "pass": pass_id}
                found += connection.execute(_ARRIVED[is_postgresql(connection)], which).scalars()
            return found

        return self.database.read(arrived)

    def tree_was_walked(self, tree_id: int) -> bool:
        """True once every folder of the tree was listed, in whatever pass."""
        which = {"tree": tree_id}
        return self.database.read(lambda connection: connection.execute(_NEVER_WALKED, which).first() is None)

    def trees_fit_to_send(self, pass_id: int, tree_ids: Sequence[int]) -> list[int]:
        """Those of these trees of which every folder that was ever walked was walked by the rules of this pass.

        In the others a file may be PENDING that the rules exclude now, until this pass has compared it.
        """
        this = aliased(Pass)
        others = (
            select(Pass.id)
            .join(this, this.plan_id == Pass.plan_id)
            .where(this.id == pass_id, Pass.rules.is_distinct_from(this.rules))
        )
        outdated = exists().where(Folder.tree_id == Tree.id, Folder.walked_pass.in_(others), FOLDER_IS_WALKED)

        def fit(connection: Connection) -> list[int]:
            found: list[int] = []
            for chunk in in_chunks(sorted(tree_ids), IDS_PER_STATEMENT):
                query = select(Tree.id).where(Tree.id.in_(chunk), not_(outdated)).order_by(Tree.id)
                found += connection.execute(query).scalars()
            return found

        return self.database.read(fit)


def walk_is_done(connection: Connection, pass_id: int, tree_id: int) -> bool:
    """True when every folder of the tree was listed in this pass, or failed to be."""
    return connection.execute(_UNWALKED_OF_TREE, {"pass": pass_id, "tree": tree_id}).first() is None


def _frontier(connection: Connection, pass_id: int, tree_ids: Sequence[int], limit: int) -> list[int]:
    found: list[int] = []
    trees = _TREES_TO_WALK[is_postgresql(connection)]
    for chunk in in_chunks(sorted(tree_ids), IDS_PER_STATEMENT):
        for tree_id in connection.execute(trees, {"ids": list(chunk), "pass": pass_id}).scalars().all():
            found += _frontier_of_tree(connection, pass_id, tree_id, limit - len(found))
            if len(found) >= limit:
                return found
    return found


def _frontier_of_tree(connection: Connection, pass_id: int, tree_id: int, limit: int) -> list[int]:
    """The free folders that no pass has listed yet, then the others; in each, the shallowest first.

    The index sorts by depth within each earlier walk, of which there are few.
    """
    candidates: list[tuple[bool, int, int]] = []
    earlier: int | None = pass_id
    while True:
        before = {"tree": tree_id, "pass": earlier}
        earlier = connection.execute(_EARLIER_WALK, before).scalar_one_or_none()
        if earlier is None:
            return [folder_id for _, _, folder_id in sorted(candidates)[:limit]]
        which = {"tree": tree_id, "walk": earlier, "most": limit}
        candidates += [(earlier > 0, row.depth, row.id) for row in connection.execute(_FREE_FOLDERS, which)]


def _unwalked(pass_id: int | ColumnElement[int]) -> ColumnElement[bool]:
    return and_(Folder.walked_pass < pass_id, FOLDER_IS_WALKED)


_THIS_PASS: ColumnElement[int] = bindparam("pass", type_=Folder.walked_pass.type)

_UNWALKED_OF_TREE = (
    select(Folder.id).where(_unwalked(_THIS_PASS), Folder.tree_id == bindparam("tree")).limit(1)
)

_NEVER_WALKED = (
    select(Folder.id)
    .where(Folder.tree_id == bindparam("tree"), FOLDER_IS_WALKED, Folder.walked_pass == 0)
    .limit(1)
)
_CLAIMED_FOLDERS = (
    select(*NODE_COLUMNS)
    .where(Folder.walk_claimed_by == bindparam("worker"), Folder.walk_claim == bindparam("claim_number"))
    .where(FOLDER_WALK_IS_CLAIMED)
    .order_by(Folder.tree_id, Folder.depth, Folder.id)
)

#: What is remembered counts for the walk that listed the folder last; in place of anything else stands a mark.
_REMEMBERED_OR_MARK = case(
    (
        and_(Folder.listing_digest.is_not(None), Folder.digest_pass == Folder.walked_pass),
        Folder.listing_digest,
    ),
    else_=bindparam("mark", type_=String(64)),
)

_CLAIM = {
    postgresql: update(Folder)
    .where(one_of(Folder.id, postgresql=postgresql))
    .values(
        walk_claimed_by=bindparam("worker"),
        walk_claim=bindparam("claim_number"),
        listing_digest=_REMEMBERED_OR_MARK,
    )
    for postgresql in (False, True)
}

_TREES_TO_WALK = {
    postgresql: select(Tree.id)
    .where(one_of(Tree.id, postgresql=postgresql))
    .where(exists().where(Folder.tree_id == Tree.id, _unwalked(_THIS_PASS), Folder.walk_claimed_by.is_(None)))
    .order_by(Tree.id)
    for postgresql in (False, True)
}

_ARRIVED = {
    postgresql: select(Tree.id)
    .where(one_of(Tree.id, postgresql=postgresql))
    .where(not_(exists().where(Folder.tree_id == Tree.id, _unwalked(_THIS_PASS))))
    .where(not_(exists().where(Item.tree_id == Tree.id, Item.status == ItemStatus.PENDING)))
    .order_by(Tree.id)
    for postgresql in (False, True)
}

_EARLIER_WALK = select(func.max(Folder.walked_pass)).where(
    Folder.tree_id == bindparam("tree"), Folder.walked_pass < _THIS_PASS, FOLDER_IS_WALKED
)

_FREE_FOLDERS = (
    select(Folder.depth, Folder.id)
    .where(Folder.tree_id == bindparam("tree"), Folder.walked_pass == bindparam("walk"), FOLDER_IS_WALKED)
    .where(Folder.walk_claimed_by.is_(None))
    .order_by(Folder.depth, Folder.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)


def _children(query: Any, parent: Any) -> dict[bool, Any]:
    return {postgresql: query.where(one_of(parent, postgresql=postgresql)) for postgresql in (False, True)}


QUERY_OF_NEXT_FOLDERS, QUERY_OF_UNWALKED_FOLDERS = _FREE_FOLDERS, _UNWALKED_OF_TREE

_KNOWN_FOLDERS = _children(
    select(
        Folder.parent_id,
        Folder.id,
        Folder.name,
        Folder.box_name,
        Folder.status,
        Folder.reason,
        Folder.box_folder_id,
        Folder.source_file_id,
    ),
    Folder.parent_id,
)

_KNOWN_ITEMS = _children(
    select(
        Item.folder_id,
        Item.id,
        Item.name,
        Item.kind,
        Item.box_name,
        Item.status,
        Item.reason,
        Item.size,
        Item.modified_ns,
        Item.changed_ns,
        Item.source_file_id,
        Item.in_box,
        Item.settles_ns,
        Item.box_file_id,
    ),
    Item.folder_id,
)

_KINDS = {kind.value: kind for kind in EntryKind}
_STATUSES = {status.value: status for status in ItemStatus}


def _known_folder(row: Any) -> KnownChild:
    return KnownChild(
        id=row.id,
        name=row.name,
        kind=EntryKind.FOLDER,
        box_name=row.box_name,
        status=ItemStatus(row.status),
        reason=row.reason,
        fingerprint=Fingerprint(size=0, modified_ns=None, file_id=row.source_file_id),
        placed=row.box_folder_id is not None,
    )


def _known_item(row: Any) -> KnownChild:
    # One step for all columns: there are millions of these.
    _, row_id, name, kind, box_name, status, reason, size, modified_ns, changed_ns, file_id, *rest = row
    in_box, settles_ns, box_file_id = rest
    return KnownChild(
        id=row_id,
        name=name,
        kind=_KINDS[kind],
        box_name=name if box_name is None else box_name,
        status=_STATUSES[status],
        reason=reason,
        fingerprint=Fingerprint(size=size, modified_ns=modified_ns, changed_ns=changed_ns, file_id=file_id),
        in_box=in_box,
        placed=box_file_id is not None,
        settles_ns=settles_ns,
    )
