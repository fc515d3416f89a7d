"""Plans and their trees: made, found, and where they stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from state.database.models import WORKER_IS_ALIVE, Collaboration, Folder, Item, Plan, Tree, Worker
from state.errors import LeaseHeld, PlanMismatch
from state.records import TreeRecord, TreeSpec, WorkerLease
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks, insert_into
from state.statements.digests import FORGOTTEN
from state.statements.passes import HEALED_FOLDER
from state.statements.workers import release_dead_workers
from state.statuses import IncompleteReason, ItemStatus, TreeState

#: Why a run left a tree that another run moves on; what it waits for once it is verified is no such reason.
_LEFT_BY_A_RUN = (
    IncompleteReason.CANCELLED,
    IncompleteReason.LIMIT_REACHED,
    IncompleteReason.STOPPED,
    IncompleteReason.FAILED_ITEMS,
    IncompleteReason.VERIFICATION_FAILED,
    IncompleteReason.SOURCE_CHANGED,
    IncompleteReason.NOT_WHOLE,
)

_TREE_COLUMNS = (
    Tree.id,
    Tree.name,
    Tree.source,
    Tree.folder,
    Folder.id.label("root_folder_id"),
    Folder.box_folder_id,
    Tree.state,
    Tree.incomplete_reason,
    Tree.detail,
    Tree.verified,
    Tree.begun_at,
    Tree.shared_link,
    Tree.closed_at,
    Tree.closed_by,
)

#: A run has begun it. What an inventory wrote of the others binds nobody.
TREE_IS_BEGUN = Tree.incomplete_reason.is_distinct_from(IncompleteReason.NOT_BEGUN.value)

TREES = select(*_TREE_COLUMNS).join(Folder, (Folder.tree_id == Tree.id) & Folder.parent_id.is_(None))
_TREE = TREES.where(Tree.id == bindparam("tree"))


def tree_record(row: Any) -> TreeRecord:
    """A row of TREES as others see it."""
    return TreeRecord(
        id=row.id,
        name=row.name,
        source=row.source,
        folder=row.folder,
        root_folder_id=row.root_folder_id,
        box_folder_id=row.box_folder_id,
        state=TreeState(row.state),
        incomplete_reason=None if row.incomplete_reason is None else IncompleteReason(row.incomplete_reason),
        detail=row.detail,
        verified=row.verified,
        begun_at=row.begun_at,
        shared_link=row.shared_link,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
    )


class PlanStatements(Statements):
    """Plans and trees."""

    def ensure_plan(self, *, name: str, source_url: str, landing_folder_id: str) -> int:
        """Plan id; PlanMismatch when the name is known for another source/landing folder and the plan was begun.

        What an inventory of another source wrote is forgotten; LeaseHeld while a process is at work on it.
        `source_url` is kept and shown: it carries no password.
        """
        release_dead_workers(self)

        def ensure(connection: Connection) -> int:
            values = {"name": name, "source_url": source_url, "landing_folder_id": landing_folder_id}
            insert = insert_into(connection, Plan).on_conflict_do_nothing()
            connection.execute(insert, {**values, "created_at": self.now(connection)})
            row = connection.execute(select(Plan).where(Plan.name == name)).one()
            if (row.source_url, row.landing_folder_id) != (source_url, landing_folder_id):
                begun = select(Tree.id).where(Tree.plan_id == row.id, TREE_IS_BEGUN)
                if connection.execute(begun.limit(1)).first() is None:
                    _require_nobody_at_work(connection, row.id)
                    connection.execute(update(Plan).where(Plan.id == row.id).values(values))
                    for tree in plan_trees(connection, row.id) if row.source_url != source_url else ():
                        _delete_tree(connection, tree.id)
                    return int(row.id)
                raise PlanMismatch(
                    f"the checkpoint holds a plan {name!r} from {row.source_url} into folder {row.landing_folder_id}, "
                    f"not from {source_url} into {landing_folder_id}; give one of them another name"
                )
            return int(row.id)

        return self.database.write(ensure)

    def find_plan(self, name: str) -> int | None:
        """Plan id, or None when no plan of this name was ever started here."""
        return self.database.read(
            lambda connection: connection.execute(
                select(Plan.id).where(Plan.name == name)
            ).scalar_one_or_none()
        )

    def record_owner(self, plan_id: int, login: str) -> None:
        """The owner of the landing folder owns, and pays for, everything below it."""
        other = (Plan.id == plan_id) & (Plan.owner.is_distinct_from(login))
        self.database.write(
            lambda connection: connection.execute(update(Plan).where(other).values(owner=login))
        )

    def ensure_trees(
        self, plan_id: int, specs: Sequence[TreeSpec], *, moving: Collection[str] | None = None
    ) -> list[TreeRecord]:
        """Creates missing trees (with their root folder row, whose box_name is the last component of spec.folder);
        keeps known ones; trees of the plan that are not in specs stay in the database and are not returned, or are
        forgotten when none has begun them.

        `moving`: names of those that begin now; a new one that is not among them is INCOMPLETE, not begun. None: all.
        None of them: an inventory looks, and nothing begins.
        In the order of specs. PlanMismatch when a known tree comes from, or goes to, another folder now.
        """

        def ensure(connection: Connection) -> list[TreeRecord]:
            known = {tree.name: tree for tree in plan_trees(connection, plan_id)}
            wanted = {(spec.name, spec.source, spec.folder) for spec in specs}
            for tree in list(known.values()):
                if (tree.name, tree.source, tree.folder) not in wanted and _is_untouched(tree):
                    _delete_tree(connection, tree.id)
                    del known[tree.name]
            for spec in specs:
                if spec.name in known:
                    _require_same_tree(known[spec.name], spec)
                else:
                    _create_tree(connection, plan_id, spec, self.now(connection))
            known = {tree.name: tree for tree in plan_trees(connection, plan_id)}
            if (moving is None or moving) and all(map(_is_untouched, known.values())):
                # They came into the plan now, whenever somebody took an inventory of them.
                now = {"begun_at": self.now(connection)}
                connection.execute(update(Tree).where(Tree.plan_id == plan_id).values(now))
            for spec in specs:
                if moving is None or spec.name in moving:
                    _begin_tree(connection, known[spec.name])
            known = {tree.name: tree for tree in plan_trees(connection, plan_id)}
            return [known[spec.name] for spec in specs]

        return self.database.write(ensure)

    def trees(self, plan_id: int) -> list[TreeRecord]:
        """Every tree of the plan, in the order in which they were made."""
        return self.database.read(lambda connection: plan_trees(connection, plan_id))

    def tree(self, tree_id: int) -> TreeRecord:
        """One tree as it is now: a plan may have thousands."""
        which = {"tree": tree_id}
        return self.database.read(lambda connection: tree_record(connection.execute(_TREE, which).one()))

    def incomplete_trees(self, tree_ids: Sequence[int], *, limit: int) -> list[TreeRecord]:
        """The last of these trees that are not COMPLETE, in the order in which they were made; at most `limit`."""

        def incomplete(connection: Connection) -> list[TreeRecord]:
            found: list[TreeRecord] = []
            # From the end: trees complete in their order, so that one look is enough while many are left.
            for chunk in in_chunks(sorted(tree_ids, reverse=True), IDS_PER_STATEMENT):
                query = TREES.where(Tree.id.in_(chunk), Tree.state != TreeState.COMPLETE)
                query = query.order_by(Tree.id.desc()).limit(limit - len(found))
                found += [tree_record(row) for row in connection.execute(query)]
                if len(found) >= limit:
                    break
            return found[::-1]

        return self.database.read(incomplete)

    def set_tree_state(
        self,
        tree_id: int,
        state: TreeState,
        *,
        reason: IncompleteReason | None = None,
        detail: str | None = None,
        worker: WorkerLease | None = None,
    ) -> None:
        """Where the tree stands from now on, and why; VERIFIED and COMPLETE is only what is verified at this moment.

        LostLease when the worker was taken over.
        """
        is_proven = state in (TreeState.VERIFIED, TreeState.COMPLETE)
        this = and_(Tree.id == tree_id, Tree.verified) if is_proven else Tree.id == tree_id
        change = update(Tree).where(this).values(state=state, incomplete_reason=reason, detail=detail)
        self.write_as(worker, lambda connection: connection.execute(change))

    def take_up_trees(self, tree_ids: Sequence[int], *, worker: WorkerLease | None = None) -> None:
        """They move from now on: why an earlier run left them is not true any more.

        What keeps a verified tree from its people is left as it is. LostLease when the worker was taken over.
        """
        left = and_(Tree.state == TreeState.INCOMPLETE, Tree.incomplete_reason.in_(_LEFT_BY_A_RUN))
        moving = {"state": TreeState.MOVING, "incomplete_reason": None, "detail": None}

        def take_up(connection: Connection) -> None:
            for chunk in in_chunks(tree_ids, IDS_PER_STATEMENT):
                connection.execute(update(Tree).where(Tree.id.in_(chunk), left).values(moving))

        self.write_as(worker, take_up)


def plan_trees(connection: Connection, plan_id: int) -> list[TreeRecord]:
    """Every tree of the plan, in the order in which they were made."""
    query = TREES.where(Tree.plan_id == plan_id).order_by(Tree.id)
    return [tree_record(row) for row in connection.execute(query)]


def _require_nobody_at_work(connection: Connection, plan_id: int) -> None:
    """What it began with must not become something else under its hands."""
    query = select(Worker.name, Worker.host, Worker.pid, Worker.lease_until)
    at_work = connection.execute(query.where(Worker.plan_id == plan_id, WORKER_IS_ALIVE).limit(1)).first()
    if at_work is not None:
        raise LeaseHeld(
            f"the plan is in use, from another share or into another folder, by {at_work.name} on {at_work.host}, "
            f"pid {at_work.pid}; wait for it, or stop it",
            lease_until=at_work.lease_until,
        )


def _create_tree(connection: Connection, plan_id: int, spec: TreeSpec, now: datetime) -> None:
    tree = {"plan_id": plan_id, "name": spec.name, "source": spec.source, "folder": spec.folder}
    connection.execute(
        insert_into(connection, Tree).on_conflict_do_nothing(),
        {
            **tree,
            "state": TreeState.INCOMPLETE,
            "incomplete_reason": IncompleteReason.NOT_BEGUN,
            "verified": False,
            "begun_at": now,
        },
    )
    tree_id = connection.execute(
        select(Tree.id).where(Tree.plan_id == plan_id, Tree.name == spec.name)
    ).scalar_one()
    root = {
        "tree_id": tree_id,
        "parent_id": None,
        "depth": 0,
        "name": spec.source.rpartition("/")[2],
        "path": spec.source,
        "box_name": spec.folder.rpartition("/")[2],
        "status": ItemStatus.PENDING,
    }
    connection.execute(insert_into(connection, Folder).on_conflict_do_nothing(), root)


def _require_same_tree(tree: TreeRecord, spec: TreeSpec) -> None:
    if (tree.source, tree.folder) != (spec.source, spec.folder):
        raise PlanMismatch(
            f"the checkpoint holds a tree {spec.name!r} from {tree.source!r} into {tree.folder!r}, "
            f"not from {spec.source!r} into {spec.folder!r}; give one of them another name"
        )


def _is_untouched(tree: TreeRecord) -> bool:
    return tree.incomplete_reason is IncompleteReason.NOT_BEGUN and tree.box_folder_id is None


def _delete_tree(connection: Connection, tree_id: int) -> None:
    """A tree of which nothing is known but that the plan once named it, and what an inventory saw of it."""
    connection.execute(delete(Collaboration).where(Collaboration.tree_id == tree_id))
    connection.execute(delete(Item).where(Item.tree_id == tree_id))
    connection.execute(delete(Folder).where(Folder.tree_id == tree_id))
    connection.execute(delete(Tree).where(Tree.id == tree_id))


def _begin_tree(connection: Connection, tree: TreeRecord) -> None:
    """It moves from now on; one that another name had taken over is there again."""
    root = update(Folder).where(Folder.id == tree.root_folder_id, Folder.status == ItemStatus.GONE)
    back = connection.execute(root.values(status=HEALED_FOLDER, walked_pass=0, **FORGOTTEN)).rowcount
    if back or tree.incomplete_reason is IncompleteReason.NOT_BEGUN:
        moving = {"state": TreeState.MOVING, "incomplete_reason": None, "verified": False}
        connection.execute(update(Tree).where(Tree.id == tree.id).values(moving))
