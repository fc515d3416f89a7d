"""Walking: folders claimed to be listed, what is known of them, and when a tree is walked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, func, not_, select, update
from sqlalchemy.orm import aliased

from connectors.entry import EntryKind, Fingerprint
from state.database.models import FOLDER_IS_WALKED, FOLDER_WALK_IS_CLAIMED, Folder, Item, Pass, Tree
from state.records import FolderNode, KnownChild, WorkerLease
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks, new_claim_number
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

        def claim_folders(connection: Connection) -> list[FolderNode]:
            self.require_alive(connection, worker)
            mine = and_(
                Folder.walk_claimed_by == worker.id, Folder.walk_claim == claim, FOLDER_WALK_IS_CLAIMED
            )
            query = select(*NODE_COLUMNS).where(mine).order_by(Folder.tree_id, Folder.depth, Folder.id)
            already = connection.execute(query).all()
            if not already:
                ids = _frontier(connection, pass_id, tree_ids, limit)
                for chunk in in_chunks(ids, IDS_PER_STATEMENT):
                    values = {"walk_claimed_by": worker.id, "walk_claim": claim}
                    connection.execute(update(Folder).where(Folder.id.in_(chunk)).values(values))
                already = connection.execute(query).all() if ids else []
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

        def known(connection: Connection) -> list[KnownChild]:
            children = [
                _known_folder(row) for row in connection.execute(_KNOWN_FOLDERS, {"parent": folder_id})
            ]
            children += [_known_item(row) for row in connection.execute(_KNOWN_ITEMS, {"parent": folder_id})]
            return sorted(children, key=lambda child: child.name)

        return self.database.read(known)

    def walk_is_done(self, pass_id: int, tree_id: int) -> bool:
        """True when every folder of the tree was listed in this pass, or failed to be."""
        return self.database.read(lambda connection: walk_is_done(connection, pass_id, tree_id))

    def arrived_trees(self, pass_id: int, tree_ids: Sequence[int]) -> list[int]:
        """Those of these trees that are walked in this pass and have no PENDING file, whoever holds one."""
        unwalked = exists().where(Folder.tree_id == Tree.id, _unwalked(pass_id))
        pending = exists().where(Item.tree_id == Tree.id, Item.status == ItemStatus.PENDING)

        def arrived(connection: Connection) -> list[int]:
            found: list[int] = []
            for chunk in in_chunks(sorted(tree_ids), IDS_PER_STATEMENT):
                query = select(Tree.id).where(Tree.id.in_(chunk), not_(unwalked), not_(pending))
                found += connection.execute(query.order_by(Tree.id)).scalars()
            return found

        return self.database.read(arrived)

    def tree_was_walked(self, tree_id: int) -> bool:
        """True once every folder of the tree was listed, in whatever pass."""
        query = select(Folder.id).where(Folder.tree_id == tree_id, FOLDER_IS_WALKED, Folder.walked_pass == 0)
        return self.database.read(lambda connection: connection.execute(query.limit(1)).first() is None)

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
    query = select(Folder.id).where(_unwalked(pass_id), Folder.tree_id == tree_id).limit(1)
    return connection.execute(query).first() is None


def _frontier(connection: Connection, pass_id: int, tree_ids: Sequence[int], limit: int) -> list[int]:
    free = and_(_unwalked(pass_id), Folder.walk_claimed_by.is_(None))
    found: list[int] = []
    for chunk in in_chunks(sorted(tree_ids), IDS_PER_STATEMENT):
        has_some = exists().where(Folder.tree_id == Tree.id, free)
        for tree_id in connection.execute(
            select(Tree.id).where(Tree.id.in_(chunk), has_some).order_by(Tree.id)
        ):
            found += _frontier_of_tree(connection, pass_id, tree_id[0], limit - len(found))
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
        oldest = select(func.max(Folder.walked_pass)).where(
            Folder.tree_id == tree_id, Folder.walked_pass < earlier, FOLDER_IS_WALKED
        )
        earlier = connection.execute(oldest).scalar_one_or_none()
        if earlier is None:
            return [folder_id for _, _, folder_id in sorted(candidates)[:limit]]
        free = select(Folder.depth, Folder.id).where(
            Folder.tree_id == tree_id,
            Folder.walked_pass == earlier,
            FOLDER_IS_WALKED,
            Folder.walk_claimed_by.is_(None),
        )
        shallow = free.order_by(Folder.depth, Folder.id).limit(limit).with_for_update(skip_locked=True)
        candidates += [(earlier > 0, row.depth, row.id) for row in connection.execute(shallow)]


_KNOWN_FOLDERS = select(
    Folder.id, Folder.name, Folder.box_name, Folder.status, Folder.reason, Folder.box_folder_id
).where(Folder.parent_id == bindparam("parent"))

_KNOWN_ITEMS = select(
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
).where(Item.folder_id == bindparam("parent"))


def _known_folder(row: Any) -> KnownChild:
    return KnownChild(
        id=row.id,
        name=row.name,
        kind=EntryKind.FOLDER,
        box_name=row.box_name,
        status=ItemStatus(row.status),
        reason=row.reason,
        fingerprint=Fingerprint(size=0, modified_ns=None),
        placed=row.box_folder_id is not None,
    )


def _known_item(row: Any) -> KnownChild:
    fingerprint = Fingerprint(
        size=row.size, modified_ns=row.modified_ns, changed_ns=row.changed_ns, file_id=row.source_file_id
    )
    return KnownChild(
        id=row.id,
        name=row.name,
        kind=EntryKind(row.kind),
        box_name=row.name if row.box_name is None else row.box_name,
        status=ItemStatus(row.status),
        reason=row.reason,
        fingerprint=fingerprint,
        in_box=row.in_box,
        placed=row.box_file_id is not None,
        settles_ns=row.settles_ns,
    )


def _unwalked(pass_id: int) -> ColumnElement[bool]:
    return and_(Folder.walked_pass < pass_id, FOLDER_IS_WALKED)
