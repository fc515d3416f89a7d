"""Many processes on one plan: leases in PostgreSQL, one identity each; some die, one is added."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.conftest import PlanFor, build_share, deploy
from tests.servers.prefect import PrefectServer, PrefectWorker, wait_until, working

TREES, FOLDERS, FILES = ("Accounting", "Legal"), 5, 120
SENDERS = 4


@pytest.mark.torture  # the same without Prefect: acceptance/test_holders.py
@pytest.mark.timeout(600)  # five interpreters start on two cores
def test_two_of_four_workers_lose_power_and_one_is_added(
    plan_for: PlanFor,
    slow_box: Sandbox,
    prefect_server: PrefectServer,
    prefect_worker: PrefectWorker,
    worker_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    """Four processes send; two are killed with SIGKILL, their worker too; another takes over; nobody has to help."""
    server, box = prefect_server, slow_box
    uploaders = [box.add_user(f"AppUser_{number}@boxdevedition.com", kind="app") for number in range(SENDERS)]
    logins = {user.login for user in uploaders}
    box.limits.update({"uploads_per_minute": 60, "calls_per_minute": 1000, "window_seconds": 6.0})
    # Those that are quick to start must not be done before the last of them has begun.
    box.limits.update({"latency_seconds": 1.5})
    share = build_share(tmp_path / "share", trees=TREES, folders=FOLDERS, files=FILES)
    program = plan_for("fleet", share=share, state_url="${FLEET_STATE_URL}", transfer={"batch_items": 10})
    box_plan = program.plan["box"]
    program.write_plan(
        box={
            **box_plan,
            "identities": [user.id for user in uploaders],
            "limits": {"uploads_per_minute": 60, "calls_per_minute": 1000, "window_seconds": 6.0},
        }
    )
    program.environment.update(worker_environment)
    deploy(program, "fleet")

    # The session's worker alone takes the run that conducts; whoever is quicker takes those that send.
    server.ask("POST", "/work_pools/boxhaul/queues", {"name": "conducting"})
    with working(server, worker_environment, limit=2, queue="default") as other:
        run = server.start_run("migrate-share/pilot-fleet", queue="conducting", workers=SENDERS)
        wait_until(lambda: logins <= uploaders_of(box), "all four upload", seconds=200)
        assert len(box.files()) < len(TREES) * FOLDERS * FILES
        senders = other.flow_processes() + [
            each for each in prefect_worker.flow_processes() if run != each.environ()["PREFECT__FLOW_RUN_ID"]
        ]
        assert SENDERS == len(senders)
        other.lose_power()
        for victim in senders[:2]:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
    box.limits.update({"latency_seconds": 0.02})
    with working(server, worker_environment):
        server.wait_for(run, "Completed", seconds=240)

    files = box.files()
    assert len(TREES) * FOLDERS * FILES == len(files)
    assert {1} == {file.versions for file in files.values()}
    assert len(set(box.folders())) == len(box.folders())
    assert 0 == box.calls.by_status[429]
    assert {"complete"} == {tree["state"] for tree in program.status()["trees"]}


def test_the_option_starts_senders(plan_for: PlanFor, box: Sandbox, prefect_server: PrefectServer) -> None:
    """`--workers 1` of the command starts one more run, and waits for it; where nothing could start one, it says so
    and moves nothing."""
    server, name = prefect_server, {"name": "send-share"}
    uploader = box.add_user("AppUser_1@boxdevedition.com", kind="app")
    program = plan_for("option", share=None)
    program.write_plan(box=program.plan["box"] | {"identities": [uploader.id]})
    for each in server.ask("POST", "/deployments/filter", {"flows": {"name": {"any_": ["send-share"]}}}):
        server.ask("DELETE", f"/deployments/{each['id']}")

    refused = program.run("migrate", "--workers", "1")
    moved = box.files()
    flow = server.ask("POST", "/flows/", name)["id"]
    deployment = server.ask("POST", "/deployments/", {"name": "worker", "flow_id": flow})["id"]
    under_way = program.start("migrate", "--workers", "1")
    try:
        senders = {"deployments": {"id": {"any_": [deployment]}}}
        wait_until(
            lambda: server.ask("POST", "/flow_runs/filter", senders), "a sender is asked for", seconds=120
        )
        under_way.send_signal(signal.SIGINT)
        _, errors = under_way.communicate(timeout=180)
    finally:
        under_way.kill()
        under_way.wait()
        (sender,) = server.ask("POST", "/flow_runs/filter", senders)
        server.ask("DELETE", f"/deployments/{deployment}")

    assert 2 == refused.code, refused.output
    assert "workers: Prefect has no deployment send-share/worker, which would send" in refused.stderr
    assert 130 == under_way.returncode, errors
    assert uploader.id in sender["parameters"]["plan"]["box"]["identities"]
    assert sender["state"]["name"] in {"Cancelling", "Cancelled"}, sender["state"]
    assert {} == moved


def uploaders_of(box: Sandbox) -> set[str]:
    """Who has uploaded something."""
    return {file.created_by for file in box.files().values()}
