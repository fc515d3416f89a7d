"""Events, and how many calls a plan has made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from state.database.history import CallCount, Event
from state.statements.base import Statements, insert_into
from state.statuses import EventKind


class EventStatements(Statements):
    """Events and call counts."""

    def record_event(
        self, plan_id: int, kind: EventKind, detail: Mapping[str, Any], *, tree_id: int | None = None
    ) -> None:
        """Something worth telling an auditor; `detail` must fit into JSON."""
        self.database.write(
            lambda connection: add_event(
                connection, self.now(connection), plan_id, kind, detail, tree_id=tree_id
            )
        )

    def call_counts(self, plan_id: int) -> dict[str, int]:
        """Calls to Box by route, since the plan began."""
        query = select(CallCount.route, CallCount.count).where(CallCount.plan_id == plan_id)
        rows = self.database.read(
            lambda connection: connection.execute(query.order_by(CallCount.route)).all()
        )
        return {row.route: int(row[1]) for row in rows}

    def add_call_counts(self, plan_id: int, by_route: Mapping[str, int]) -> None:
        """These calls were made, too."""

        def add(connection: Connection) -> None:
            insert = insert_into(connection, CallCount)
            insert = insert.on_conflict_do_update(
                index_elements=["plan_id", "route"], set_={"count": CallCount.count + insert.excluded.count}
            )
            # In one order everywhere, so that two processes never wait for each other.
            for route, count in sorted(by_route.items()):
                connection.execute(insert, {"plan_id": plan_id, "route": route, "count": count})

        self.database.write(add)


def add_event(
    connection: Connection,
    at: datetime,
    plan_id: int,
    kind: EventKind,
    detail: Mapping[str, Any],
    *,
    tree_id: int | None = None,
) -> None:
    """Something worth telling an auditor; `detail` must fit into JSON."""
    values = {"plan_id": plan_id, "tree_id": tree_id, "at": at, "kind": kind, "detail": dict(detail)}
    connection.execute(insert_into(connection, Event), values)
