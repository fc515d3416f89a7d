"""Stopping and going on: cancel, pause and resume, a crash, a server that is away. Real server, real worker."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime, timedelta

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.conftest import FILES, FOLDERS, TREES, PlanFor, deploy
from tests.program import Program
from tests.servers.prefect import PrefectServer, PrefectWorker, wait_until

ALL_FILES = len(TREES) * FOLDERS * FILES


def uploaded(box: Sandbox) -> int:
    """Files in the sandbox now."""
    return len(box.files())


def assert_all_there_once(box: Sandbox) -> None:
    """Every file once, with one version, in a folder that exists once."""
    files = box.files()
    assert ALL_FILES == len(files)
    assert {1} == {file.versions for file in files.values()}
    assert len(set(box.folders())) == len(box.folders())


def reasons(program: Program) -> set[str | None]:
    """Why the trees are incomplete, by the checkpoint."""
    return {tree["incomplete_reason"] for tree in program.status()["trees"]}


@pytest.mark.torture  # minutes, most of them Prefect's own waiting
def test_a_run_is_cancelled_crashes_and_is_paused_and_still_completes(
    plan_for: PlanFor, slow_box: Sandbox, prefect_server: PrefectServer, prefect_worker: PrefectWorker
) -> None:
    """One flow run: cancelled within 10 s, retried, killed, retried, paused, resumed; every file arrives once."""
    server = prefect_server
    program = plan_for("control")
    deploy(program, "control")
    run = server.start_run("run-plan/on-demand-control")

    wait_until(lambda: uploaded(slow_box) > 20, "files are on their way")
    asked = datetime.now(UTC)
    server.set_state(run, type="CANCELLING")
    server.wait_for(run, "Cancelled")
    # What follows in Prefect's own worker is not ours: it loads the flow again to look for hooks.
    assert server.logged(run, "Flow run was cancelled") - asked < timedelta(seconds=10)
    assert {"cancelled"} == reasons(program)
    time.sleep(0.5)
    parked = uploaded(slow_box)
    assert parked < ALL_FILES

    server.retry(run)
    wait_until(lambda: uploaded(slow_box) > parked + 20, "the retry goes on")
    (process,) = prefect_worker.flow_processes()
    process.send_signal(signal.SIGKILL)
    server.wait_for(run, "Crashed")
    killed = uploaded(slow_box)

    def goes_on() -> bool:
        # Prefect's worker reports a crash a second time, which ends a retry that was quicker: then once more.
        if "Crashed" == server.state(run):
            server.retry(run)
        return uploaded(slow_box) > killed + 20

    wait_until(goes_on, "the second retry goes on", seconds=120)
    server.set_state(
        run,
        type="PAUSED",
        name="Suspended",
        state_details={"pause_reschedule": True, "pause_timeout": "2099-01-01T00:00:00Z"},
    )
    wait_until(lambda: not prefect_worker.flow_processes(), "the paused run's process ends")
    paused = uploaded(slow_box)
    assert "Suspended" == server.state(run)

    slow_box.limits.update({"latency_seconds": 0.0})
    server.ask("POST", f"/flow_runs/{run}/resume", {})
    server.wait_for(run, "Completed")

    assert paused < ALL_FILES
    assert_all_there_once(slow_box)
    assert {"complete"} == {tree["state"] for tree in program.status()["trees"]}
    assert 100.0 == server.progress(run, "control-all")


def test_the_server_may_be_away(plan_for: PlanFor, slow_box: Sandbox, prefect_server: PrefectServer) -> None:
    """While Prefect's server is down files go on arriving; the run completes and is told when it is back."""
    server = prefect_server
    program = plan_for("outage")
    process = program.start("migrate")
    wait_until(lambda: uploaded(slow_box) > 20, "files are on their way")
    server.halt()
    away = uploaded(slow_box)

    wait_until(lambda: uploaded(slow_box) > away + 100, "files arrive without Prefect")
    server.start()
    output = process.communicate(timeout=90)

    assert process.returncode == 0, output
    assert_all_there_once(slow_box)
    runs = server.ask("POST", "/flow_runs/filter", {"flow_runs": {"name": {"like_": "outage-migrate"}}})
    assert ["Completed"] == [run["state"]["name"] for run in runs]
