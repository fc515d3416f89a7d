"""Events, and how many calls a plan has made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from state.database.history import CallCount, Event, Sample
from state.database.models import Plan
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

    def calls_of_month(self, plan_id: int) -> int:
        """Calls to Box that plans of this plan's enterprise have made in this month (UTC), as far as they are here.

        What a plan had made before is written down when a month is first asked for.
        """

        def count(connection: Connection) -> int:
            month = _month(self.now(connection))
            plans = _plans_of_enterprise(connection, plan_id)
            made = {row[0]: int(row[1]) for row in connection.execute(_CALLS_OF_PLANS)}
            known = connection.execute(_of_month(EventKind.CALLS_BEFORE, plans, month)).all()
            before = {row.plan_id: int(row.detail["calls"]) for row in known}
            for each in plans:
                if each not in before:
                    before[each] = max(0, made.get(each, 0) - _sampled(connection, each, month))
                    add_event(connection, month, each, EventKind.CALLS_BEFORE, {"calls": before[each]})
            return sum(made.get(each, 0) - before[each] for each in plans)

        return self.database.write(count)

    def was_told(self, plan_id: int, percent: int) -> bool:
        """Whether people were told this month that so much of the calls, or more, is used up; of any of these plans."""
        return self.database.read(lambda connection: self._was_told(connection, plan_id, percent))

    def record_told_of_calls(self, plan_id: int, percent: int) -> None:
        """They were told. Once is enough, whoever told it."""

        def record(connection: Connection) -> None:
            if not self._was_told(connection, plan_id, percent):
                month = _month(self.now(connection))
                add_event(connection, month, plan_id, EventKind.CALLS_USED_UP, {"percent": percent})

        self.database.write(record)

    def _was_told(self, connection: Connection, plan_id: int, percent: int) -> bool:
        month, plans = _month(self.now(connection)), _plans_of_enterprise(connection, plan_id)
        told = connection.execute(_of_month(EventKind.CALLS_USED_UP, plans, month)).all()
        return any(row.detail["percent"] >= percent for row in told)


#: Plan and its calls so far.
_CALLS_OF_PLANS = select(CallCount.plan_id, func.sum(CallCount.count)).group_by(CallCount.plan_id)


def _month(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _of_month(kind: EventKind, plans: Sequence[int], month: datetime) -> Select[Any]:
    """What these plans have of this kind. Its date is the month's first moment, so that an index finds it alone."""
    query = select(Event.plan_id, Event.detail)
    return query.where(Event.plan_id.in_(plans), Event.at == month, Event.kind == kind)


def _plans_of_enterprise(connection: Connection, plan_id: int) -> list[int]:
    """The plans whose calls count together; the plan alone where its enterprise is not known.

    One transaction at a time has them: what another one of these wrote down is seen.
    """
    own = select(Plan.enterprise_id).where(Plan.id == plan_id).scalar_subquery()
    query = select(Plan.id).where((Plan.id == plan_id) | (Plan.enterprise_id == own)).order_by(Plan.id)
    return list(connection.execute(query.with_for_update(key_share=True)).scalars())


def _sampled(connection: Connection, plan_id: int, month: datetime) -> int:
    """Calls of this month's runs by their samples: what is known of a month that nobody asked for at its beginning."""
    until = func.max(case((Sample.at < month, Sample.calls), else_=0))
    query = select(func.max(Sample.calls) - until).where(Sample.plan_id == plan_id).group_by(Sample.worker_id)
    return sum(int(each) for each in connection.execute(query).scalars())


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
