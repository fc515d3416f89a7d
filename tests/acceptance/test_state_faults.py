"""State faults: full disk, locks, a database that restarts, goes away or is restored, other schemas, two processes.

Every one ends with one line that says what to do, a true `status`, and a next run without a flag that completes.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import make_url

from connectors.box.sandbox import Sandbox
from state.checkpoint import Checkpoint
from state.database import schema
from state.database.engine import Database
from tests.program import Finished, Program
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy
from tests.torture import small_share
from tests.torture.points import Kill
from tests.torture.victims import Victims
from tests.torture.world import MakeWorld, World

pytest_plugins = ["tests.torture.stage"]

CHECKPOINT = "state.checkpoint:Checkpoint."
NEVER = ""

HOLD_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


def assert_stopped(finished: Finished, *words: str) -> None:
    """Exit code 3 and one line on stderr that holds these words; no traceback."""
    assert finished.code == 3, finished.output
    lines = [line for line in finished.stderr.splitlines() if line.startswith("boxhaul: ")]
    assert len(lines) == 1, finished.stderr
    assert "Traceback" not in finished.output
    for word in words:
        assert word in lines[0]


def migrate(world: World, script: str = NEVER) -> Finished:
    """`migrate` under a script for crashing.py."""
    return world.victims.run(world.program, "migrate", crash=script)


def complete(world: World, **expected: object) -> None:
    """The next run, without a flag, ends with everything in Box once."""
    finished = migrate(world)
    assert finished.code == 0, finished.output
    world.at_end(**expected)  # type: ignore[arg-type]


def sqlite_path(world: World) -> Path:
    """The checkpoint's file."""
    return Path(world.state_url.removeprefix("sqlite:///"))


# --- full disk ---


@pytest.mark.parametrize("pages", [0, 1])
def test_disk_full(make_world: MakeWorld, pages: int) -> None:
    """When the checkpoint's disk is full the run stops with one line; with room again it goes on."""
    world = make_world()
    Checkpoint.open(world.state_url).close()
    with closing(sqlite3.connect(sqlite_path(world))) as connection:
        connection.execute("VACUUM")  # pages that migrations freed would be room
        room = connection.execute("PRAGMA page_count").fetchone()[0] + pages

    finished = migrate(world, f"full||{room}")

    assert_stopped(finished, "disk that holds it is full", "free space there, then start again")
    world.after_kill()
    complete(world)


def test_file_that_may_not_grow(make_world: MakeWorld) -> None:
    """When the system refuses to let the checkpoint grow (a quota, a file-size limit) it is one line, too."""
    world = make_world()
    Checkpoint.open(world.state_url).close()

    finished = migrate(world, f"limit||{sqlite_path(world).stat().st_size + 8_192}")

    assert_stopped(finished, "its disk answers with errors, or is full; check it, then start again")
    world.after_kill()
    complete(world)


# --- locks ---


