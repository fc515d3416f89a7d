"""A run that begins while the lease of a dead one still lasts, where nobody sees that it died. A real checkpoint."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from flows.run import leases
from flows.run.leases import lease_or_outlast
from state.checkpoint import Checkpoint
from state.database.engine import Database
from state.database.models import Worker
from state.errors import LeaseHeld
from state.records import WorkerLease

#: Of the holder; so short that a test sees it end.
LEASE_SECONDS = 2.0


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A checkpoint that does not exist yet."""
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
def checkpoint(url: str) -> Iterator[Checkpoint]:
    """An empty one."""
    with Checkpoint.open(url) as opened:
        yield opened


@pytest.fixture
def plan_id(checkpoint: Checkpoint) -> int:
    """A plan."""
    return checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="0")


@pytest.fixture
def holder(checkpoint: Checkpoint, plan_id: int) -> WorkerLease:
    """Who has the plan's one identity."""
    holder = checkpoint.register_worker(plan_id, name="first", lease_seconds=LEASE_SECONDS)
    checkpoint.lease_identity(holder, "account")
    return holder


def move_out_of_sight(url: str, holder: WorkerLease) -> None:
    """From now on the holder runs on another machine."""
    database = Database(url)

    def move(connection: Connection) -> None:
        connection.execute(update(Worker).where(Worker.id == holder.id).values(host="fs02"))

    database.write(move)
    database.close()


def begin(checkpoint: Checkpoint, plan_id: int) -> WorkerLease:
    """Begin a run of the plan as open_migration does; its lease."""
    worker = checkpoint.register_worker(plan_id, name="second")

    def lease() -> None:
        checkpoint.lease_identity(worker, "account")

    lease_or_outlast(lease, checkpoint, worker, threading.Event())
    return worker


def test_a_dead_run_elsewhere_is_outlasted(
    checkpoint: Checkpoint, plan_id: int, url: str, holder: WorkerLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that goes on after a crash waits for the lease of the dead one, and then has it."""
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.2)
    move_out_of_sight(url, holder)

    worker = begin(checkpoint, plan_id)

    assert ["second"] == [each.name for each in checkpoint.live_workers(plan_id)]
    assert [] == checkpoint.lease_identity(worker, "account")


def test_a_living_run_elsewhere_is_told(
    checkpoint: Checkpoint, plan_id: int, url: str, holder: WorkerLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs a plan twice hears of it as soon as the other one prolongs its lease, and disturbs nobody."""
    monkeypatch.setattr(leases, "LOOK_SECONDS", 0.2)
    move_out_of_sight(url, holder)
    done = threading.Event()

    def live() -> None:
        while not done.wait(0.5):
            checkpoint.heartbeat(holder)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        with pytest.raises(LeaseHeld, match="in use by first on fs02"):
            begin(checkpoint, plan_id)
    finally:
        done.set()
        thread.join()

    assert [] == checkpoint.lease_identity(holder, "account")


def test_a_living_run_on_this_machine_is_told_at_once(
    checkpoint: Checkpoint, plan_id: int, holder: WorkerLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is seen to live: there is nothing to wait for."""
    monkeypatch.setattr(leases, "LOOK_SECONDS", 3600)

    with pytest.raises(LeaseHeld) as refused:
        begin(checkpoint, plan_id)

    assert refused.value.lives
