"""Messages: what people are still to be told of a plan, and since when nobody takes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from state.database.history import Event
from state.database.models import Tree
from state.records import MessagesRefused, WorkerLease
from state.statements.base import IDS_PER_STATEMENT, Statements, in_chunks, insert_into
from state.statements.events import add_event
from state.statuses import EventKind, TreeState

#: Days after which a line that nobody took is given up, and how many lines wait at most: the log and the report have
#: all of them, and an address that is never mended costs each run one message.
WAITS_DAYS, WAIT_AT_MOST = 7, 200

#: The date of the one row that says that messages are refused, so that an index finds it alone.
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class MessageStatements(Statements):
    """Lines that count as told once their message was taken."""

    def complete_tree(
        self, tree_id: int, *, message: str = "", by: str = "", worker: WorkerLease | None = None
    ) -> tuple[bool, int | None]:
        """The tree is complete, if it is verified at this moment; tell whether it was not before.

        `message`: what people are to be told then, written down with it; second of what is returned: its number.
        `by`: what tells it. LostLease when the worker was taken over.
        """
        this = (Tree.id == tree_id) & Tree.verified
        complete = {"state": TreeState.COMPLETE, "incomplete_reason": None, "detail": None}

        def change(connection: Connection) -> tuple[bool, int | None]:
            before = connection.execute(select(Tree.plan_id, Tree.state).where(this)).one_or_none()
            connection.execute(update(Tree).where(this).values(complete))
            if before is None or before.state == TreeState.COMPLETE:
                return False, None
            return True, self._wait(connection, before.plan_id, by, message) if message else None

        return self.write_as(worker, change)

    def messages_to_send(self, plan_id: int, by: str) -> list[tuple[int, datetime, str]]:
        """Return the lines that nobody took so far, each with its number and time, the oldest first; give up what is
        too old."""

        def wait(connection: Connection) -> list[tuple[int, datetime, str]]:
            since = self.now(connection) - timedelta(days=WAITS_DAYS)
            mine = (Event.plan_id == plan_id, Event.kind == EventKind.TO_BE_TOLD)
            query = select(Event.id, Event.at, Event.detail).where(*mine).order_by(Event.id)
            rows = [row for row in connection.execute(query) if row.detail["by"] == by]
            waiting = [row for row in rows if row.at >= since][-WAIT_AT_MOST:]
            kept = {row.id for row in waiting}
            self._forget(connection, [row.id for row in rows if row.id not in kept])
            return [(row.id, row.at, str(row.detail["text"])) for row in waiting]

        return self.database.write(wait)

    def forget_message(self, number: int) -> None:
        """Its message was taken."""
        self.database.write(lambda connection: self._forget(connection, [number]))

    def record_messages_taken(self, plan_id: int, kinds: str, *, taken: bool) -> None:
        """Whether the last message to these kinds of address was taken."""
        refused = self.messages_refused(plan_id)
        if taken and refused is None:
            return
        this = _refusals(plan_id)

        def record(connection: Connection) -> None:
            connection.execute(delete(Event).where(*this))
            if not taken:
                now = self.now(connection)
                since = now if refused is None else refused.since
                detail = {"by": kinds, "since": since.isoformat(), "last": now.isoformat()}
                add_event(connection, _NO_TIME, plan_id, EventKind.MESSAGES_REFUSED, detail)

        self.database.write(record)

    def messages_refused(self, plan_id: int) -> MessagesRefused | None:
        """Since when messages were not taken; None when the last one was."""
        query = select(Event.detail).where(*_refusals(plan_id)).limit(1)
        detail = self.database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        if detail is None:
            return None
        since, last = (datetime.fromisoformat(detail[name]) for name in ("since", "last"))
        return MessagesRefused(by=detail["by"], since=since, last=last)

    def _wait(self, connection: Connection, plan_id: int, by: str, text: str) -> int:
        return wait_to_be_told(connection, self.now(connection), plan_id, by, text)

    @staticmethod
    def _forget(connection: Connection, numbers: Sequence[int]) -> None:
        for chunk in in_chunks(numbers, IDS_PER_STATEMENT):
            connection.execute(delete(Event).where(Event.id.in_(chunk)))


def wait_to_be_told(connection: Connection, now: datetime, plan_id: int, by: str, text: str) -> int:
    """Write down a line that people are to be told; return its number."""
    detail: dict[str, Any] = {"by": by, "text": text}
    values = {"plan_id": plan_id, "at": now, "kind": EventKind.TO_BE_TOLD, "detail": detail}
    number: int = connection.execute(
        insert_into(connection, Event).values(values).returning(Event.id)
    ).scalar_one()
    return number


def _refusals(plan_id: int) -> tuple[Any, ...]:
    return Event.plan_id == plan_id, Event.at == _NO_TIME, Event.kind == EventKind.MESSAGES_REFUSED
