"""Plans, trees and passes: the sentences that open and close the work."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, case, delete, select, update

from state.database.models import (
    FOLDER_FAILED,
    ITEM_FAILED,
    PASS_IS_RUNNING,
    Collaboration,
    Event,
    Folder,
    Item,
    Pass,
    Plan,
    Tree,
)
from state.errors import PlanMismatch
from state.records import TreeRecord, TreeSpec
from state.statements.base import Statements, insert_into
from state.statuses import PERMANENT_REASONS, IncompleteReason, ItemStatus, PassState, TreeState

#: What a folder is once nothing is wrong with it any more.
HEALED_FOLDER = case((Folder.box_folder_id.is_not(None), ItemStatus.UPLOADED), else_=ItemStatus.PENDING)

#: Where the summary of a pass that runs names the trees that whoever only sends may take from.
OPEN_TREES = "open_trees"

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

    def ensure_trees(
        self, plan_id: int, specs: Sequence[TreeSpec], *, moving: Container[str] | None = None
    ) -> list[TreeRecord]:
        """Creates missing trees (with their root folder row, whose box_name is the last component of spec.folder);
        keeps known ones; trees of the plan that are not in specs stay in the database and are not returned, or are
        forgotten when none has begun them.

        `moving`: names of those that begin now; a new one that is not among them is INCOMPLETE, not begun. None: all.
        In the order of specs. PlanMismatch when a known tree comes from, or goes to, another folder now.
        """

        def ensure(connection: Connection) -> list[TreeRecord]:
            known = {tree.name: tree for tree in self._trees(connection, plan_id)}
            wanted = {(spec.name, spec.source, spec.folder) for spec in specs}
            for tree in list(known.values()):
                if (tree.name, tree.source, tree.folder) not in wanted and _is_untouched(tree):
                    _delete_tree(connection, tree.id)
                    del known[tree.name]
            for spec in specs:
                if spec.name in known:
                    _require_same_tree(known[spec.name], spec)
                else:
                    self._create_tree(connection, plan_id, spec)
            known = {tree.name: tree for tree in self._trees(connection, plan_id)}
            for spec in specs:
                if moving is None or spec.name in moving:
                    _begin_tree(connection, known[spec.name])
            known = {tree.name: tree for tree in self._trees(connection, plan_id)}
            return [known[spec.name] for spec in specs]

        return self._database.write(ensure)

    def trees(self, plan_id: int) -> list[TreeRecord]:
        """Every tree of the plan, in the order in which they were made."""
        return self._database.read(lambda connection: self._trees(connection, plan_id))

    def tree(self, tree_id: int) -> TreeRecord:
        """One tree as it is now: a plan may have thousands."""
        query = TREES.where(Tree.id == tree_id)
        return self._database.read(lambda connection: tree_record(connection.execute(query).one()))

    def begin_pass(self, plan_id: int, *, kind: str, rules: str = "") -> int:
        """Continues the RUNNING pass of this plan when there is one, else opens a new one (whose frontier is every
        folder again, and in which FAILED items of retryable kinds become PENDING again with attempts 0).

        `rules`: digest of what decides which entries move. A pass that walked by other rules ends, INCOMPLETE.
        """

        def begin(connection: Connection) -> int:
            query = select(Pass.id, Pass.rules).where(Pass.plan_id == plan_id, PASS_IS_RUNNING)
            running = connection.execute(query.with_for_update()).one_or_none()
            if running is not None and running.rules == rules:
                return int(running.id)
            if running is not None:
                ended = {"state": PassState.INCOMPLETE, "ended_at": self._now(connection)}
                connection.execute(update(Pass).where(Pass.id == running.id).values(ended))
            values = {
                "plan_id": plan_id,
                "kind": kind,
                "rules": rules,
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

    def open_trees(self, pass_id: int, tree_ids: Sequence[int]) -> None:
        """From now on whoever only sends for this pass takes files of these trees, in place of those named before."""
        self._database.write(
            lambda connection: connection.execute(
                update(Pass).where(Pass.id == pass_id).values(summary={OPEN_TREES: list(tree_ids)})
            )
        )

    def opened_trees(self, pass_id: int) -> frozenset[int]:
        """What open_trees() said last; empty before, and when the pass is over."""
        query = select(Pass.summary).where(Pass.id == pass_id, PASS_IS_RUNNING)
        summary = self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        return frozenset((summary or {}).get(OPEN_TREES, ()))

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

    def retry_failures(
        self, plan_id: int, *, reason: str | None = None, tree_ids: Sequence[int] | None = None
    ) -> int:
        """FAILED items (of one reason, of these trees) → PENDING; how many, folders included."""
        return self._database.write(
            lambda connection: self._revive_failures(
                connection, plan_id, permanent_too=True, reason=reason, tree_ids=tree_ids
            )
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
            {
                **tree,
                "state": TreeState.INCOMPLETE,
                "incomplete_reason": IncompleteReason.NOT_BEGUN,
                "verified": False,
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

    def _revive_failures(
        self,
        connection: Connection,
        plan_id: int,
        *,
        permanent_too: bool,
        reason: str | None,
        tree_ids: Sequence[int] | None = None,
    ) -> int:
        """FAILED → what they were before, with all their attempts again; how many."""
        revived = 0
        for tree_id in self._tree_ids(connection, plan_id) if tree_ids is None else tree_ids:
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


def _is_untouched(tree: TreeRecord) -> bool:
    return tree.incomplete_reason is IncompleteReason.NOT_BEGUN and tree.box_folder_id is None


def _delete_tree(connection: Connection, tree_id: int) -> None:
    """A tree of which nothing is known but that the plan once named it."""
    connection.execute(delete(Collaboration).where(Collaboration.tree_id == tree_id))
    connection.execute(delete(Folder).where(Folder.tree_id == tree_id))
    connection.execute(delete(Tree).where(Tree.id == tree_id))


def _begin_tree(connection: Connection, tree: TreeRecord) -> None:
    """It moves from now on; one that another name had taken over is there again."""
    root = update(Folder).where(Folder.id == tree.root_folder_id, Folder.status == ItemStatus.MISSING)
    back = connection.execute(root.values(status=HEALED_FOLDER, walked_pass=0)).rowcount
    if back or tree.incomplete_reason is IncompleteReason.NOT_BEGUN:
        moving = {"state": TreeState.MOVING, "incomplete_reason": None, "verified": False}
        connection.execute(update(Tree).where(Tree.id == tree.id).values(moving))
