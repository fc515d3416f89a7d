"""Database: transactions on SQLite or PostgreSQL, repeated when that helps. Knows no table."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from state.errors import StateError, StateUnavailable

#: How long a transaction is repeated before the database counts as unavailable: a PostgreSQL restart fits in.
PATIENCE_SECONDS = 60.0
#: And how often, whatever the time.
MAX_TRIES = 40
#: And how often when each time a row of another process stands in the way.
MAX_LOOKS = 5
#: What SQLite itself waits for another process's write, per try.
BUSY_TIMEOUT_MILLISECONDS = 5_000
#: When a process freezes within a transaction (a suspended machine), PostgreSQL undoes it after so long, so that
#: its locks do not hold up the others for ever. Less than PATIENCE_SECONDS: they do not even notice. Less than half of
#: a lease: a heartbeat that waited for the first transaction holds the lease's row when that is undone, as long again.
IDLE_SECONDS = 20.0
#: What a state_url may begin with; postgresql:// and postgres:// stand for the last one.
DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")

T = TypeVar("T")


class _Verdict(Enum):
    """What a driver's exception means for the transaction."""

    #: Locked, deadlock, serialization, connection lost: the same transaction may succeed now.
    REPEAT = "repeat"
    #: Another process wrote what this one had looked for in vain; it looks again, a few times.
    LOOK_AGAIN = "look again"
    FULL = "the disk that holds it is full; free space there, then start again: nothing is lost"
    REFUSED = "it refused the login or the database; check user, password and name in state_url"
    READ_ONLY = "it cannot be written; check the rights on the file, its folder and the disk"
    UNREADABLE = (
        "the file cannot be opened or made, or is no SQLite database; check the path in state_url, and who may write"
        " there"
    )
    DAMAGED = "the file is damaged; restore it from a backup: what Box already has is adopted, not sent twice"
    NOT_ALLOWED = (
        "its role may not do that; let it own the checkpoint's tables, and make tables in their schema"
    )
    POOLER = (
        "the pooler before it ends each statement's transaction; set its pool_mode to transaction or session"
    )
    DISK = "its disk answers with errors, or is full; check it, then start again"
    #: A mistake of ours or a broken rule of the schema.
    OTHER = "other"


_SQLITE_VERDICTS = {
    sqlite3.SQLITE_BUSY: _Verdict.REPEAT,
    sqlite3.SQLITE_LOCKED: _Verdict.REPEAT,
    sqlite3.SQLITE_FULL: _Verdict.FULL,
    sqlite3.SQLITE_READONLY: _Verdict.READ_ONLY,
    sqlite3.SQLITE_PERM: _Verdict.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _Verdict.UNREADABLE,
    sqlite3.SQLITE_NOTADB: _Verdict.UNREADABLE,
    sqlite3.SQLITE_CORRUPT: _Verdict.DAMAGED,
    sqlite3.SQLITE_IOERR: _Verdict.DISK,
}

#: By class (two characters) or by code, https://www.postgresql.org/docs/15/errcodes-appendix.html
_POSTGRES_VERDICTS = {
    "40001": _Verdict.REPEAT,  # serialization_failure
    "23505": _Verdict.LOOK_AGAIN,  # unique_violation
    "40P01": _Verdict.REPEAT,  # deadlock_detected
    "25P03": _Verdict.REPEAT,  # idle_in_transaction_session_timeout: we were frozen
    "55P03": _Verdict.REPEAT,  # lock_not_available
    "53300": _Verdict.REPEAT,  # too_many_connections
    "57P01": _Verdict.REPEAT,  # admin_shutdown
    "57P02": _Verdict.REPEAT,  # crash_shutdown
    "57P03": _Verdict.REPEAT,  # cannot_connect_now
    "08": _Verdict.REPEAT,  # connection exceptions
    "53100": _Verdict.FULL,  # disk_full
    "25006": _Verdict.READ_ONLY,  # read_only_sql_transaction
    "28": _Verdict.REFUSED,  # invalid authorization
    "3D000": _Verdict.REFUSED,  # invalid_catalog_name
    "42501": _Verdict.NOT_ALLOWED,  # insufficient_privilege
    "58": _Verdict.DISK,  # system errors
    "XX001": _Verdict.DAMAGED,  # data_corrupted
}

