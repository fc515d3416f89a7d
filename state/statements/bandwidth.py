"""Bandwidth: the line to Box that all processes of a plan share, as the moment from which on it is free."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from state.database.models import Line
from state.statements.base import Statements, insert_into

#: So much of the time that nobody used may be used later.
CREDIT_SECONDS = 0.25
#: Nobody waits longer for those before: whoever wrote down a later moment had a clock that was ahead.
LONGEST_WAIT_SECONDS = 60.0


class BandwidthStatements(Statements):
    """Spans of a plan's line."""

    def take_bandwidth(self, plan_id: int, seconds: float) -> float:
        """Take the next so many seconds of the line; return in how many seconds they begin.

        Less than none for time that has just passed unused. Nobody else is given this span.
        """

        def take(connection: Connection) -> float:
            connection.execute(
                insert_into(connection, Line).on_conflict_do_nothing(), {"plan_id": plan_id, "free_at": 0.0}
            )
            which = Line.plan_id == plan_id
            free_at = connection.execute(select(Line.free_at).where(which).with_for_update()).scalar_one()
            now = self.now(connection).timestamp()
            if free_at > now + LONGEST_WAIT_SECONDS:
                free_at = now
            begins = max(free_at, now - CREDIT_SECONDS)
            connection.execute(update(Line).where(which).values(free_at=begins + seconds))
            return float(begins - now)

        return self.database.write(take)
