"""A checkpoint whose disk is full, whose file may not grow, or that another program locks; a run that is told to end.

Every one ends with one line that says what to do, a true `status`, and a next run without a flag that completes.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from state.checkpoint import Checkpoint
from tests.acceptance.checkpoint_faults import (
    CHECKPOINT,
    assert_stopped,
    complete,
    migrate,
    signals,
    sqlite_path,
    wait_for,
)
from tests.torture.world import MakeWorld, World

pytest_plugins = ["tests.torture.stage"]

HOLD_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


@pytest.mark.parametrize("pages", [0, 1])
@pytest.mark.gate(1)
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
