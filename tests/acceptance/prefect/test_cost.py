"""What a run costs Prefect: calls, task runs, bytes of its database; measured small, bounded for a million files."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.orchestration.log_lines import LINE_SECONDS
from flows.orchestration.page import (
    PICTURES_PER_OVERVIEW,
    TREES_AT_ONCE,
    picture_pause,
)
from tests.acceptance.prefect.conftest import PlanFor
from tests.servers.prefect import PrefectServer, wait_until

#: The bounds for a run of this many files.
MILLION, MOST_CALLS, MOST_TASK_RUNS, MOST_BYTES = 1_000_000, 2_000, 1_000, 50_000_000

#: Files of a batch by default, and so tasks of a million.
USUAL_BATCH = 5_000
BATCHES_OF_A_MILLION = MILLION // USUAL_BATCH

#: Of the small run.
FILES, BATCH = 2_000, 25

#: Files per second of the fastest local run, which has the most batches per second, and of Box for one identity.
PACES = (400.0, 4.0)


@dataclass(frozen=True)
class Cost:
    """What one run added."""

    calls: int
    task_runs: int
    size: int
    seconds: float


def empty_files(root: Path, count: int) -> Path:
    """So many empty files, 500 in a folder, under two trees."""
    for number in range(count):
        folder = root / f"Tree {number % 2}" / f"{number // 1_000:04d}"
        if number % 1_000 < 2:
            folder.mkdir(parents=True)
        (folder / f"{number}.txt").touch()
    return root


def measure(server: PrefectServer, plan_for: PlanFor, share: Path, **plan: object) -> Cost:
    """Run the plan against the server, and wait until the server has written everything down."""
    program = plan_for("cost", share=share, **plan)
    calls, size, runs = len(ours(server)), server.database_bytes(), count_task_runs(server)
    began = time.monotonic()
    finished = program.run("migrate", timeout=7_200)
    assert finished.code == 0, finished.output
    seconds = time.monotonic() - began
    settled(server)
    return Cost(
        len(ours(server)) - calls, count_task_runs(server) - runs, server.database_bytes() - size, seconds
    )


def ours(server: PrefectServer) -> list[str]:
    """Every request but those of idle workers and of this test."""
    mine = ("/api/task_runs/count", "/api/work_pools/", "/api/deployments/", "/api/block", "/api/csrf")
    return [line for line in server.requests() if not line.split(" ")[1].startswith(mine)]


def count_task_runs(server: PrefectServer) -> int:
    """All that the server knows."""
    return int(server.ask("POST", "/task_runs/count", {}))


def settled(server: PrefectServer) -> None:
    """The number of task runs has not changed for three seconds."""
    seen: list[int] = []

    def is_quiet() -> bool:
        time.sleep(1)
        seen.append(count_task_runs(server))
        return len(seen) > 3 and len(set(seen[-3:])) == 1

    wait_until(is_quiet, "the server has written every task run")


def pictures(seconds: float) -> int:
    """How often the page of a run of this length is drawn."""
    at, count = 0.0, 0
    while at < seconds:
        at += picture_pause(at, count)
        count += 1
    return count


@pytest.mark.torture
def test_a_million_files_stay_within_the_bounds(
    plan_for: PlanFor, box: Sandbox, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    """Few calls beside the pictures, one task run per batch, some kilobytes each: the sums for a million follow."""
    share = empty_files(tmp_path / "share", FILES)

    cost = measure(prefect_server, plan_for, share, transfer={"batch_items": BATCH})

    batches = FILES // BATCH
    assert batches <= cost.task_runs <= batches + 10
    # Every byte and every call put down to the batches, though most belong to the run as a whole.
    assert cost.size / batches * BATCHES_OF_A_MILLION < MOST_BYTES
    drawn = pictures(cost.seconds)
    # What is not a picture does not grow with the files: log lines travel in parcels, task runs as events.
    beside = cost.calls - drawn
    assert beside < 100
    for pace in PACES:
        per_picture = 1 + (TREES_AT_ONCE + 1) / PICTURES_PER_OVERVIEW
        hours = pictures(MILLION / pace) * per_picture
        # Beside them a line of log a minute, whatever the files: a call of some hundred bytes.
        assert LINE_SECONDS > 45
        parcels = 2 * BATCHES_OF_A_MILLION  # were each log line a parcel of its own
        assert hours + parcels + beside < MOST_CALLS


@pytest.mark.torture
@pytest.mark.timeout(7_200)
def test_many_files_measured(
    plan_for: PlanFor, box: Sandbox, prefect_server: PrefectServer, tmp_path: Path
) -> None:
    """BOXHAUL_COST_FILES files, 100,000 by default, with the default batches: the bounds in full, in proportion."""
    files = int(os.environ.get("BOXHAUL_COST_FILES", MILLION // 10))
    share = empty_files(tmp_path / "share", files)

    cost = measure(prefect_server, plan_for, share, transfer={"batch_items": USUAL_BATCH})

    print(f"{files:,} files: {cost}")
    part = max(0.1, files / MILLION)
    assert cost.calls < MOST_CALLS * part
    assert cost.task_runs < MOST_TASK_RUNS * part
    assert cost.size < MOST_BYTES * part
