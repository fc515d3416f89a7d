"""Folders in Box: one creator per path in all processes, parent before child, the id kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, literal, or_, select, update

from state.database.models import FOLDER_AWAITS_BOX, FOLDER_IS_IN_BOX, Folder, Tree
from state.records import FolderNode, Holder, WorkerLease
from state.statements.base import Statements
from state.statements.listing import NO_WAIVER
from state.statements.walking import NODE_COLUMNS, folder_node
from state.statements.workers import release_dead_workers
from state.statuses import ItemStatus, require_transition


class FolderStatements(Statements):
    """Folders in Box."""

    def folder_chain(self, folder_id: int) -> list[FolderNode]:
        """From the tree's root down to this folder."""

        def chain(connection: Connection) -> list[FolderNode]:
            up = select(Folder.id, Folder.parent_id).where(Folder.id == folder_id).cte("up", recursive=True)
            up = up.union_all(select(Folder.id, Folder.parent_id).join(up, Folder.id == up.c.parent_id))
            query = select(*NODE_COLUMNS).join(up, Folder.id == up.c.id).order_by(Folder.depth)
            return [folder_node(row) for row in connection.execute(query)]

        return self.database.read(chain)

    def claim_folder_creation(self, worker: WorkerLease, folder_id: int) -> bool:
        """True when this worker alone may create it now; False while a live other one does, or when it is created.

        A worker that holds the claim is told True again: it keeps its own threads apart. The time of the first claim
        is kept until the folder is in Box. LostLease when the worker was taken over.
        """

        def claim(connection: Connection) -> bool:
            self.require_alive(connection, worker)
            free = or_(Folder.create_claimed_by.is_(None), Folder.create_claimed_by == worker.id)
            mine = and_(Folder.id == folder_id, Folder.box_folder_id.is_(None), free)
            now = literal(self.now(connection), Folder.create_claimed_at.type)
            first = func.coalesce(Folder.create_claimed_at, now)
            values = {"create_claimed_by": worker.id, "create_claimed_at": first}
            return bool(connection.execute(update(Folder).where(mine).values(values)).rowcount)

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
                connection.execute(update(Folder).where(Folder.id == other.id).values(lost))
            ours = not adopted or any(other.created_by_plan for other in others)
            values = _created(box_folder_id, box_name) | {"box_plan_id": plan_id, "created_by_plan": ours}
            connection.execute(update(Folder).where(Folder.id == folder_id).values(values))
            parent = select(Folder.parent_id).where(Folder.id == folder_id).scalar_subquery()
            connection.execute(update(Folder).where(Folder.id == parent).values(unproven=True))
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
            connection.execute(update(Folder).where(Folder.id == folder_id).values(values))

        self.write_as(worker, fail)

    def folders_to_create(self, pass_id: int, *, tree_ids: Sequence[int], limit: int) -> list[FolderNode]:
        """Walked, not excluded/missing/failed, no box_folder_id yet (so that empty folders arrive too), parents first.

        Tree by tree. Those that somebody is creating right now are left out.
        """

        def to_create(connection: Connection) -> list[FolderNode]:
            waiting = and_(
                FOLDER_AWAITS_BOX, Folder.walked_pass == pass_id, Folder.create_claimed_by.is_(None)
            )
            query = select(*NODE_COLUMNS).order_by(Folder.depth, Folder.id)
            found: list[FolderNode] = []
            for tree_id in sorted(tree_ids):
                rows = connection.execute(
                    query.where(waiting, Folder.tree_id == tree_id).limit(limit - len(found))
                )
                found += [folder_node(row) for row in rows]
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


def _created(box_folder_id: str, box_name: str) -> dict[str, Any]:
    """What a folder is once it lies in Box."""
    out_of_sight = Folder.status.in_((ItemStatus.GONE, ItemStatus.EXCLUDED))
    stays = or_(Folder.unlisted, out_of_sight)
    created = {
        "status": case((stays, Folder.status), else_=ItemStatus.UPLOADED.value),
        "reason": case((stays, Folder.reason), else_=None),
        "detail": case((stays, Folder.detail), else_=None),
        "box_folder_id": box_folder_id,
        "box_name": box_name,
        "create_claimed_by": None,
        "create_claimed_at": None,
        "unproven": True,
    }
    return created | {name: case((stays, getattr(Folder, name)), else_=None) for name in NO_WAIVER}
