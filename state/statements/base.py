"""Statements: what the groups of the checkpoint's sentences share: the database, the clock, the fence. No sentence."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

from state.database.base import Base
from state.database.engine import Database
from state.database.models import Worker
from state.errors import LostLease
from state.records import WorkerLease

#: Rows per statement: far below SQLite's 32,766 parameters, and little memory for a folder of 100,000 entries.
ROWS_PER_STATEMENT = 2_000
#: Ids per IN list.
IDS_PER_STATEMENT = 500

T = TypeVar("T")

_ENDED = select(Worker.ended_at).where(Worker.id == bindparam("worker")).with_for_update(read=True)
_SERVER_TIME = select(func.clock_timestamp())


def in_chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The values in order, at most `size` at a time."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def execute_many(connection: Connection, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
    """The statement once per row; nothing for no rows."""
    for chunk in in_chunks(rows, ROWS_PER_STATEMENT):
        connection.execute(statement, chunk)


def insert_into(connection: Connection, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say ON CONFLICT on either database."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def stream(
    connection: Connection, query: Select[Any], parameters: Mapping[str, Any] | None = None
) -> Iterator[Any]:
    """The rows, fetched as they are consumed."""
    yield from connection.execution_options(yield_per=ROWS_PER_STATEMENT).execute(query, parameters)


def new_claim_number() -> int:
    """Marks the rows of one claim, so that a claim whose commit was answered by silence is found again."""
    return secrets.randbits(62)


class Statements:
    """Base of the groups of sentences that make up Checkpoint; its attributes are for them and for the reports."""

    def __init__(self, database: Database, clock: Callable[[], datetime] | None) -> None:
        self.database = database
        self.clock = clock

    def now(self, connection: Connection) -> datetime:
        """The time that leases are compared by: one clock for all machines, so the server's where there is one."""
        if self.clock is not None:
            return self.clock()
        if self.database.is_sqlite:
            return datetime.now(UTC)
        now: datetime = connection.execute(_SERVER_TIME).scalar_one()
        return now.astimezone(UTC)

    def write_as(self, worker: WorkerLease | None, write: Callable[[Connection], T]) -> T:
        """One transaction behind the worker's fence: LostLease, and nothing written, when it was declared dead.

        None: what a person's command writes, which holds no lease.
        """

        def fenced(connection: Connection) -> T:
            if worker is not None:
                self.require_alive(connection, worker)
            return write(connection)

        return self.database.write(fenced)

    def require_alive(self, connection: Connection, worker: WorkerLease) -> None:
        """The fence: LostLease when the worker was declared dead; until the commit nobody can do so."""
        row = connection.execute(_ENDED, {"worker": worker.id}).one_or_none()
        if row is None or row[0] is not None:
            raise LostLease(f"the lease of worker {worker.name} ended and its work was taken over; it stops")
