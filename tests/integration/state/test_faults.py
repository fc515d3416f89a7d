"""State faults: locked, full, damaged, restarted, cut off, killed in the middle of a transaction."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event, text

from state.checkpoint import Checkpoint
from state.errors import StateUnavailable
from state.statuses import ItemStatus
from tests.integration.state.scene import Scene
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy

KILLED = Path(__file__).with_name("killed.py")

HOLD_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


def _hold_lock(url: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD_LOCK, url.removeprefix("sqlite:///")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_sqlite_locked_for_a_while_is_waited_for(sqlite_url: str) -> None:
    """A write waits while another program writes, and reads go on meanwhile."""
    with Checkpoint.open(sqlite_url) as checkpoint, _hold_lock(sqlite_url) as other:
        threading.Timer(0.5, other.stdin.write, ["\n"]).start()  # type: ignore[union-attr]
        threading.Timer(0.6, other.stdin.flush).start()  # type: ignore[union-attr]
        before = checkpoint.find_plan("p")
        plan_id = checkpoint.ensure_plan(name="p", source_url="s", landing_folder_id="0")
        after = checkpoint.find_plan("p")

    assert None is before
    assert plan_id == after


def test_sqlite_that_stays_locked_is_unavailable(sqlite_url: str) -> None:
    """A lock that never ends is one clear line."""
    Checkpoint.open(sqlite_url).close()
    with _hold_lock(sqlite_url) as other:
        with (
            Checkpoint.open(sqlite_url, patience_seconds=0.2) as checkpoint,
            pytest.raises(StateUnavailable, match="stays locked by another program; close what holds it"),
        ):
            checkpoint.ensure_plan(name="p", source_url="s", landing_folder_id="0")
        other.communicate("\n")


def test_full_disk_is_one_line_and_loses_nothing(sqlite_url: str) -> None:
    """When the file cannot grow, the transaction is undone whole; with room again it succeeds."""
    with Checkpoint.open(sqlite_url) as checkpoint:
        scene = Scene(checkpoint)
        changes = scene.compare(scene.root_id, "A", {f"{n:05}-{'x' * 200}": 1 for n in range(2_000)})
        engine = checkpoint.database.engine
        limit = "PRAGMA max_page_count = 200"
        event.listen(engine, "begin", _limited(limit))
        with pytest.raises(StateUnavailable, match="disk that holds it is full"):
            checkpoint.record_listing(scene.root_id, scene.pass_id, changes)

        assert checkpoint.known_children(scene.root_id) == []
        assert not checkpoint.walk_is_done(scene.pass_id, scene.tree.id)

        event.listen(engine, "begin", _limited("PRAGMA max_page_count = 1000000"))
        checkpoint.record_listing(scene.root_id, scene.pass_id, changes)

        assert len(checkpoint.known_children(scene.root_id)) == 2_000


def _limited(pragma: str):
    def limit(connection) -> None:
        connection.exec_driver_sql(pragma)

    return limit


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////nowhere/at/all/state.db", "cannot be opened"),
        ("mysql://root:sesame@localhost/x", "sqlite or postgresql"),
        ("not a url with sesame", "not a database URL"),
        ("postgresql://boxhaul:sesame@127.0.0.1:1/x", "does not answer"),
        ("postgres://boxhaul:sesame@127.0.0.1:1/x", "does not answer"),
    ],
)
def test_unusable_url_is_one_line_without_the_password(url: str, words: str) -> None:
    """A database that is not there says so at once, and its password is nowhere in the whole traceback."""
    with pytest.raises(StateUnavailable, match=words) as caught:
        Checkpoint.open(url, patience_seconds=0.1)

    assert "sesame" not in "".join(traceback.format_exception(caught.value))
    assert "\n" not in str(caught.value)


def test_file_that_is_no_database(tmp_path: Path) -> None:
    """Another kind of file is refused and left as it is."""
    path = tmp_path / "state.db"
    path.write_bytes(b"this is a letter, not a database\n" * 100)

    with pytest.raises(StateUnavailable, match="no SQLite database"):
        Checkpoint.open(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"this is a letter")


def test_wrong_password_is_refused_at_once(postgres_server: PostgresServer, postgres_url: str) -> None:
    """A wrong password is one line that names what to check, and shows neither the right nor the wrong one."""
    wrong = postgres_url.replace(postgres_server.password, "sesame")

    with pytest.raises(StateUnavailable, match="refused the login") as caught:
        Checkpoint.open(wrong)
    shown = "".join(traceback.format_exception(caught.value))
    assert "sesame" not in shown
    assert postgres_server.password not in shown


def test_unknown_database_is_refused_at_once(postgres_server: PostgresServer) -> None:
    """A database that nobody made is one line."""
    with pytest.raises(StateUnavailable, match="refused the login or the database"):
        Checkpoint.open(postgres_server.url("nobody_made_this"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_restarted_server_costs_nothing_but_time(
    postgres_server: PostgresServer, postgres_url: str, how: signal.Signals
) -> None:
    """A server that restarts, or crashes and recovers, between and during transactions is waited for."""
    with Checkpoint.open(postgres_url) as checkpoint:
        scene = Scene(checkpoint)
        scene.walk({f"{number:03}": 1 for number in range(50)})
        batch = scene.claim()
        postgres_server.stop(how)
        restart = threading.Thread(target=postgres_server.start)
        restart.start()
        checkpoint.record_results(scene.worker, [scene.uploaded(item) for item in batch])
        restart.join()

        assert {ItemStatus.UPLOADED} == set(scene.statuses().values())


def test_connection_killed_within_a_transaction(postgres_server: PostgresServer, postgres_url: str) -> None:
    """A transaction whose connection dies before the commit is undone by the server and said again."""
    with Checkpoint.open(postgres_url) as checkpoint:
        scene = Scene(checkpoint)
        killed = []

        def kill(connection) -> None:
            if not killed:
                killed.append(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
                _terminate(postgres_server, killed[0])

        event.listen(checkpoint.database.engine, "commit", kill)
        scene.record({"f": 1, "g": 2})
        event.remove(checkpoint.database.engine, "commit", kill)

        assert killed
        assert scene.statuses() == {"A/f": ItemStatus.PENDING, "A/g": ItemStatus.PENDING}


def _terminate(server: PostgresServer, pid: int) -> None:
    with psycopg.connect(
        host="127.0.0.1",
        port=server.port,
        user="postgres",
        password=server.password,
        dbname="postgres",
        autocommit=True,
    ) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_claim_whose_commit_was_answered_by_silence(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """When the connection is cut after a claim's commit, the same files are claimed, and no others are lost."""
    with Proxy(postgres_server.port) as proxy:
        url = postgres_url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        with Checkpoint.open(url) as checkpoint:
            scene = Scene(checkpoint)
            scene.walk({f"{number:03}": 1 for number in range(20)})
            cuts = []

            def cut(connection) -> None:
                if not cuts:
                    cuts.append(1)
                    # Commit behind the client's back, then let its own COMMIT find nobody.
                    connection.exec_driver_sql("COMMIT")
                    proxy.drop()

            event.listen(checkpoint.database.engine, "commit", cut)
            first = scene.claim(max_items=10)
            event.remove(checkpoint.database.engine, "commit", cut)
            second = scene.claim(max_items=100)

    assert cuts
    assert len(first) == 10
    assert len(second) == 10
    assert len({item.id for item in first + second}) == 20


@pytest.mark.parametrize("step", range(1, 9))
@pytest.mark.gate(5)
def test_killed_between_statements(state_url: str, step: int) -> None:
    """A process killed after any statement of a listing leaves all of it or nothing."""
    process = subprocess.run(
        [sys.executable, str(KILLED), state_url, str(step)], cwd=KILLED.parents[3], check=False
    )
    with Checkpoint.open(state_url) as checkpoint:
        scene = Scene(checkpoint)
        statuses = scene.statuses()
        scene.next_pass()
        scene.walk({"f": (9, 9), "new": 1, "sub": {}})
        after = scene.statuses()

    assert process.returncode == -signal.SIGKILL
    assert statuses.keys() in ({"A/f", "A/gone", "A/gone/x"}, {"A/f", "A/new", "A/sub"})
    assert {"A/f", "A/new", "A/sub"} == after.keys()
