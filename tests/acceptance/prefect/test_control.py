"""Stopping and going on: cancel, pause and resume, a crash, a server that is away. Real server, real worker."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.conftest import FOLDERS, LATENCY, TREES, PlanFor, build_share, deploy
from tests.program import Program
from tests.servers.prefect import PrefectServer, PrefectWorker, wait_until, working

#: So many in each folder that a run lasts until it has been interrupted.
FILES = 150
ALL_FILES = len(TREES) * FOLDERS * FILES

#: Seconds of silence after which a test has a run called crashed, more than two of Prefect's shortest heartbeats; and
#: those until Prefect has looked.
SILENCE, LOOK = 65, 10


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """ALL_FILES small files."""
    return build_share(tmp_path / "share", files=FILES)


def uploaded(box: Sandbox) -> int:
    """Files in the sandbox now."""
    return len(box.files())


def assert_all_there_once(box: Sandbox) -> None:
    """Every file once, with one version, in a folder that exists once."""
    files = box.files()
    assert ALL_FILES == len(files)
    assert {1} == {file.versions for file in files.values()}
    assert len(set(box.folders())) == len(box.folders())


def tree_states(program: Program) -> set[tuple[str, str | None]]:
    """What the checkpoint says of the trees: the state, and why it is incomplete."""
    return {(tree["state"], tree["incomplete_reason"]) for tree in program.status()["trees"]}


@contextmanager
def less_patience(server: PrefectServer, seconds: int) -> Iterator[None]:
    """Meanwhile so many seconds of silence and not ten minutes take a run for dead."""
    name = {"automations": {"name": {"any_": ["Boxhaul: no sign of life"]}}}
    (shipped,) = server.ask("POST", "/automations/filter", name)
    written = {key: shipped[key] for key in ("name", "description", "enabled", "trigger", "actions")}
    path = f"/automations/{shipped['id']}"
    server.ask("PUT", path, {**written, "trigger": {**shipped["trigger"], "within": seconds}})
    try:
        yield
    finally:
        server.ask("PUT", path, written)


def send_heartbeat(server: PrefectServer, run: str) -> datetime:
    """As Prefect does each half a minute for a run of ours, whatever somebody has clicked meanwhile; when."""
    now = datetime.now(UTC)
    event = {
        "id": str(uuid4()),
        "occurred": now.isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
        "related": [{"prefect.resource.id": "prefect.tag.boxhaul", "prefect.resource.role": "tag"}],
    }
    server.ask("POST", "/events", [event])
    return now


@pytest.mark.parametrize(
    "patient",
    [pytest.param(True, id="shipped"), pytest.param(False, id="silence", marks=pytest.mark.torture)],
)
def test_a_run_is_cancelled_retried_paused_and_resumed(
    plan_for: PlanFor,
    slow_box: Sandbox,
    prefect_server: PrefectServer,
    prefect_worker: PrefectWorker,
    share: Path,
    patient: bool,
) -> None:
    """One flow run, stopped within 10 s by each of the two buttons; every file arrives once.

    While it moves, a second run of the plan ends with one line. While it is paused, it is not taken for dead, though a
    heartbeat came after the word of the pause (waited for in `silence`).
    """
    server = prefect_server
    program = plan_for("control", share=share)
    deploy(program, "control")
    run = server.start_run("run-plan/on-demand-control")

    wait_until(lambda: uploaded(slow_box) > 20, "files are on their way")
    slow_box.limits.update({"latency_seconds": 3.0})
    second = server.start_run("migrate-share/pilot-control")
    server.wait_for(second, "Already running")
    assert "is in use by" in server.run(second)["state"]["message"]
    assert "CANCELLED" == server.run(second)["state"]["type"]
    slow_box.limits.update({"latency_seconds": LATENCY})

    asked = datetime.now(UTC)
    server.set_state(run, type="CANCELLING")
    server.wait_for(run, "Cancelled")
    # What follows in Prefect's own worker is not ours: it loads the flow again to look for hooks.
    assert server.logged(run, "Flow run was cancelled") - asked < timedelta(seconds=10)
    assert {("incomplete", "cancelled")} == tree_states(program)
    batches = {name: state for name, state in server.task_runs(run).items() if name.startswith("upload-")}
    assert ("CANCELLED", "Cancelled") in batches.values(), batches
    parked = uploaded(slow_box)
    assert parked < ALL_FILES

    server.retry(run)
    wait_until(lambda: uploaded(slow_box) > parked + 20, "the retry goes on")
    with nullcontext() if patient else less_patience(server, SILENCE):
        asked = datetime.now(UTC)
        server.set_state(
            run,
            type="PAUSED",
            name="Suspended",
            state_details={"pause_reschedule": True, "pause_timeout": "2099-01-01T00:00:00Z"},
        )
        beaten = send_heartbeat(server, run)
        wait_until(lambda: not prefect_worker.flow_processes(), "the paused run's process ends")
        assert datetime.now(UTC) - asked < timedelta(seconds=15)  # the interpreter's own end among them
        patience = beaten + timedelta(seconds=0 if patient else SILENCE + LOOK)
        wait_until(lambda: datetime.now(UTC) > patience, "it would have been taken for dead", seconds=90)
    assert "Suspended" == server.state(run)
    # Prefect keeps events some seconds after it has got them.
    word = f"prefect.flow-run.{run}"
    wait_until(lambda: word in server.resources_of("boxhaul.run.paused"), "its last word is there")
    assert uploaded(slow_box) < ALL_FILES

    slow_box.limits.update({"latency_seconds": 0.0})
    server.ask("POST", f"/flow_runs/{run}/resume", {})
    server.wait_for(run, "Completed")

    assert_all_there_once(slow_box)
    assert {("complete", None)} == tree_states(program)
    assert 100.0 == server.progress(run, "control-all")


@pytest.mark.torture
def test_a_run_whose_process_dies_goes_on_by_itself(
    plan_for: PlanFor,
    slow_box: Sandbox,
    prefect_server: PrefectServer,
    prefect_worker: PrefectWorker,
    share: Path,
) -> None:
    """SIGKILL, and nobody does anything: the same flow run completes from the checkpoint."""
    server = prefect_server
    program = plan_for("died", share=share)
    deploy(program, "died")
    run = server.start_run("run-plan/on-demand-died")
    wait_until(lambda: uploaded(slow_box) > 20, "files are on their way")

    (process,) = prefect_worker.flow_processes()
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: "Crashed" == server.state(run), "Prefect has seen it")
    killed = uploaded(slow_box)
    assert killed < ALL_FILES
    slow_box.limits.update({"latency_seconds": 0.0})

    wait_until(lambda: "Completed" == server.state(run), "it goes on and completes", seconds=120)
    assert 2 == server.run(run)["run_count"]
    assert_all_there_once(slow_box)
    assert {("complete", None)} == tree_states(program)


@pytest.mark.torture  # Prefect's shortest heartbeat is half a minute
@pytest.mark.timeout(900)
def test_a_run_whose_machine_dies_goes_on_elsewhere(
    plan_for: PlanFor, slow_box: Sandbox, prefect_server: PrefectServer, share: Path
) -> None:
    """Worker and flow run lose power at once: it is noticed, and another worker goes on with the same flow run."""
    server = prefect_server
    program = plan_for("power", share=share)
    deploy(program, "power")
    server.ask("POST", "/work_pools/boxhaul/queues", {"name": "doomed"})
    with less_patience(server, 90), working(server, queue="doomed") as doomed:
        run = server.start_run("migrate-share/pilot-power", queue="doomed")
        wait_until(lambda: uploaded(slow_box) > 20, "files are on their way", seconds=180)
        # One that nobody has heard of cannot be missed; that somebody has heard another run says nothing of this one.
        word = f"prefect.flow-run.{run}"
        wait_until(
            lambda: word in server.resources_of("prefect.flow-run.heartbeat"), "its sign of life is there"
        )
        doomed.lose_power()
        lost = uploaded(slow_box)
        assert lost < ALL_FILES
        wait_until(lambda: "Crashed" == server.state(run), "it is missed", seconds=240)
    slow_box.limits.update({"latency_seconds": 0.0})

    with working(server, queue="doomed"):
        wait_until(lambda: "Completed" == server.state(run), "it goes on elsewhere", seconds=300)
    assert_all_there_once(slow_box)
    assert {("complete", None)} == tree_states(program)


@pytest.mark.torture
def test_the_server_may_be_away(
    plan_for: PlanFor, slow_box: Sandbox, prefect_server: PrefectServer, share: Path
) -> None:
    """While Prefect's server is down files go on arriving; the run completes and is told when it is back."""
    server = prefect_server
    program = plan_for("outage", share=share)
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
