"""A database as somebody gives it: another encoding, a role without rights, other programs' tables beside ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from state.checkpoint import Checkpoint
from state.database.engine import Database
from state.errors import SchemaBehind, StateUnavailable
from tests.integration.state.scene import Scene
from tests.servers.postgres import PostgresServer


def run(url: str, *statements: str) -> None:
    """Run each statement, in one transaction."""
    database = Database(url)
    database.write(lambda connection: [connection.execute(text(statement)) for statement in statements])
    database.close()


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    """Return what a query finds."""
    return [tuple(row.values()) for row in named_rows(url, query)]


def named_rows(url: str, query: str) -> list[dict[str, object]]:
    """Return what a query finds, by the names of its columns: their order is another one after migrations."""
    database = Database(url)
    found = database.read(lambda connection: [dict(row._mapping) for row in connection.execute(text(query))])
    database.close()
    return found


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_database_that_cannot_keep_every_name_is_refused(
    postgres_server: PostgresServer, encoding: str
) -> None:
    """One line says which encoding it has, and how to make a database that will do."""
    with postgres_server.database("TEMPLATE template0", f"ENCODING '{encoding}'") as url:
        for upgrade in (False, True):
            with pytest.raises(StateUnavailable, match=f"in {encoding}, .* ENCODING 'UTF8'"):
                Checkpoint.open(url, upgrade=upgrade)


@pytest.mark.parametrize("upgrade", [False, True])
def test_ordinary_role_is_told_what_to_grant(role_url: str, postgres_url: str, upgrade: bool) -> None:
    """On PostgreSQL 15 nobody but the owner makes tables in public: the line is what the owner runs, and it helps."""
    with pytest.raises(StateUnavailable, match="may not make tables in the schema public") as refused:
        Checkpoint.open(role_url, upgrade=upgrade)
    grant = str(refused.value).rpartition(": ")[2]
    run(postgres_url, grant)

    assert grant.startswith("GRANT USAGE, CREATE ON SCHEMA public TO role_")
    with Checkpoint.open(role_url) as checkpoint:
        Scene(checkpoint)


@pytest.mark.parametrize("upgrade", [False, True])
def test_role_that_may_not_use_the_tables_is_told_what_to_grant(
    role_url: str, postgres_url: str, upgrade: bool
) -> None:
    """Tables that another role made are refused before the first statement, in one line."""
    Checkpoint.open(postgres_url).close()
    run(postgres_url, f"GRANT USAGE, CREATE ON SCHEMA public TO {make_url(role_url).username}")

    with pytest.raises(StateUnavailable, match=r"may not read and write .*GRANT postgres TO role_\w+$"):
        Checkpoint.open(role_url, upgrade=upgrade)


#: What Alembic's default makes, and two names that Prefect's server uses.
SOMEBODY_ELSES = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
    "CREATE TABLE events (id TEXT CONSTRAINT pk_events PRIMARY KEY, resource TEXT)",
    "INSERT INTO alembic_version VALUES ('{revision}')",
    "INSERT INTO events VALUES ('theirs', 'x')",
)


@pytest.mark.parametrize("revision", ["0003", "3c841a1800a1"])
@pytest.mark.parametrize("they_come", ["first", "later"])
def test_another_programs_tables_stay_its_own(state_url: str, they_come: str, revision: str) -> None:
    """A table alembic_version of somebody else, whatever is in it, and its events are neither read nor changed."""
    statements = [statement.format(revision=revision) for statement in SOMEBODY_ELSES]
    if they_come == "first":
        run(state_url, *statements)
    with Checkpoint.open(state_url) as checkpoint:
        scene = Scene(checkpoint)
    if they_come == "later":
        run(state_url, *statements)
    with Checkpoint.open(state_url, upgrade=False) as checkpoint:
        known = checkpoint.find_plan("p")

    assert scene.plan_id == known
    assert [(revision,)] == rows(state_url, "SELECT version_num FROM alembic_version")
    assert [("theirs", "x")] == rows(state_url, "SELECT id, resource FROM events")


def make_former(url: str) -> None:
    """Name version table and events as version 0.1 did."""
    run(
        url,
        "ALTER TABLE plan_events RENAME TO events",
        "ALTER TABLE boxhaul_version RENAME TO alembic_version",
        "UPDATE alembic_version SET version_num = '0010'",
        "ALTER TABLE folders DROP COLUMN listing_digest",
        "ALTER TABLE folders DROP COLUMN digest_pass",
        "DROP INDEX ix_items_gone",
        "DROP INDEX ix_folders_source_id",
        "ALTER TABLE folders DROP COLUMN box_etag",
        "ALTER TABLE folders DROP COLUMN source_file_id",
        "ALTER TABLE items DROP COLUMN box_modified_ns",
        "DROP TABLE watched_events",
        "DROP TABLE watches",
        "DROP TABLE surveys",
        "DROP TABLE samples",
        "DROP TABLE lines",
        "DROP TABLE cutovers",
        "ALTER TABLE trees DROP COLUMN closed_at",
        "ALTER TABLE trees DROP COLUMN closed_by",
    )
    if url.startswith("postgresql"):
        run(
            url,
            "ALTER TABLE events RENAME CONSTRAINT pk_plan_events TO pk_events",
            "ALTER TABLE events RENAME CONSTRAINT fk_plan_events_plan_id TO fk_events_plan_id",
            "ALTER TABLE events RENAME CONSTRAINT fk_plan_events_tree_id TO fk_events_tree_id",
            "ALTER TABLE alembic_version RENAME CONSTRAINT boxhaul_version_pkc TO alembic_version_pkc",
        )


def test_database_of_the_former_names_loses_nothing(state_url: str) -> None:
    """It is taken over with every row, and then another program may make its tables beside it."""
    with Checkpoint.open(state_url) as checkpoint:
        scene = Scene(checkpoint)
        scene.record({"f": 1})
    before = {
        name: named_rows(state_url, f"SELECT * FROM {name}") for name in ("plan_events", "items", "plans")
    }
    make_former(state_url)

    with pytest.raises(SchemaBehind, match="is 0010"):
        Checkpoint.open(state_url, upgrade=False)
    with Checkpoint.open(state_url) as checkpoint:
        known = checkpoint.find_plan("p")
    after = {name: named_rows(state_url, f"SELECT * FROM {name}") for name in before}
    run(state_url, *SOMEBODY_ELSES)

    assert scene.plan_id == known
    assert before == after


def test_failed_takeover_leaves_the_former_names(sqlite_url: str) -> None:
    """Where the upgrade breaks in the middle, the database is as it was before."""
    Checkpoint.open(sqlite_url).close()
    make_former(sqlite_url)
    run(sqlite_url, "ALTER TABLE events RENAME TO elsewhere")

    with pytest.raises(Exception, match="refused a statement"):
        Checkpoint.open(sqlite_url)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as database:
        assert [("0010",)] == database.execute("SELECT version_num FROM alembic_version").fetchall()
