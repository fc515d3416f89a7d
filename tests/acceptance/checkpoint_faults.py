"""What the tests of a checkpoint's faults share: a world's runs, how one stops, and the talk with a paused process."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.program import Finished
from tests.servers.postgres import PostgresServer
from tests.torture.world import MakeWorld, World

CHECKPOINT = "state.checkpoint:Checkpoint."
NEVER = ""


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


def first_on(name: str) -> pytest.MarkDecorator:
    """Run a test on the checkpoint of this name (`server`); on the other one in `make torture` alone."""
    kinds = [
        pytest.param(each, marks=() if each == name else pytest.mark.torture)
        for each in ("sqlite", "postgres")
    ]
    return pytest.mark.parametrize("server", kinds, indirect=True)


def world_on(make_world: MakeWorld, server: PostgresServer | None) -> World:
    """A world with its checkpoint there."""
    return make_world("sqlite" if server is None else "postgres")
