"""Every test of the checkpoint runs on SQLite and on PostgreSQL, on a schema made by the migrations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from state.checkpoint import Checkpoint
from tests.integration.state.scene import ManualClock, Scene


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def state_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def clock() -> ManualClock:
    """The clock of `checkpoint`."""
    return ManualClock()


@pytest.fixture
def checkpoint(state_url: str, clock: ManualClock) -> Iterator[Checkpoint]:
    """An empty checkpoint."""
    with Checkpoint.open(state_url, clock=clock) as opened:
        yield opened


@pytest.fixture
def scene(checkpoint: Checkpoint, clock: ManualClock) -> Scene:
    """A plan with a tree, a pass and a worker."""
    return Scene(checkpoint, clock)