#: Of PostgreSQL, and of pgbouncer before it.
_REFUSED_WORDS = (
    "authentication failed", "does not exist", "permission denied", "no such database", "no such user",
)  # fmt: skip


def _judge(error: DBAPIError) -> _Verdict:
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        return _Verdict.OTHER if code is None else _SQLITE_VERDICTS.get(code & 0xFF, _Verdict.OTHER)
    state = getattr(cause, "sqlstate", None)
    if "statement pooling" in str(cause):
        return _Verdict.POOLER
    if state is not None:
        return _POSTGRES_VERDICTS.get(state) or _POSTGRES_VERDICTS.get(state[:2], _Verdict.OTHER)
    if any(words in str(cause) for words in _REFUSED_WORDS):
        return _Verdict.REFUSED  # libpq gives no code for what happens before the session exists
    # No code: the connection broke, or the server was not there.
    lost = error.connection_invalidated or type(cause).__name__ == "OperationalError"
    return _Verdict.REPEAT if lost else _Verdict.OTHER


def parse_url(url: str) -> URL:
    """The database's URL with the driver that we use. StateUnavailable when it is none of ours."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The text may hold a password, so neither it nor the cause is shown.
        raise StateUnavailable("state_url is not a database URL, such as sqlite:///plan.db") from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in DRIVERS:
        raise StateUnavailable(
            f"state_url names {parsed.drivername}; the checkpoint is kept in sqlite or postgresql+psycopg"
        )
    return parsed


def display_url(url: URL) -> str:
    """The URL for people: no user, no password, no query."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database or ':memory:'}"
    return f"postgresql://{url.host or 'localhost'}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def sqlite_file(url: str) -> Path | None:
    """The file that a state_url names; None for a server, for memory, and for SQLite's own file: URIs."""
    parsed = parse_url(url)
    name = parsed.database or ":memory:"
    is_path = parsed.get_backend_name() == "sqlite" and not name.startswith((":memory:", "file:"))
    return Path(name) if is_path else None