@contextmanager
def locked(world: World) -> Iterator[Callable[[], None]]:
    """Another program holds SQLite's write lock until the yielded function is called, or the block ends."""
    command_line = [sys.executable, "-c", HOLD_LOCK, str(sqlite_path(world))]
    with subprocess.Popen(command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"

        def release() -> None:
            other.communicate("\n", timeout=30)

        try:
            yield release
        finally:
            if other.poll() is None:
                release()


def test_locked_for_a_while(make_world: MakeWorld) -> None:
    """A lock that another program holds for a moment costs only time."""
    world = make_world()
    Checkpoint.open(world.state_url).close()
    with locked(world) as release:
        threading.Timer(1.5, release).start()
        finished = migrate(world)

    assert finished.code == 0, finished.output
    world.at_end()


def test_locked_for_ever(make_world: MakeWorld, tmp_path: Path) -> None:
    """A lock that stays, in the middle of a run, stops it with one line; status can be asked meanwhile."""
    world = make_world()
    script = f"pause|{CHECKPOINT}record_results|2;patience||1"
    world.victims.start(world.program, "migrate", crash=script, signals=signals(tmp_path))
    wait_for(tmp_path / "signals" / "paused")
    # The paused transaction holds the lock itself; the other program gets it as soon as it is free.
    holder = threading.Thread(target=lambda: (tmp_path / "signals" / "go").touch())
    with locked_in_turn(world, holder) as release:
        finished = world.victims.finish()
        world.after_kill()
        release()

    assert_stopped(finished, "stays locked by another program; close what holds it, then start again")
    complete(world)


@contextmanager
def locked_in_turn(world: World, free: threading.Thread) -> Iterator[Callable[[], None]]:
    """As locked(), by a program that already waits for its turn when the current holder is told to go on."""
    free.start()
    with locked(world) as release:
        yield release
    free.join()


# --- a PostgreSQL that restarts, or is away ---


def signals(folder: Path) -> Path:
    """A folder for the files by which a paused process and the test talk."""
    path = folder / "signals"
    path.mkdir()
    return path


def wait_for(path: Path, seconds: float = 60.0) -> None:
    """Until the file is there."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("place", "how"),
    [
        pytest.param("register_worker", signal.SIGQUIT, marks=pytest.mark.torture),
        pytest.param("record_listing", signal.SIGINT, marks=pytest.mark.torture),
        pytest.param("claim_batch", signal.SIGQUIT, marks=pytest.mark.torture),
        pytest.param("record_folder_created", signal.SIGQUIT, marks=pytest.mark.torture),
        ("add_upload_part", signal.SIGQUIT),
        ("record_results", signal.SIGINT),
        pytest.param("record_results", signal.SIGQUIT, marks=pytest.mark.torture),
        pytest.param("record_collaboration", signal.SIGQUIT, marks=pytest.mark.torture),
    ],
)
def test_postgres_restarted_in_the_middle_of_a_commit(
    make_world: MakeWorld, postgres_server: PostgresServer, tmp_path: Path, place: str, how: signal.Signals
) -> None:
    """The server restarts, or crashes and recovers, between the last statement and the commit: it costs only time."""
    world = make_world("postgres")
    where = signals(tmp_path)
    world.victims.start(world.program, "migrate", crash=f"pause|{CHECKPOINT}{place}|1", signals=where)
    wait_for(where / "paused")
    postgres_server.stop(how)
    postgres_server.start()
    (where / "go").touch()

    finished = world.victims.finish()

    assert finished.code == 0, finished.output
    world.at_end()


def test_postgres_away_for_too_long(
    make_world: MakeWorld, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """A server that does not come back stops the run with one line; when it is there again the next run goes on."""
    world = make_world("postgres")
    where = signals(tmp_path)
    script = f"pause|{CHECKPOINT}record_results|1;patience||1"
    world.victims.start(world.program, "migrate", crash=script, signals=where)
    wait_for(where / "paused")
    postgres_server.stop(signal.SIGQUIT)
    try:
        (where / "go").touch()
        finished = world.victims.finish()
        asked = world.victims.run(world.program, "status")
    finally:
        postgres_server.start()

    line = ("does not answer; check that the server runs and can be reached, then start again",)
    assert_stopped(finished, *line)
    assert_stopped(asked, *line)
    world.after_kill()
    complete(world)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("register_worker", marks=pytest.mark.torture),
        pytest.param("lease_identity", marks=pytest.mark.torture),
        pytest.param("claim_folders_to_walk", marks=pytest.mark.torture),
        "claim_batch",
    ],
)
@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
def test_connection_lost_while_leasing(
    make_world: MakeWorld, postgres_server: PostgresServer, tmp_path: Path, place: str, committed: bool
) -> None:
    """A connection that breaks in the middle of a lease or a claim: nothing is held twice, nothing is left held."""
    world = make_world("postgres")
    where = signals(tmp_path)
    with Proxy(postgres_server.port) as proxy:
        through = make_url(world.state_url).set(port=proxy.port).render_as_string(hide_password=False)
        world.program.environment["STATE_URL"] = through
        pause = "pause-committed" if committed else "pause"
        world.victims.start(world.program, "migrate", crash=f"{pause}|{CHECKPOINT}{place}|1", signals=where)
        wait_for(where / "paused")
        proxy.drop()
        (where / "go").touch()
        finished = world.victims.finish()
        world.program.environment["STATE_URL"] = world.state_url

    assert finished.code == 0, finished.output
    world.at_end()


# --- restored from a backup ---


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


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> PostgresServer | None:
    """The PostgreSQL server, or None for a test that keeps its state in SQLite."""
    return request.getfixturevalue("postgres_server") if request.param == "postgres" else None


def world_on(make_world: MakeWorld, server: PostgresServer | None) -> World:
    """A world with its checkpoint there."""
    return make_world("sqlite" if server is None else "postgres")


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


@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(Kill("after", f"{CHECKPOINT}begin_pass", 1), marks=pytest.mark.torture),
        pytest.param(Kill("after", f"{CHECKPOINT}record_results", 1), marks=pytest.mark.torture),
        Kill("after", f"{CHECKPOINT}add_upload_part", 3),
        Kill("before", f"{CHECKPOINT}record_collaboration", 1),
    ],
    ids=["before anything", "among small files", "within a large file", "before the people"],
)
def test_restored_from_a_backup_of_the_middle(
    make_world: MakeWorld, server: PostgresServer | None, kill: Kill
) -> None:
    """Box is ahead of yesterday's checkpoint: everything is adopted, nothing is made, nobody is invited again."""
    world = world_on(make_world, server)
    assert world.victims.run_and_kill(world.program, world.box, kill).code == -signal.SIGKILL
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


def test_restored_from_a_backup_before_changes(make_world: MakeWorld, server: PostgresServer | None) -> None:
    """The versions, files and folders of a lost pass are adopted: no version more, no part again."""
    world = world_on(make_world, server)
    complete(world)
    restore = back_up(world, server)
    versions = small_share.change_share(world.root)
    parts = small_share.PARTS + small_share.CHANGED_PARTS
    complete(world, versions=versions, parts=parts)
    restore()

    complete(world, versions=versions, parts=parts)


def test_changed_again_after_a_backup(make_world: MakeWorld, server: PostgresServer | None) -> None:
    """A file whose latest version the restored checkpoint does not know, and that changed since, gets one version."""
    world = world_on(make_world, server)
    complete(world)
    restore = back_up(world, server)
    versions = small_share.change_share(world.root)
    parts = small_share.PARTS + small_share.CHANGED_PARTS
    complete(world, versions=versions, parts=parts)
    restore()
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


def test_schema_ahead(make_world: MakeWorld, server: PostgresServer | None) -> None:
    """A checkpoint of a newer version is refused with one line and left alone; nothing is asked of Box."""
    world = world_on(make_world, server)
    killed = world.victims.run_and_kill(
        world.program, world.box, Kill("after", f"{CHECKPOINT}record_results", 1)
    )
    assert killed.code == -signal.SIGKILL
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


# --- two processes ---


def test_second_process_is_refused(
    make_world: MakeWorld, server: PostgresServer | None, other_victims: Victims, tmp_path: Path
) -> None:
    """The same plan started twice: the second one says in one line who runs it, and the first is not disturbed."""
    world = world_on(make_world, server)
    where = signals(tmp_path)
    # After the claim, so that nothing of the database is held meanwhile.
    other_victims.start(world.program, "migrate", crash=f"hold|{CHECKPOINT}claim_batch|1", signals=where)
    wait_for(where / "paused")

    finished = migrate(world)
    asked = world.victims.status(world.program)
    (where / "go").touch()
    first = other_victims.finish()

    assert_stopped(
        finished, "is in use by", "pid", "wait for it, stop it, or give this process another identity"
    )
    assert len(small_share.TREES) == len(asked["trees"])
    assert first.code == 0, first.output
    world.at_end()


def test_second_process_with_an_identity_of_its_own(
    make_world: MakeWorld, other_victims: Victims, tmp_path: Path
) -> None:
    """Folders and people are the service account's, so a second `migrate` is refused with whatever uploader it has;
    more processes join as senders (tests/acceptance/prefect/test_many_workers.py)."""
    world = make_world("postgres", uploaders=2)
    where, (one, other) = signals(tmp_path), world.program.plan["box"]["identities"]
    second = Program(tmp_path / "second", {**world.program.plan}, world.program.environment)
    second.folder.mkdir()
    shutil.copyfile(world.program.folder / "box_config.json", second.folder / "box_config.json")
    second.write_plan(box={**world.program.plan["box"], "identities": [other]})
    world.program.write_plan(box={**world.program.plan["box"], "identities": [one]})
    other_victims.start(world.program, "migrate", crash=f"hold|{CHECKPOINT}claim_batch|1", signals=where)
    wait_for(where / "paused")

    finished = world.victims.run(second, "migrate")
    (where / "go").touch()
    first = other_victims.finish()

    assert_stopped(finished, f"the Box user {world.box.service_account.id} is in use by")
    assert first.code == 0, first.output
    world.at_end()


def test_process_that_slept_past_its_lease(
    make_world: MakeWorld, server: PostgresServer | None, other_victims: Victims, tmp_path: Path
) -> None:
    """Frozen for longer than its lease, a process is taken over; awake again it writes nothing and says so."""
    world = world_on(make_world, server)
    where = signals(tmp_path)
    script = f"hold|{CHECKPOINT}claim_batch|2;lease||1.0"
    other_victims.start(world.program, "migrate", crash=script, signals=where)
    wait_for(where / "paused")
    with other_victims.frozen():
        time.sleep(1.2)
        finished = migrate(world, "lease||20.0")
    (where / "go").touch()
    sleeper = other_victims.finish()

    assert finished.code == 0, finished.output
    assert_stopped(sleeper, "lease", "taken over; it stops")
    world.at_end()


def test_process_frozen_within_a_transaction(
    make_world: MakeWorld, other_victims: Victims, tmp_path: Path
) -> None:
    """A process that freezes with rows locked on PostgreSQL does not hold up the one that takes over."""
    world = make_world("postgres")
    where = signals(tmp_path)
    script = f"pause|{CHECKPOINT}claim_batch|2;lease||1.0"
    other_victims.start(world.program, "migrate", crash=script, signals=where)
    wait_for(where / "paused")
    with other_victims.frozen():
        time.sleep(1.2)
        finished = migrate(world, "lease||20.0")
    (where / "go").touch()
    sleeper = other_victims.finish()

    assert finished.code == 0, finished.output
    assert_stopped(sleeper, "lease", "taken over; it stops")
    world.at_end()


def test_sigterm_saves_the_state(make_world: MakeWorld) -> None:
    """What a service manager sends ends with 130 and one line; the next run completes."""
    world = make_world()
    world.box.limits.latency_seconds = 0.05
    world.victims.start(world.program, "migrate")
    while world.box.calls.by_route["POST /files/content"] < 5:
        assert world.victims.runs()
        time.sleep(0.01)
    world.victims.kill(signal.SIGTERM)
    finished = world.victims.finish()
    world.box.limits.latency_seconds = 0.0

    assert finished.code == 130, finished.output
    assert finished.stderr.splitlines()[-1:] == [
        "boxhaul: interrupted; the state is saved, the same command goes on from here"
    ]
    world.after_kill()
    complete(world)
