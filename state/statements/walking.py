"""Walking: claiming folders to list, what is known of them, and recording what the listing changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    exists,
    func,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.orm import aliased

from connectors.entry import EntryKind, Fingerprint
from state.database.models import FOLDER_IS_WALKED, FOLDER_WALK_IS_CLAIMED, Folder, Item, Pass, Tree
from state.diff import Change
from state.records import FolderNode, KnownChild, WorkerLease
from state.statements.base import (
    IDS_PER_STATEMENT,
    execute_many,
    in_chunks,
    insert_into,
    new_claim_number,
)
from state.statements.listing import ListingWrites, listing_writes
from state.statements.plans import HEALED_FOLDER
from state.statements.workers import WorkerStatements
from state.statuses import IncompleteReason, ItemStatus, TreeState, require_transition

NODE_COLUMNS = (
    Folder.id,
    Folder.tree_id,
    Folder.parent_id,
    Folder.path,
    Folder.box_name,
    Folder.box_folder_id,
)

#: A folder that is not there, or not ours to look into.
_OUT_OF_SIGHT = (ItemStatus.MISSING, ItemStatus.EXCLUDED)

#: Why a tree that is verified is not complete.
_WAITED_TO_BE_SHARED = (
    IncompleteReason.TREE_BELOW,
    IncompleteReason.COLLABORATION_FAILED,
    IncompleteReason.SHARED_LINK_FAILED,
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
    )


class WalkStatements(WorkerStatements):
    """The walk: frontier, listings, failures of folders."""

    def claim_folders_to_walk(
        self, worker: WorkerLease, pass_id: int, *, tree_ids: Sequence[int], limit: int
    ) -> list[FolderNode]:
        """Folders not walked in this pass and not claimed by a live worker, shallow ones first.

        Tree by tree in the order of their ids, so that trees complete one after the other. Empty: every folder is
        walked or in the hands of a live worker (see `walk_is_done`). LostLease when the worker was taken over.
        """
        claim = new_claim_number()

        def claim_folders(connection: Connection) -> list[FolderNode]:
            self._require_alive(connection, worker)
            mine = and_(
                Folder.walk_claimed_by == worker.id, Folder.walk_claim == claim, FOLDER_WALK_IS_CLAIMED
            )
            query = select(*NODE_COLUMNS).where(mine).order_by(Folder.tree_id, Folder.depth, Folder.id)
            already = connection.execute(query).all()
            if not already:
                ids = self._frontier(connection, pass_id, tree_ids, limit)
                for chunk in in_chunks(ids, IDS_PER_STATEMENT):
                    values = {"walk_claimed_by": worker.id, "walk_claim": claim}
                    connection.execute(update(Folder).where(Folder.id.in_(chunk)).values(values))
                already = connection.execute(query).all() if ids else []
            return [folder_node(row) for row in already]

        claimed = self._database.write(claim_folders)
        if claimed or not self.bury_dead_workers(sparing=worker):
            return claimed
        return self._database.write(claim_folders)

    def release_folders(self, worker: WorkerLease, folder_ids: Sequence[int]) -> None:
        """Give back folders that were claimed for the walk and not listed."""

        def release(connection: Connection) -> None:
            for chunk in in_chunks(folder_ids, IDS_PER_STATEMENT):
                mine = and_(Folder.id.in_(chunk), Folder.walk_claimed_by == worker.id)
                connection.execute(update(Folder).where(mine).values(walk_claimed_by=None, walk_claim=None))

        self._database.write(release)

    def known_children(self, folder_id: int) -> list[KnownChild]:
        """Everything the checkpoint has under this folder, MISSING included (never the grandchildren).

        Sorted by name.
        """

        def known(connection: Connection) -> list[KnownChild]:
            children = [
                _known_folder(row) for row in connection.execute(_KNOWN_FOLDERS, {"parent": folder_id})
            ]
            children += [_known_item(row) for row in connection.execute(_KNOWN_ITEMS, {"parent": folder_id})]
            return sorted(children, key=lambda child: child.name)

        return self._database.read(known)

    def record_listing(
        self, folder_id: int, pass_id: int, changes: Sequence[Change], *, worker: WorkerLease | None = None
    ) -> None:
        """One transaction: apply the differences, mark the folder walked in this pass. An unchanged folder costs one
        small write. A missing subfolder takes everything below it with it (MISSING). Any real change clears the
        tree's `verified`.

        With `worker`, LostLease is raised and nothing written when its lease was taken over. The same listing twice
        is the same as once. A folder that has gone out of sight since (MISSING, EXCLUDED) is left as it is.
        """

        def record(connection: Connection) -> None:
            if worker is not None:
                self._require_alive(connection, worker)
            folder = connection.execute(_FOLDER.with_for_update(), {"folder": folder_id}).one()
            writes = ListingWrites()
            if folder.status not in _OUT_OF_SIGHT:
                writes = listing_writes(folder_id, folder.tree_id, folder.depth, changes)
                _apply(connection, writes)
            if writes != ListingWrites():
                unverify(connection, folder.tree_id)
            if writes.restored_items or writes.restored_folders:
                # Out of sight they were compared with nothing.
                connection.execute(update(Folder).where(Folder.id == folder_id).values(unproven=True))
            if folder.status == ItemStatus.WAIVED and writes.brings_work:
                connection.execute(update(Folder).where(Folder.id == folder_id).values(NO_WAIVER))
            connection.execute(_MARK_WALKED, _walked(folder, pass_id, brings_work=writes.brings_work))

        self._database.write(record)

    def record_folder_failure(self, folder_id: int, pass_id: int, *, reason: str, detail: str) -> None:
        """The folder could not be listed: FAILED, walked; what is below keeps its status.

        One that somebody waived stays WAIVED, one that is out of sight by now MISSING or EXCLUDED.
        """
        self._database.write(
            lambda connection: self._fail_folder(connection, folder_id, pass_id, reason=reason, detail=detail)
        )

    def record_folder_vanished(self, folder_id: int, pass_id: int) -> None:
        """The folder was listed by its parent and is gone now: MISSING, walked, with everything below it.

        A tree's root is FAILED instead: a tree without its root is not an empty tree.
        """

        def vanish(connection: Connection) -> None:
            folder = connection.execute(_FOLDER, {"folder": folder_id}).one()
            if folder.parent_id is None:
                detail = "the tree's own folder is not in the source any more"
                self._fail_folder(connection, folder_id, pass_id, reason="not_found", detail=detail)
                return
            connection.execute(_MARK_WALKED, _walked(folder, pass_id))
            execute_many(connection, _MISSING_FOLDER, [{"row_id": folder_id}])
            _bury_below(connection, [folder_id])
            unverify(connection, folder.tree_id)

        self._database.write(vanish)

    def record_tree_taken_over(self, tree_id: int) -> None:
        """The tree's folder has another name in the source, and another tree has its folder in Box: all of it is
        MISSING, and nothing of it is left to do. `ensure_trees` brings it back."""

        def take_over(connection: Connection) -> None:
            root = select(Folder.id).where(
                Folder.tree_id == tree_id, Folder.parent_id.is_(None), Folder.status != ItemStatus.MISSING
            )
            for folder_id in connection.execute(root).scalars().all():
                execute_many(connection, _MISSING_FOLDER, [{"row_id": folder_id}])
                _bury_below(connection, [folder_id])
                done = {"state": TreeState.COMPLETE, "incomplete_reason": None, "detail": None}
                connection.execute(update(Tree).where(Tree.id == tree_id).values(done))

        self._database.write(take_over)

    def walk_is_done(self, pass_id: int, tree_id: int) -> bool:
        """True when every folder of the tree was listed in this pass, or failed to be."""
        return self._database.read(lambda connection: self._walk_is_done(connection, pass_id, tree_id))

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

        return self._database.read(fit)

    def _walk_is_done(self, connection: Connection, pass_id: int, tree_id: int) -> bool:
        query = select(Folder.id).where(_unwalked(pass_id), Folder.tree_id == tree_id).limit(1)
        return connection.execute(query).first() is None

    def _frontier(
        self, connection: Connection, pass_id: int, tree_ids: Sequence[int], limit: int
    ) -> list[int]:
        free = and_(_unwalked(pass_id), Folder.walk_claimed_by.is_(None))
        found: list[int] = []
        for chunk in in_chunks(sorted(tree_ids), IDS_PER_STATEMENT):
            has_some = exists().where(Folder.tree_id == Tree.id, free)
            for tree_id in connection.execute(
                select(Tree.id).where(Tree.id.in_(chunk), has_some).order_by(Tree.id)
            ):
                found += self._frontier_of_tree(connection, pass_id, tree_id[0], limit - len(found))
                if len(found) >= limit:
                    return found
        return found

    def _frontier_of_tree(self, connection: Connection, pass_id: int, tree_id: int, limit: int) -> list[int]:
        """The shallowest free folders. The index sorts by depth within each earlier pass, of which there are few."""
        candidates: list[tuple[int, int]] = []
        earlier: int | None = pass_id
        while True:
            oldest = select(func.max(Folder.walked_pass)).where(
                Folder.tree_id == tree_id, Folder.walked_pass < earlier, FOLDER_IS_WALKED
            )
            earlier = connection.execute(oldest).scalar_one_or_none()
            if earlier is None:
                return [folder_id for _, folder_id in sorted(candidates)[:limit]]
            free = select(Folder.depth, Folder.id).where(
                Folder.tree_id == tree_id,
                Folder.walked_pass == earlier,
                FOLDER_IS_WALKED,
                Folder.walk_claimed_by.is_(None),
            )
            shallow = free.order_by(Folder.depth, Folder.id).limit(limit).with_for_update(skip_locked=True)
            candidates += [(row.depth, row.id) for row in connection.execute(shallow)]

    def _fail_folder(
        self, connection: Connection, folder_id: int, pass_id: int, *, reason: str, detail: str
    ) -> None:
        folder = connection.execute(_FOLDER.with_for_update(), {"folder": folder_id}).one()
        status = ItemStatus(folder.status)
        connection.execute(_MARK_WALKED, _walked(folder, pass_id))
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
    Folder.box_folder_id,
    Folder.reason,
    Folder.detail,
).where(Folder.id == bindparam("folder"))

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
    )


def _unwalked(pass_id: int) -> ColumnElement[bool]:
    return and_(Folder.walked_pass < pass_id, FOLDER_IS_WALKED)


_MARK_WALKED = (
    update(Folder)
    .where(Folder.id == bindparam("row_id"))
    .values(
        walked_pass=bindparam("new_pass"),
        walk_claimed_by=None,
        walk_claim=None,
        unlisted=False,
        status=bindparam("new_status"),
        reason=bindparam("new_reason"),
        detail=bindparam("new_detail"),
    )
)


def _walked(folder: Any, pass_id: int, *, brings_work: bool = False) -> dict[str, Any]:
    """The parameters of `_MARK_WALKED`. A listing heals a failed listing, and new content ends a waiver."""
    row = {"row_id": folder.id, "new_pass": pass_id, "new_status": folder.status}
    row |= {"new_reason": folder.reason, "new_detail": folder.detail}
    healed = folder.status == ItemStatus.FAILED and folder.unlisted
    if healed or (folder.status == ItemStatus.WAIVED and brings_work):
        in_box = folder.box_folder_id is not None
        row |= {"new_status": ItemStatus.UPLOADED if in_box else ItemStatus.PENDING}
        row |= {"new_reason": None, "new_detail": None}
    return row


#: What moves after all is nobody's to answer for; that it was waived stays an event.
NO_WAIVER: dict[str, Any] = {"waived_by": None, "waived_why": None, "waived_at": None}

_SEEN: dict[str, Any] = {
    "kind": bindparam("new_kind"),
    "box_name": bindparam("new_box_name"),
    "size": bindparam("new_size"),
    "modified_ns": bindparam("new_modified_ns"),
    "created_ns": bindparam("new_created_ns"),
    "changed_ns": bindparam("new_changed_ns"),
    "source_file_id": bindparam("new_source_file_id"),
}
#: Of content that Box holds, sending has noted more than a listing shows.
_NOTE_OF_THE_SAME = case(
    (bindparam("new_in_box", type_=Boolean()), Item.note),
    else_=bindparam("new_note", type_=Item.note.type),
)

#: A sender may have uploaded this very content since `known_children` was read; then there is nothing to do.
_ALREADY_IN_BOX = and_(
    Item.status == ItemStatus.UPLOADED,
    Item.in_box,
    Item.kind == bindparam("new_kind"),
    Item.size == bindparam("new_size"),
    Item.modified_ns.is_not_distinct_from(bindparam("new_modified_ns")),
    Item.changed_ns.is_not_distinct_from(bindparam("new_changed_ns")),
    Item.source_file_id.is_not_distinct_from(bindparam("new_source_file_id")),
)

_PENDING_ITEM = (
    update(Item)
    .where(Item.id == bindparam("row_id"), not_(_ALREADY_IN_BOX))
    .values(
        **_SEEN,
        note=bindparam("new_note"),
        status=ItemStatus.PENDING,
        reason=None,
        detail=None,
        attempts=0,
        in_box=False,
        overtaken=Item.claimed_by.is_not(None),
        **NO_WAIVER,
    )
)
_RESTORED_ITEM = (
    update(Item)
    .where(Item.id == bindparam("row_id"))
    .values(**_SEEN, status=ItemStatus.UPLOADED, reason=None, detail=None, overtaken=False, **NO_WAIVER)
)
_EXCLUDED_ITEM = (
    update(Item)
    .where(Item.id == bindparam("row_id"))
    .values(
        **_SEEN,
        note=_NOTE_OF_THE_SAME,
        status=ItemStatus.EXCLUDED,
        reason=bindparam("new_reason"),
        detail=None,
        in_box=bindparam("new_in_box"),
    )
)
_FAILED_ITEM = (
    update(Item)
    .where(Item.id == bindparam("row_id"), Item.status != ItemStatus.WAIVED)
    .values(
        box_name=bindparam("new_box_name"),
        status=ItemStatus.FAILED,
        reason=bindparam("new_reason"),
        detail=bindparam("new_detail"),
        in_box=and_(Item.in_box, bindparam("same_name", type_=Boolean())),
    )
)
_MISSING_ITEM = (
    update(Item)
    .where(Item.id == bindparam("row_id"))
    .values(status=ItemStatus.MISSING, reason=None, detail=None)
)
_RESTORED_FOLDER = (
    update(Folder)
    .where(Folder.id == bindparam("row_id"))
    .values(
        status=HEALED_FOLDER,
        box_name=bindparam("new_box_name"),
        walked_pass=0,
        unlisted=False,
        # Verified out of sight, it was compared with nothing.
        unproven=True,
        reason=None,
        detail=None,
        **NO_WAIVER,
    )
)
_EXCLUDED_FOLDER = (
    update(Folder)
    .where(Folder.id == bindparam("row_id"))
    .values(status=ItemStatus.EXCLUDED, reason=bindparam("new_reason"), detail=None)
)
_MISSING_FOLDER = (
    update(Folder)
    .where(Folder.id == bindparam("row_id"))
    .values(status=ItemStatus.MISSING, reason=None, detail=None)
)


def _apply(connection: Connection, writes: ListingWrites) -> None:
    execute_many(connection, insert_into(connection, Item).on_conflict_do_nothing(), writes.new_items)
    execute_many(connection, _PENDING_ITEM, _without("new_reason", rows=writes.pending_items))
    execute_many(connection, _RESTORED_ITEM, _without("new_reason", "new_note", rows=writes.restored_items))
    execute_many(connection, _EXCLUDED_ITEM, writes.excluded_items)
    execute_many(connection, _MISSING_ITEM, writes.missing_items)
    execute_many(connection, _FAILED_ITEM, writes.failed_items)
    execute_many(connection, insert_into(connection, Folder).on_conflict_do_nothing(), writes.new_folders)
    execute_many(connection, _RESTORED_FOLDER, writes.restored_folders)
    execute_many(connection, _EXCLUDED_FOLDER, writes.excluded_folders)
    execute_many(connection, _MISSING_FOLDER, writes.missing_folders)
    _bury_below(connection, writes.buried_folder_ids)


def _without(*names: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def below(folder_ids: Sequence[int]) -> Any:
    """A subquery of the ids of every folder under these, not these themselves."""
    children = (
        select(Folder.id).where(Folder.parent_id.in_(folder_ids)).cte("below", recursive=True, nesting=True)
    )
    deeper = select(Folder.id).join(children, Folder.parent_id == children.c.id)
    return children.union_all(deeper)


def _bury_below(connection: Connection, folder_ids: Sequence[int]) -> None:
    """Everything under these folders becomes MISSING."""
    gone = {"status": ItemStatus.MISSING, "reason": None, "detail": None}
    for chunk in in_chunks(folder_ids, IDS_PER_STATEMENT):
        inside = select(below(chunk).c.id)
        everywhere = Item.folder_id.in_(chunk) | Item.folder_id.in_(inside)
        connection.execute(update(Item).where(everywhere, Item.status != ItemStatus.MISSING).values(gone))
        connection.execute(update(Folder).where(Folder.id.in_(inside)).values(gone))


def unverify(connection: Connection, tree_id: int) -> None:
    """What was proven of the tree, is not any more, nor what was said of a tree that was verified."""
    waited = Tree.incomplete_reason.in_(_WAITED_TO_BE_SHARED)
    was_proven = or_(Tree.state.in_((TreeState.VERIFIED, TreeState.COMPLETE)), waited)
    values = {
        "verified": False,
        "state": case((was_proven, TreeState.MOVING.value), else_=Tree.state),
        "incomplete_reason": case((waited, None), else_=Tree.incomplete_reason),
        "detail": case((waited, None), else_=Tree.detail),
    }
    connection.execute(update(Tree).where(Tree.id == tree_id, Tree.verified).values(values))