class Database:
    """One checkpoint database. Safe for threads.

    `read` and `write` run a function in one transaction and return what it returns; the function may run several
    times and therefore has no effect outside the database. Raises StateUnavailable when repeating does not help.
    """

    def __init__(self, url: str, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.url = parse_url(url)
        self.patience_seconds = patience_seconds
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _make_engine(self.url, patience_seconds)
        # SQLite has one writer anyway, and its own waiting between writers is a lottery.
        self._one_writer = threading.Lock()

    def read(self, function: Callable[[Connection], T]) -> T:
        """Run it in a transaction that sees one state of the database."""
        return self._repeat(lambda: self._run(function, writing=False))

    def write(self, function: Callable[[Connection], T]) -> T:
        """Run it in a transaction that is committed when it returns and undone when it raises."""
        if not self.is_sqlite:
            return self._repeat(lambda: self._run(function, writing=True))

        def alone() -> T:
            with self._one_writer:
                return self._run(function, writing=True)

        return self._repeat(alone)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read transaction for results that are streamed; not repeated. StateUnavailable when it breaks."""
        try:
            with self.engine.connect() as connection, connection.begin():
                if not self.is_sqlite:
                    # Whoever consumes the results may take his time; a reader holds nobody up.
                    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
                yield connection
        except DBAPIError as error:
            raise self._unavailable(_judge(error)) from error

    def close(self) -> None:
        """Give back every connection; may be called twice."""
        self.engine.dispose()

    def _run(self, function: Callable[[Connection], T], *, writing: bool) -> T:
        with self.engine.connect() as plain:
            connection = plain.execution_options(boxhaul_writes=writing)
            with connection.begin():
                return function(connection)

    def _repeat(self, attempt: Callable[[], T]) -> T:
        give_up_at = time.monotonic() + self.patience_seconds
        for tried in range(1, MAX_TRIES + 1):
            try:
                return attempt()
            except DBAPIError as error:
                verdict = _judge(error)
                if verdict is _Verdict.OTHER or (verdict is _Verdict.LOOK_AGAIN and tried >= MAX_LOOKS):
                    raise self._refused(error) from error
                delay = min(0.05 * 2**tried, 3.0) * random.uniform(0.5, 1.0)
                if (
                    verdict not in (_Verdict.REPEAT, _Verdict.LOOK_AGAIN)
                    or time.monotonic() + delay > give_up_at
                ):
                    raise self._unavailable(verdict) from error
            except PoolTimeout as error:
                raise self._unavailable(_Verdict.REPEAT) from error
            time.sleep(delay)
        raise self._unavailable(_Verdict.REPEAT)

    def _refused(self, error: DBAPIError) -> StateError:
        kind = type(error.orig).__name__
        return StateError(
            f"the checkpoint {display_url(self.url)} refused a statement ({kind}); this is a defect"
        )

    def _unavailable(self, verdict: _Verdict) -> StateUnavailable:
        shown = display_url(self.url)
        if verdict not in (_Verdict.REPEAT, _Verdict.OTHER):
            return StateUnavailable(f"the checkpoint {shown} is not available: {verdict.value}")
        if self.is_sqlite:
            return StateUnavailable(
                f"the checkpoint {shown} stays locked by another program; close what holds it, then start again"
            )
        return StateUnavailable(
            f"the checkpoint {shown} does not answer; check that the server runs and can be reached, then start again"
        )


def _make_engine(url: URL, patience_seconds: float) -> Engine:
    try:
        if url.get_backend_name() == "sqlite":
            return _make_sqlite_engine(url, min(BUSY_TIMEOUT_MILLISECONDS, int(patience_seconds * 1000)))
        engine = create_engine(
            url,
            pool_pre_ping=True,
            pool_size=4,
            max_overflow=28,
            hide_parameters=True,
            # Dead servers behind a firewall answer nothing at all: notice it within about a minute.
            connect_args={
                "connect_timeout": 10,
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
                "application_name": "boxhaul",
                # The names of a share are text, whatever the environment or the database prefers.
                "client_encoding": "utf8",
                # A pooler gives each transaction another session, in which this one's statements are not prepared.
                "prepare_threshold": None,
            },
        )
        event.listen(engine, "begin", _begin_postgres)
        return engine
    except (NoSuchModuleError, ImportError, ArgumentError):
        raise StateUnavailable(f"no driver for {url.drivername}; use sqlite or postgresql+psycopg") from None


def _begin_postgres(connection: Connection) -> None:
    # For this transaction alone: behind a pooler the session is another program's afterwards.
    connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {int(IDLE_SECONDS * 1000)}")


def _create_private(url: URL) -> None:
    """A file that is not there yet is made for its owner alone; SQLite gives its log the same rights."""
    name = url.database or ":memory:"
    if name.startswith((":memory:", "file:")):
        return
    try:
        os.close(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not Path(name).exists():
            raise StateUnavailable(
                f"the checkpoint {display_url(url)} is a link that leads nowhere; remove it, or name the file itself"
            ) from None
    except OSError:
        return  # SQLite says what is wrong


def _make_sqlite_engine(url: URL, busy_timeout_milliseconds: int) -> Engine:
    _create_private(url)
    engine = create_engine(
        url,
        pool_size=4,
        max_overflow=60,
        hide_parameters=True,
        connect_args={"timeout": busy_timeout_milliseconds / 1000},
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN is late and never IMMEDIATE; `_begin_sqlite` does it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        # In WAL mode this loses nothing when the process dies, and never damages the file when the power goes.
        "synchronous = NORMAL",
        # 40 MB of log between checkpoints: each of them waits for the disk.
        "wal_autocheckpoint = 10000",
        "foreign_keys = ON",
        # 32 MB for each connection, of which a command has up to three; the system keeps the file as well.
        "cache_size = -32768",
        "temp_store = FILE",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer that starts as a reader cannot wait for another writer: SQLite fails it at once.
    writes = connection.get_execution_options().get("boxhaul_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
