"""A checkpoint that is restored from a backup, or whose schema is older or newer than the program.

Every one ends with one line that says what to do, a true `status`, and a next run without a flag that completes.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import make_url

from connectors.box.sandbox import Sandbox
from state.database import schema
from state.database.engine import Database
from tests.acceptance.checkpoint_faults import (
    CHECKPOINT,
    assert_stopped,
    complete,
    first_on,
    migrate,
    sqlite_path,
    world_on,
)
from tests.servers.postgres import PostgresServer
from tests.torture import small_share
from tests.torture.points import Kill
from tests.torture.world import MakeWorld, World

pytest_plugins = ["tests.torture.stage"]


def back_up(world: World, server: PostgresServer | None) -> Callable[[], None]:
    """Keep a copy of the checkpoint as a backup does; the answer puts it back."""
    if server is None:
        path = sqlite_path(world)
        copy = path.with_suffix(".backup")
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)

        def restore() -> None:
            for suffix in ("-wal", "-shm"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
            shutil.copyfile(copy, path)

        return restore
    name = make_url(world.state_url).database
    administer(server, f"CREATE DATABASE {name}_backup TEMPLATE {name}")

    def restore_database() -> None:
        administer(server, f"DROP DATABASE {name} WITH (FORCE)")
        administer(server, f"ALTER DATABASE {name}_backup RENAME TO {name}")

    return restore_database


def administer(server: PostgresServer, statement: str) -> None:
    """One statement as the server's administrator."""
    with psycopg.connect(
        host="127.0.0.1", port=server.port, user="postgres", password=server.password, autocommit=True
    ) as connection:
        connection.execute(statement)


#: A sign-in, an upload or a session that Box takes makes something; the same one refused, or a GET, makes nothing.
MAKES_SOMETHING = (
    "POST /files",
    "PUT /files",
    "POST /folders",
    "POST /collaborations",
    "PUT /collaborations",
)


def made(box: Sandbox) -> list[tuple[str, int]]:
    """Calls since the last reset by which something new came to be in Box."""
    return [
        (call.route, call.status)
        for call in box.calls.log
        if call.route.startswith(MAKES_SOMETHING) and call.status in (200, 201)
    ]


KILLS = {
    "before anything": Kill("after", f"{CHECKPOINT}begin_pass", 1),
    "among small files": Kill("after", f"{CHECKPOINT}record_results", 1),
    "within a large file": Kill("after", f"{CHECKPOINT}add_upload_part", 3),
    "before the people": Kill("before", f"{CHECKPOINT}record_collaboration", 1),
}
#: What `make test` has of them.
SAMPLE = {("within a large file", "postgres"), ("before the people", "sqlite")}


@pytest.mark.parametrize(
    ("kill", "server"),
    [
        pytest.param(
            kill,
            database,
            marks=() if (name, database) in SAMPLE else pytest.mark.torture,
            id=f"{name}, {database}",
        )
        for name, kill in KILLS.items()
        for database in ("sqlite", "postgres")
    ],
    indirect=["server"],
)
@pytest.mark.gate(1)
def test_restored_from_a_backup_of_the_middle(
    make_world: MakeWorld, server: PostgresServer | None, kill: Kill
) -> None:
    """Box is ahead of yesterday's checkpoint: everything is adopted, nothing is made, nobody is invited again."""
    world = world_on(make_world, server)
    assert world.victims.run_and_kill(world.program, world.box, kill).code == -signal.SIGKILL
    world.after_kill()
    restore = back_up(world, server)
    complete(world)
    restore()
    log = list(world.box.calls.log)
    world.box.calls.reset()

    finished = migrate(world)

    assert finished.code == 0, finished.output
    assert made(world.box) == []
    world.box.calls.log.extendleft(reversed(log))
    world.at_end()


def changed_and_restored(world: World, server: PostgresServer | None) -> tuple[dict[str, int], int]:
    """A pass, a backup, a pass over changes, the backup restored; versions of each file, parts that Box took."""
    complete(world)
    restore = back_up(world, server)
    versions = small_share.change_share(world.root)
    parts = small_share.PARTS + small_share.CHANGED_PARTS
    complete(world, versions=versions, parts=parts)
    restore()
    return versions, parts


@first_on("sqlite")
def test_restored_from_a_backup_before_changes(make_world: MakeWorld, server: PostgresServer | None) -> None:
    """The versions, files and folders of a lost pass are adopted: no version more, no part again."""
    world = world_on(make_world, server)
    versions, parts = changed_and_restored(world, server)

    complete(world, versions=versions, parts=parts)


@first_on("postgres")
def test_changed_again_after_a_backup(make_world: MakeWorld, server: PostgresServer | None) -> None:
    """A file whose latest version the restored checkpoint does not know, and that changed since, gets one version."""
    world = world_on(make_world, server)
    versions, parts = changed_and_restored(world, server)
    again = ["Accounting/file 00.txt", "Accounting/new at the top.txt"]
    for path in again:
        (world.root / path).write_bytes(b"changed after the backup was restored")

    complete(world, versions={**versions, again[0]: 3, again[1]: 2}, parts=parts)


# --- the schema ---


def settled_calls(world: World) -> int:
    """How many calls the sandbox has answered; what was under way when a process was killed is waited for."""
    total, deadline = -1, time.monotonic() + 10
    while total != world.box.calls.total and time.monotonic() < deadline:
        total = world.box.calls.total
        time.sleep(0.5)
    return total


@first_on("sqlite")
def test_schema_ahead(make_world: MakeWorld, server: PostgresServer | None) -> None:
    """A checkpoint of a newer version is refused with one line and left alone; nothing is asked of Box."""
    world = world_on(make_world, server)
    killed = world.victims.run_and_kill(
        world.program, world.box, Kill("after", f"{CHECKPOINT}record_results", 1)
    )
    assert killed.code == -signal.SIGKILL
    world.after_kill()
    before = set_revision(world, "9999")
    calls = settled_calls(world)

    finished = migrate(world)
    asked = world.victims.run(world.program, "status")

    assert_stopped(finished, "made by a newer version; update Boxhaul first")
    assert_stopped(asked, "made by a newer version; update Boxhaul first")
    assert calls == world.box.calls.total
    assert "9999" == set_revision(world, before)
    complete(world)


def set_revision(world: World, revision: str) -> str:
    """Say that the schema is of this revision; the one that it was said to be."""
    database = Database(world.state_url)
    try:

        def change(connection: object) -> str:
            before: str = connection.exec_driver_sql("SELECT version_num FROM boxhaul_version").scalar_one()  # type: ignore[attr-defined]
            connection.exec_driver_sql(f"UPDATE boxhaul_version SET version_num = '{revision}'")  # type: ignore[attr-defined]
            return before

        return database.write(change)
    finally:
        database.close()


@first_on("postgres")
def test_schema_behind(make_world: MakeWorld, server: PostgresServer | None) -> None:
    """A checkpoint that the first version made is upgraded by the first command that needs it."""
    world = world_on(make_world, server)
    database = Database(world.state_url)
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))

    def make_old(connection: object) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")

    database.write(make_old)
    database.close()

    complete(world)
