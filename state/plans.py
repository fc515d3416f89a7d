"""Plans, trees and passes: the sentences that open and close the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, case, select, update

from state.errors import PlanMismatch
from state.models import FOLDER_FAILED, ITEM_FAILED, PASS_IS_RUNNING, Event, Folder, Item, Pass, Plan, Tree
from state.records import TreeRecord, TreeSpec
from state.statements import Statements, insert_into
from state.statuses import PERMANENT_REASONS, IncompleteReason, ItemStatus, PassState, TreeState

#: What a folder is once nothing is wrong with it any more.
HEALED_FOLDER = case((Folder.box_folder_id.is_not(None), ItemStatus.UPLOADED), else_=ItemStatus.PENDING)

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
    Tree.shared_link,
)
TREES = select(*_TREE_COLUMNS).join(Folder, (Folder.tree_id == Tree.id) & Folder.parent_id.is_(None))


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
        shared_link=row.shared_link,
    )


class PlanStatements(Statements):
    """Plans, trees, passes, events."""

    def ensure_plan(self, *, name: str, source_url: str, landing_folder_id: str) -> int:
        """Plan id; PlanMismatch when the name is known for another source/landing folder.

        `source_url` is kept and shown: it carries no password.
        """

        def ensure(connection: Connection) -> int:
            values = {"name": name, "source_url": source_url, "landing_folder_id": landing_folder_id}
            insert = insert_into(connection, Plan).on_conflict_do_nothing()
            connection.execute(insert, {**values, "created_at": self._now(connection)})
            row = connection.execute(select(Plan).where(Plan.name == name)).one()
            if (row.source_url, row.landing_folder_id) != (source_url, landing_folder_id):
                raise PlanMismatch(
                    f"the checkpoint holds a plan {name!r} from {row.source_url} into folder {row.landing_folder_id}, "
                    f"not from {source_url} into {landing_folder_id}; give one of them another name"
                )
            return int(row.id)

        return self._database.write(ensure)

    def find_plan(self, name: str) -> int | None:
        """Plan id, or None when no plan of this name was ever started here."""
        return self._database.read(
            lambda connection: connection.execute(
                select(Plan.id).where(Plan.name == name)
            ).scalar_one_or_none()
        )

    def ensure_trees(self, plan_id: int, specs: Sequence[TreeSpec]) -> list[TreeRecord]:
        """Creates missing trees (with their root folder row, whose box_name is the last component of spec.folder);
        keeps known ones; trees of the plan that are not in specs stay in the database and are not returned.

        In the order of specs. PlanMismatch when a known tree comes from, or goes to, another folder now.
        """

        def ensure(connection: Connection) -> list[TreeRecord]:
            known = {tree.name: tree for tree in self._trees(connection, plan_id)}
            missing = [spec for spec in specs if spec.name not in known]
            for spec in missing:
                self._create_tree(connection, plan_id, spec)
            if missing:
                known = {tree.name: tree for tree in self._trees(connection, plan_id)}
            for spec in specs:
                _require_same_tree(known[spec.name], spec)
            return [known[spec.name] for spec in specs]

        return self._database.write(ensure)

    def trees(self, plan_id: int) -> list[TreeRecord]:
        """Every tree of the plan, in the order in which they were made."""
        return self._database.read(lambda connection: self._trees(connection, plan_id))

    def begin_pass(self, plan_id: int, *, kind: str) -> int:
        """Continues the RUNNING pass of this plan when there is one, else opens a new one (whose frontier is every
        folder again, and in which FAILED items of retryable kinds become PENDING again with attempts 0)."""

        def begin(connection: Connection) -> int:
            running = self._current_pass(connection, plan_id)
            if running is not None:
                return running
            values = {
                "plan_id": plan_id,
                "kind": kind,
                "state": PassState.RUNNING,
                "started_at": self._now(connection),
                "summary": {},
            }
            # Two processes may get here at once; the unique index lets one row in.
            connection.execute(insert_into(connection, Pass).on_conflict_do_nothing(), values)
            self._revive_failures(connection, plan_id, permanent_too=False, reason=None)
            begun = self._current_pass(connection, plan_id)
            assert begun is not None  # noqa: S101  (just inserted)
            return begun

        return self._database.write(begin)

    def current_pass(self, plan_id: int) -> int | None:
        """The RUNNING pass, or None."""
        return self._database.read(lambda connection: self._current_pass(connection, plan_id))

    def end_pass(self, pass_id: int, state: PassState, *, summary: Mapping[str, Any]) -> None:
        """The pass is over; the next `begin_pass` opens a new one. `summary` must fit into JSON."""
        self._database.write(
            lambda connection: connection.execute(
                update(Pass)
                .where(Pass.id == pass_id)
                .values(state=state, ended_at=self._now(connection), summary=dict(summary))
            )
        )

    def set_tree_state(
        self,
        tree_id: int,
        state: TreeState,
        *,
        reason: IncompleteReason | None = None,
        detail: str | None = None,
    ) -> None:
        """Where the tree stands from now on, and why."""
        self._database.write(
            lambda connection: connection.execute(
                update(Tree)
                .where(Tree.id == tree_id)
                .values(state=state, incomplete_reason=reason, detail=detail)
            )
        )

    def retry_failures(self, plan_id: int, *, reason: str | None = None) -> int:
        """FAILED items (of one reason) → PENDING; how many, folders included."""
        return self._database.write(
            lambda connection: self._revive_failures(connection, plan_id, permanent_too=True, reason=reason)
        )

    def record_event(
        self, plan_id: int, kind: str, detail: Mapping[str, Any], *, tree_id: int | None = None
    ) -> None:
        """Something worth telling an auditor; `detail` must fit into JSON."""
        self._database.write(
            lambda connection: self._record_event(connection, plan_id, kind, detail, tree_id=tree_id)
        )

    def _record_event(
        self,
        connection: Connection,
        plan_id: int,
        kind: str,
        detail: Mapping[str, Any],
        *,
        tree_id: int | None = None,
    ) -> None:
        values = {"plan_id": plan_id, "tree_id": tree_id, "at": self._now(connection), "kind": kind}
        connection.execute(insert_into(connection, Event), {**values, "detail": dict(detail)})

    def _trees(self, connection: Connection, plan_id: int) -> list[TreeRecord]:
        query = TREES.where(Tree.plan_id == plan_id).order_by(Tree.id)
        return [tree_record(row) for row in connection.execute(query)]

    def _tree_ids(self, connection: Connection, plan_id: int) -> list[int]:
        return list(
            connection.execute(select(Tree.id).where(Tree.plan_id == plan_id).order_by(Tree.id)).scalars()
        )

    def _current_pass(self, connection: Connection, plan_id: int) -> int | None:
        query = select(Pass.id).where(Pass.plan_id == plan_id, PASS_IS_RUNNING)
        return connection.execute(query).scalar_one_or_none()

    def _create_tree(self, connection: Connection, plan_id: int, spec: TreeSpec) -> None:
        tree = {"plan_id": plan_id, "name": spec.name, "source": spec.source, "folder": spec.folder}
        connection.execute(
            insert_into(connection, Tree).on_conflict_do_nothing(),
            {**tree, "state": TreeState.MOVING, "verified": False},
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

    def _revive_failures(
        self, connection: Connection, plan_id: int, *, permanent_too: bool, reason: str | None
    ) -> int:
        """FAILED → what they were before, with all their attempts again; how many."""
        revived = 0
        for tree_id in self._tree_ids(connection, plan_id):
            items = update(Item).where(Item.tree_id == tree_id, ITEM_FAILED)
            folders = update(Folder).where(Folder.tree_id == tree_id, FOLDER_FAILED)
            if reason is not None:
                items, folders = items.where(Item.reason == reason), folders.where(Folder.reason == reason)
            if not permanent_too:
                items = items.where(Item.reason.not_in(PERMANENT_REASONS))
                folders = folders.where(Folder.reason.not_in(PERMANENT_REASONS))
            # `in_box` items keep it: Box holds this content, a sender adopts it.
            items = items.values(status=ItemStatus.PENDING, attempts=0, reason=None, detail=None)
            # A folder that could not be listed is listed again, in this very pass.
            folders = folders.values(
                status=HEALED_FOLDER,
                walked_pass=case((Folder.unlisted, 0), else_=Folder.walked_pass),
                reason=None,
                detail=None,
            )
            revived += connection.execute(items).rowcount + connection.execute(folders).rowcount
        return revived


def _require_same_tree(tree: TreeRecord, spec: TreeSpec) -> None:
    if (tree.source, tree.folder) != (spec.source, spec.folder):
        raise PlanMismatch(
            f"the checkpoint holds a tree {spec.name!r} from {tree.source!r} into {tree.folder!r}, "
            f"not from {spec.source!r} into {spec.folder!r}; give one of them another name"
        )
