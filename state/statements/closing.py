"""Closing: the steps of a cutover that are done, and trees that no pass moves any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update

from state.closing_records import ClosedTree, CutoverRecord
from state.database.models import Cutover, Tree
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks, insert_into
from state.statements.events import add_event
from state.statuses import EventKind, TreeState


class ClosingStatements(Statements):
    """Cutovers and closed trees."""

    def cutover(self, plan_id: int) -> CutoverRecord | None:
        """The plan's cutover that is under way, or None."""
        query = select(Cutover.begun_at, Cutover.begun_by, Cutover.steps).where(Cutover.plan_id == plan_id)
        row = self.database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else CutoverRecord(begun_at=row[0], begun_by=row[1], steps=row[2])

    def begin_cutover(self, plan_id: int, *, who: str) -> None:
        """One begins, with no step done; one that is under way goes on."""
        self.database.write(
            lambda connection: connection.execute(
                insert_into(connection, Cutover).on_conflict_do_nothing(),
                {"plan_id": plan_id, "begun_at": self.now(connection), "begun_by": who, "steps": {}},
            )
        )

    def record_cutover_step(self, plan_id: int, step: str, detail: Mapping[str, Any]) -> None:
        """This step is done; `detail` must fit into JSON."""

        def record(connection: Connection) -> None:
            this = Cutover.plan_id == plan_id
            steps = connection.execute(select(Cutover.steps).where(this).with_for_update()).scalar_one()
            at = self.now(connection).isoformat(timespec="seconds")
            done = {**steps, step: {**detail, "at": at}}
            connection.execute(update(Cutover).where(this).values(steps=done))

        self.database.write(record)

    def end_cutover(self, plan_id: int) -> None:
        """It is over without a tree being closed: the next one begins at its first step."""
        self.database.write(
            lambda connection: connection.execute(delete(Cutover).where(Cutover.plan_id == plan_id))
        )

    def close_trees(
        self, plan_id: int, tree_ids: Sequence[int], *, who: str, detail: Mapping[str, Any]
    ) -> int:
        """Close those of these trees that are COMPLETE, end the cutover, and record it as an event; how many.

        One that is closed already keeps who closed it, and when.
        """

        def close(connection: Connection) -> int:
            now, closed = self.now(connection), 0
            for chunk in in_chunks(tree_ids, IDS_PER_STATEMENT):
                these = update(Tree).where(Tree.id.in_(chunk), Tree.closed_at.is_(None))
                these = these.where(Tree.state == TreeState.COMPLETE)
                closed += connection.execute(these.values(closed_at=now, closed_by=who)).rowcount
            connection.execute(delete(Cutover).where(Cutover.plan_id == plan_id))
            told = {**detail, "who": who, "trees": closed}
            add_event(connection, now, plan_id, EventKind.CLOSED, told)
            return closed

        return self.database.write(close)

    def closed_trees(self, plan_id: int) -> list[ClosedTree]:
        """Those of the plan's trees that are closed."""
        query = select(Tree.id, Tree.name, Tree.closed_at, Tree.closed_by)
        query = query.where(Tree.plan_id == plan_id, Tree.closed_at.is_not(None)).order_by(Tree.id)
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return [
            ClosedTree(tree_id=row.id, name=row.name, at=row.closed_at, by=row.closed_by or "")
            for row in rows
            if row.closed_at is not None
        ]

    def reopen_trees(self, plan_id: int, tree_ids: Sequence[int], *, who: str, why: str) -> int:
        """These trees may be moved again, which is recorded as an event; how many were closed."""

        def reopen(connection: Connection) -> int:
            reopened = 0
            for chunk in in_chunks(tree_ids, IDS_PER_STATEMENT):
                these = update(Tree).where(Tree.id.in_(chunk), Tree.closed_at.is_not(None))
                reopened += connection.execute(these.values(closed_at=None, closed_by=None)).rowcount
            detail = {"who": who, "why": why, "trees": reopened}
            add_event(connection, self.now(connection), plan_id, EventKind.REOPENED, detail)
            return reopened

        return self.database.write(reopen)
