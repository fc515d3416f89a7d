"""Folders in Box: one creator per path in all processes, parent before child, the id kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Integer, and_, bindparam, case, func, or_, select, update

from state.database.models import FOLDER_AWAITS_BOX, FOLDER_IS_IN_BOX, Folder, Tree
from state.records import FolderNode, Holder, WorkerLease
from state.statements.base import Statements
from state.statements.digests import FORGOTTEN, forget_listings, forget_listings_of_folders
from state.statements.listing_updates import NO_WAIVER
from state.statements.walking import NODE_COLUMNS, folder_node
from state.statements.workers import release_dead_workers
from state.statuses import ItemStatus, require_transition


class FolderStatements(Statements):
    """Folders in Box."""

    def folder_chain(self, folder_id: int) -> list[FolderNode]:
        """From the tree's root down to this folder."""

        return self.database.read(
            lambda connection: [folder_node(row) for row in connection.execute(_CHAIN, {"folder": folder_id})]
        )

    def claim_folder_creation(self, worker: WorkerLease, folder_id: int) -> bool:
        """True when this worker alone may create it now; False while a live other one does, or when it is created.

        A worker that holds the claim is told True again: it keeps its own threads apart. The time of the first claim
        is kept until the folder is in Box. LostLease when the worker was taken over.
        """

        def claim(connection: Connection) -> bool:
            self.require_alive(connection, worker)
            mine = {"folder": folder_id, "worker": worker.id, "now": self.now(connection)}
            return bool(connection.execute(_CLAIM_CREATION, mine).rowcount)

        if self.database.write(claim):
            return True
        # The other one may be dead.
        return release_dead_workers(self, sparing=worker) > 0 and self.database.write(claim)

    def release_folder_creation(self, worker: WorkerLease, folder_id: int) -> None:
        """Give the claim back without a result: another attempt may come from anywhere."""
        mine = and_(Folder.id == folder_id, Folder.create_claimed_by == worker.id)
        self.database.write(
            lambda connection: connection.execute(update(Folder).where(mine).values(create_claimed_by=None))
        )

    def record_folder_created(
        self,
        folder_id: int,
        *,
        box_folder_id: str,
        box_name: str,
        adopted: bool,
        box_etag: str | None = None,
        worker: WorkerLease | None = None,
    ) -> Holder | None:
        """Write down where the folder lies in Box, and release the claim; None when that is done.

        The status stays when the folder could not be listed (FAILED, WAIVED: that is not healed by its being in
        Box) or is out of sight (GONE, EXCLUDED); the id is kept in any case. `adopted`: Box had it before; it is
        this plan's all the same when it was, under a name that is GONE now.

        Returns who holds that folder of Box, in whatever tree of the plan, when another one does: then nothing is
        written and the claim stays (P7). LostLease when the worker was taken over: what it made in Box is not lost,
        since whoever has the claim now finds it there, as made since the first claim.
        """

        def record(connection: Connection) -> Holder | None:
            plan_id = connection.execute(_PLAN_OF_FOLDER, {"folder": folder_id}).scalar_one()
            others = connection.execute(
                _HOLDERS, {"box_id": box_folder_id, "plan": plan_id, "besides": folder_id}
            ).all()
            for other in others:
                if other.status != ItemStatus.GONE:
                    return _holder(other)
            # What an entry took over is no other's any more: one that is GONE and comes back is made anew.
            lost = {"box_folder_id": None, "created_by_plan": False}
            for other in others:
                forget_listings(connection, [other.id, other.parent_id])
                connection.execute(update(Folder).where(Folder.id == other.id).values(lost))
            ours = not adopted or any(other.created_by_plan for other in others)
            place = {"folder": folder_id, "box_id": box_folder_id, "new_box_name": box_name}
            place |= {"new_box_etag": box_etag}
            connection.execute(_CREATED, {**place, "plan": plan_id, "ours": ours})
            connection.execute(_UNPROVE_PARENT, {"folder": folder_id})
            return None

        return self.write_as(worker, record)

    def record_folder_creation_failed(
        self, folder_id: int, *, reason: str, detail: str, worker: WorkerLease | None = None
    ) -> None:
        """FAILED; releases the claim. One that somebody waived stays WAIVED, one that is out of sight as it is."""

        def fail(connection: Connection) -> None:
            query = select(Folder.status).where(Folder.id == folder_id).with_for_update()
            status = ItemStatus(connection.execute(query).scalar_one())
            values: dict[str, Any] = {"create_claimed_by": None}
            if status not in (ItemStatus.WAIVED, ItemStatus.GONE, ItemStatus.EXCLUDED):
                require_transition(status, ItemStatus.FAILED)
                values |= {"status": ItemStatus.FAILED, "reason": reason, "detail": detail}
            forget_listings_of_folders(connection, Folder.id == folder_id)
            connection.execute(update(Folder).where(Folder.id == folder_id).values(values))

        self.write_as(worker, fail)

    def folders_to_create(self, pass_id: int, *, tree_ids: Sequence[int], limit: int) -> list[FolderNode]:
        """Walked, not excluded/missing/failed, no box_folder_id yet (so that empty folders arrive too), parents first.

        Tree by tree. Those that somebody is creating right now are left out.
        """

        def to_create(connection: Connection) -> list[FolderNode]:
            found: list[FolderNode] = []
            for tree_id in sorted(tree_ids):
                which = {"tree": tree_id, "pass": pass_id, "most": limit - len(found)}
                found += [folder_node(row) for row in connection.execute(_TO_CREATE, which)]
                if len(found) >= limit:
                    break
            return found

        return self.database.read(to_create)

    def other_holders_of_box_folder(self, plan_id: int, box_folder_id: str, *, besides: int) -> list[Holder]:
        """Other folders of the plan that lie in this folder of Box: it is not to be adopted (P7).

        One that is GONE is none of them: a folder that got another name in the source lies in Box as it was.
        """
        which = {"box_id": box_folder_id, "plan": plan_id, "besides": besides}
        return self.database.read(
            lambda connection: [
                _holder(row)
                for row in connection.execute(_HOLDERS, which).all()
                if row.status != ItemStatus.GONE
            ]
        )

    def knows_box_folder(self, plan_id: int, box_folder_id: str) -> bool:
        """Tell whether any folder of the plan lies, or lay before it was GONE, in this folder of Box."""
        which = {"box_id": box_folder_id, "plan": plan_id, "besides": 0}
        return self.database.read(lambda connection: connection.execute(_HOLDERS, which).first() is not None)

    def folder_was_created_by_plan(self, folder_id: int) -> bool:
        """True when this plan made the folder in Box, False when it was adopted."""
        query = select(Folder.created_by_plan).where(Folder.id == folder_id)
        return bool(self.database.read(lambda connection: connection.execute(query).scalar_one()))


