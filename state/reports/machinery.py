"""The machinery under a checkpoint, for whoever is to find out why it is slow: version, sizes, rows, query plans.

Reads only, makes no table and no file, and needs no schema of this version.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, inspect, text

from state.database.engine import Database, display_url, sqlite_file
from state.database.tables import METADATA
from state.database.version import HEAD, current_revision
from state.errors import StateUnavailable
from state.statements.sending import QUERY_OF_NEXT_FILES
from state.statements.walking import QUERY_OF_NEXT_FOLDERS, QUERY_OF_UNWALKED_FOLDERS

#: Seconds that a database is asked for, and that one of its answers may take.
PATIENCE_SECONDS = 10.0
STATEMENT_MILLISECONDS = 30_000

#: What a run asks again and again, with values that are of no plan.
HOT: dict[str, tuple[Any, dict[str, int]]] = {
    "the next files to send": (QUERY_OF_NEXT_FILES, {"tree": 1, "most": 5_000}),
    "the next folders to walk": (QUERY_OF_NEXT_FOLDERS, {"tree": 1, "walk": 1, "most": 8}),
    "whether a tree is walked": (QUERY_OF_UNWALKED_FOLDERS, {"tree": 1, "pass": 1}),
}


def machinery(url: str) -> dict[str, Any]:
    """Return what is under the checkpoint of this URL. StateUnavailable when it does not answer, or is not there."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise StateUnavailable(f"there is no checkpoint {file} yet")
    database = Database(url, patience_seconds=PATIENCE_SECONDS)
    try:
        facts: dict[str, Any] = {"url": display_url(database.url), "schema_of_program": HEAD}
        if file is not None:
            files = sorted(file.parent.glob(f"{file.name}*"))
            facts["files"] = [
                {"name": each.name, "size": each.stat().st_size} for each in files if each.is_file()
            ]
        look = _sqlite if database.is_sqlite else _postgresql
        return facts | database.read(lambda connection: {**_common(connection), **look(connection)})
    finally:
        database.close()


def _common(connection: Connection) -> dict[str, Any]:
    return {"schema": current_revision(connection)}


def _sqlite(connection: Connection) -> dict[str, Any]:
    pragmas = ("journal_mode", "page_size", "page_count", "freelist_count", "synchronous")
    tables = _tables(connection)
    return {
        "kind": "sqlite",
        "version": connection.exec_driver_sql("SELECT sqlite_version()").scalar_one(),
        "settings": {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas},
        "rows": {name: _counted(connection, name) for name in tables},
        "query_plans": _plans(connection, "EXPLAIN QUERY PLAN", column=3) if tables else {},
    }


def _postgresql(connection: Connection) -> dict[str, Any]:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS}")
    tables = _tables(connection)
    settings = (
        "max_connections",
        "shared_buffers",
        "work_mem",
        "synchronous_commit",
        "default_transaction_isolation",
    )
    return {
        "kind": "postgresql",
        "version": connection.exec_driver_sql("SHOW server_version").scalar_one(),
        "settings": {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in settings},
        "size": connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one(),
        "sizes": {name: _size(connection, name) for name in tables},
        "rows": {name: _estimated(connection, name) for name in tables},
        "query_plans": _plans(connection, "EXPLAIN", column=0) if tables else {},
    }


def _tables(connection: Connection) -> list[str]:
    there = set(inspect(connection).get_table_names())
    return sorted(name for name in METADATA.tables if name in there)


def _counted(connection: Connection, table: str) -> int:
    return int(connection.exec_driver_sql(f'SELECT count(*) FROM "{table}"').scalar_one())  # noqa: S608  our own name


def _estimated(connection: Connection, table: str) -> int:
    """As PostgreSQL's own statistics say; counted where it has none yet, which is a small table."""
    found = connection.execute(
        text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)"), {"name": table}
    ).scalar()
    return int(found) if found is not None and found >= 0 else _counted(connection, table)


def _size(connection: Connection, table: str) -> int:
    query = text("SELECT pg_total_relation_size(to_regclass(:name))")
    return int(connection.execute(query, {"name": table}).scalar() or 0)


def _plans(connection: Connection, explain: str, *, column: int) -> dict[str, list[str]]:
    return {name: list(_plan(connection, explain, *query, column)) for name, query in HOT.items()}


def _plan(
    connection: Connection, explain: str, query: Any, values: dict[str, int], column: int
) -> Iterator[str]:
    compiled = query.params(**values).compile(connection, compile_kwargs={"literal_binds": True})
    for row in connection.exec_driver_sql(f"{explain} {compiled}"):
        yield str(row[column])
