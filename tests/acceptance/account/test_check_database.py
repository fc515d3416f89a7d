"""`boxhaul check` of a database as somebody gives it: what it lacks in one line, with what its owner runs."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from flows.checks.machine import state_row
from flows.plan.file import load_plan
from state.checkpoint import Checkpoint
from tests.acceptance.account.conftest import Account
from tests.acceptance.account.rows import assert_row
from tests.acceptance.test_outcomes import assert_one_line
from tests.integration.state.test_database import run
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer
from tests.unprivileged import unprivileged


def database_row(account: Account, url: str, code: int) -> dict[str, Any]:
    """The row of `boxhaul check --json` on this database, which ends with this code; nothing in it is the password."""
    account.change(state_url="${STATE_URL}")
    account.program.environment["STATE_URL"] = url
    finished = account.program.run("check", "--json")
    assert code == finished.code, finished.output
    assert "Traceback" not in finished.stderr
    assert str(make_url(url).password) not in finished.output
    [row] = [row for row in json.loads(finished.stdout)["checks"] if row["name"] == "state database"]
    assert "\n" not in row["found"]
    return dict(row)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
@pytest.mark.gate(1)
def test_database_in_another_encoding(
    account: Account, postgres_server: PostgresServer, encoding: str
) -> None:
    """The encoding, and the statement that makes a database that will do; a run is refused with the same line."""
    with postgres_server.database("TEMPLATE template0", f"ENCODING '{encoding}'") as url:
        row = database_row(account, url, 1)
        moved = account.program.run("migrate")

    assert_row(row, "problem", f"a database in {encoding}", "CREATE DATABASE boxhaul ENCODING 'UTF8'")
    assert_one_line(moved, 3, row["found"])


def test_role_without_create_in_public(account: Account, role_url: str, postgres_url: str) -> None:
    """As on PostgreSQL 15 and later: what the row says is what the owner runs, and with it the check passes."""
    row = database_row(account, role_url, 1)
    [grant] = re.findall(r"GRANT USAGE, CREATE ON SCHEMA public TO role_\w+", row["found"])
    run(postgres_url, grant)

    assert_row(row, "problem", "may not make tables in the schema public")
    assert_row(database_row(account, role_url, 0), "ok", "the next run brings its schema up to date")


def test_role_that_does_not_own_the_tables(account: Account, role_url: str, postgres_url: str) -> None:
    """Tables that another role made: whose role the owner grants, and then the check passes."""
    Checkpoint.open(postgres_url).close()
    run(postgres_url, f"GRANT USAGE, CREATE ON SCHEMA public TO {make_url(role_url).username}")
    row = database_row(account, role_url, 1)
    [grant] = re.findall(r"GRANT postgres TO role_\w+", row["found"])
    run(postgres_url, grant)

    assert_row(row, "problem", "may not read and write the checkpoint's tables")
    assert_row(database_row(account, role_url, 0), "ok", "its schema is this version's")


def test_database_behind_a_pooler(
    account: Account, pgbouncers: dict[str, PgBouncer], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real pgbouncer of transactions is no matter, before the first run and after it; one of statements is told."""
    url = pgbouncers["transaction"].url(postgres_url)
    before = database_row(account, url, 0)
    monkeypatch.setenv("STATE_URL", url)
    moved = account.migrate()
    after = database_row(account, url, 0)
    refused = database_row(account, pgbouncers["statement"].url(postgres_url), 1)

    assert_row(before, "ok", "the next run brings its schema up to date")
    assert moved["complete"]
    assert_row(after, "ok", "its schema is this version's")
    assert_row(refused, "problem", "pool_mode to transaction or session")


def test_state_database(account: Account) -> None:
    """Made by the first run, which must have the right to, of this version's schema after it, unreachable where its
    folder is not there."""
    plan = load_plan(account.program.plan_path)
    account.program.folder.chmod(0o500)
    [unwritable] = unprivileged(lambda: [state_row(plan)[0]])
    account.program.folder.chmod(0o700)
    before = account.rows()["state database"]
    absent = not (account.program.folder / "state.db").exists()
    account.migrate()
    after = account.rows()["state database"]
    account.change(state_url="sqlite:////nowhere/at/all/x.db")

    assert ("problem", True) == (unwritable.state, "may not be written" in unwritable.found)
    assert_row(before, "ok", "made by the first run", "one database")
    assert absent
    assert_row(after, "ok", "this version's", "one database")
    assert_row(account.rows()["state database"], "problem", "/nowhere/at/all", "state_url")


def test_state_database_of_another_version(account: Account) -> None:
    """A newer schema is a problem, an empty database is not."""
    path = account.program.folder / "state.db"
    path.touch()
    empty = account.rows()["state database"]
    account.migrate()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE boxhaul_version SET version_num = '9999'")
        database.commit()

    assert_row(empty, "ok", "up to date")
    assert_row(account.rows()["state database"], "problem", "9999", "update Boxhaul")