_PLAN_OF_FOLDER = (
    select(Tree.plan_id)
    .join(Folder, Folder.tree_id == Tree.id)
    .where(Folder.id == bindparam("folder"))
    .with_for_update(of=Folder)
)

_HOLDERS = (
    select(
        Folder.id,
        Folder.tree_id,
        Folder.parent_id,
        Folder.path,
        Folder.box_name,
        Folder.status,
        Folder.created_by_plan,
    )
    .where(Folder.box_folder_id == bindparam("box_id"), FOLDER_IS_IN_BOX)
    .where(Folder.box_plan_id == bindparam("plan"), Folder.id != bindparam("besides"))
    .order_by(Folder.id)
)


def _holder(row: Any) -> Holder:
    return Holder(tree_id=row.tree_id, path=row.path, box_name=row.box_name, is_tree=row.parent_id is None)


def _chain() -> Any:
    this = Folder.id == bindparam("folder")
    up = select(Folder.id, Folder.parent_id).where(this).cte("up", recursive=True)
    up = up.union_all(select(Folder.id, Folder.parent_id).join(up, Folder.id == up.c.parent_id))
    return select(*NODE_COLUMNS).join(up, Folder.id == up.c.id).order_by(Folder.depth)


_CHAIN = _chain()

_CLAIM_CREATION = (
    update(Folder)
    .where(Folder.id == bindparam("folder"), Folder.box_folder_id.is_(None))
    .where(or_(Folder.create_claimed_by.is_(None), Folder.create_claimed_by == bindparam("worker")))
    .values(
        create_claimed_by=bindparam("worker"),
        create_claimed_at=func.coalesce(
            Folder.create_claimed_at, bindparam("now", type_=Folder.create_claimed_at.type)
        ),
    )
)

_TO_CREATE = (
    select(*NODE_COLUMNS)
    .where(FOLDER_AWAITS_BOX, Folder.walked_pass == bindparam("pass"), Folder.create_claimed_by.is_(None))
    .where(Folder.tree_id == bindparam("tree"))
    .order_by(Folder.depth, Folder.id)
    .limit(bindparam("most", type_=Integer))
)

#: Being in Box heals no folder that could not be listed, and brings none back into sight.
_STAYS = or_(Folder.unlisted, Folder.status.in_((ItemStatus.GONE, ItemStatus.EXCLUDED)))

_CREATED = (
    update(Folder)
    .where(Folder.id == bindparam("folder"))
    .values(
        status=case((_STAYS, Folder.status), else_=ItemStatus.UPLOADED.value),
        reason=case((_STAYS, Folder.reason), else_=None),
        detail=case((_STAYS, Folder.detail), else_=None),
        box_folder_id=bindparam("box_id"),
        box_name=bindparam("new_box_name"),
        box_etag=bindparam("new_box_etag"),
        box_plan_id=bindparam("plan"),
        created_by_plan=bindparam("ours"),
        create_claimed_by=None,
        create_claimed_at=None,
        unproven=True,
        **{name: case((_STAYS, getattr(Folder, name)), else_=None) for name in NO_WAIVER},
    )
)

_UNPROVE_PARENT = (
    update(Folder)
    .where(Folder.id == select(Folder.parent_id).where(Folder.id == bindparam("folder")).scalar_subquery())
    .values(unproven=True, **FORGOTTEN)
)
