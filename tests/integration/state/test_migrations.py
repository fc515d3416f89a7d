"""Migrations: up, down, in step with the models, and refused where database and program do not fit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, TextClause, inspect, text

from state.checkpoint import Checkpoint
from state.database.engine import Database
from state.database.version import VERSION_TABLE
from state.errors import SchemaAhead, SchemaBehind

ROOT = Path(__file__).parents[3]


def alembic(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Alembic as CI calls it."""
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def _execute(url: str, statement: str) -> None:
    database = Database(url)
    database.write(lambda connection: connection.execute(text(statement)))
    database.close()


@pytest.mark.gate(1)
def test_models_and_migrations_agree(state_url: str) -> None:
    """After `alembic upgrade head`, `alembic check` finds nothing to add."""
    upgraded = alembic("-x", f"url={state_url}", "upgrade", "head")
    checked = alembic("check", BOXHAUL_STATE_URL=state_url)

    assert upgraded.returncode == 0, upgraded.stderr
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _described(url: str) -> dict[str, object]:
    """Every table, column, key, rule and index, by name, as the database itself tells it."""
    database = Database(url)
    described = database.read(_describe)
    database.close()
    return described


def _describe(connection: Connection) -> dict[str, object]:
    found = inspect(connection)
    described: dict[str, object] = {}
    for table in found.get_table_names():
        described |= {
            f"{table}.{column['name']}": {**column, "type": str(column["type"])}
            for column in found.get_columns(table)
        }
        for kind in ("foreign_keys", "unique_constraints", "check_constraints", "indexes"):
            for each in getattr(found, f"get_{kind}")(table):
                described[f"{table} {kind} {each['name']}"] = _as_text(each, table)
        described[f"{table} key"] = found.get_pk_constraint(table)
    if connection.dialect.name == "postgresql":
        statement = "SELECT relname, relkind, reloptions FROM pg_class"
        ours = "WHERE relnamespace = current_schema()::regnamespace"
        described["classes"] = sorted(map(str, connection.execute(text(f"{statement} {ours}"))))
        statement = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
    else:
        statement = "SELECT name, replace(sql, tbl_name || '.', '') FROM sqlite_master WHERE type <> 'table'"
    described["statements"] = {
        name: " ".join((sql or "").split()) for name, sql in connection.execute(text(statement))
    }
    return described


def _as_text(value: object, table: str) -> object:
    """A value whose SQL expressions are compared by what they say, with or without the table before a column."""
    if isinstance(value, dict):
        return {key: _as_text(each, table) for key, each in value.items()}
    return str(value).replace(f"{table}.", "") if isinstance(value, TextClause) else value


def test_new_database_is_what_the_migrations_make(state_url: str) -> None:
    """Made at once from the models, and led through every migration: the same to the last rule."""
    upgraded = alembic("-x", f"url={state_url}", "upgrade", "head")
    assert upgraded.returncode == 0, upgraded.stderr
    by_migrations = _described(state_url)
    down = alembic("-x", f"url={state_url}", "downgrade", "base")
    assert down.returncode == 0, down.stderr
    _execute(state_url, f"DROP TABLE {VERSION_TABLE}")

    Checkpoint.open(state_url).close()

    assert by_migrations == _described(state_url)


@pytest.mark.gate(1)
def test_migrations_go_down_and_up_again(state_url: str) -> None:
    """Every migration can be undone."""
    Checkpoint.open(state_url).close()
    down = alembic("-x", f"url={state_url}", "downgrade", "base")

    assert down.returncode == 0, down.stderr

    with Checkpoint.open(state_url) as checkpoint:
        assert None is checkpoint.find_plan("p")


def test_database_of_a_newer_version_is_refused(state_url: str) -> None:
    """A revision that this program does not know is SchemaAhead, whether it may upgrade or not."""
    Checkpoint.open(state_url).close()
    _execute(state_url, "UPDATE boxhaul_version SET version_num = '9999'")

    with pytest.raises(SchemaAhead, match="9999, made by a newer version; update Boxhaul"):
        Checkpoint.open(state_url)
    with pytest.raises(SchemaAhead):
        Checkpoint.open(state_url, upgrade=False)


def test_older_database_is_not_upgraded_unasked(state_url: str) -> None:
    """With `upgrade=False` a schema that is not at head is SchemaBehind, and stays as it is."""
    with pytest.raises(SchemaBehind, match="empty"):
        Checkpoint.open(state_url, upgrade=False)

    Checkpoint.open(state_url).close()
    with Checkpoint.open(state_url, upgrade=False) as checkpoint:
        assert None is checkpoint.find_plan("p")


def test_opened_by_many_at_once(state_url: str) -> None:
    """Processes and threads that open an empty database at the same time all find the schema there."""
    errors: list[BaseException] = []

    def open_it() -> None:
        try:
            Checkpoint.open(state_url).close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert errors == []
