"""The nightly deployment: its window, closed or closing, ends a run as "Limit reached"; `boxhaul retry` goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors.box.sandbox import Sandbox
from flows.window import DAYS
from tests.acceptance.prefect.conftest import FILES, FOLDERS, TREES, PlanFor, deploy
from tests.servers.prefect import PrefectServer, PrefectWorker, wait_until


def closed_today() -> str:
    """A window that is neither open now nor tomorrow."""
    return DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]


def test_the_window_ends_a_run_and_the_next_goes_on(
    plan_for: PlanFor, slow_box: Sandbox, prefect_server: PrefectServer, prefect_worker: PrefectWorker
) -> None:
    """Limit reached is no failure: the trees say so, an event tells it, and whatever starts next completes them."""
    server = prefect_server
    program = plan_for("nights")
    deploy(program, "nights")

    run = server.start_run("migrate-share/nightly-nights", window=closed_today())
    server.wait_for(run, "Limit reached")

    assert "COMPLETED" == server.run(run)["state"]["type"]
    assert len(slow_box.files()) < len(TREES) * FOLDERS * FILES
    assert {"limit reached"} == {tree["incomplete_reason"] for tree in program.status()["trees"]}
    wait_until(
        lambda: "boxhaul.plan.nights" in server.resources_of("boxhaul.window.closed"), "an event tells it"
    )

    slow_box.limits.update({"latency_seconds": 0.0})
    finished = program.run("retry", "--reason", "locked")

    assert 0 == finished.code, finished.output
    assert len(TREES) * FOLDERS * FILES == len(slow_box.files())
    runs = server.ask("POST", "/flow_runs/filter", {"flow_runs": {"name": {"like_": "nights-retry"}}})
    assert ["Completed"] == [each["state"]["name"] for each in runs]


def test_deploying_again_takes_nothing_from_anybody(
    plan_for: PlanFor, box: Sandbox, prefect_server: PrefectServer
) -> None:
    """A schedule that somebody switched on stays on; another plan is told to take names of its own."""
    server = prefect_server
    program = plan_for("first plan")
    deploy(program, "first")
    nightly = server.deployment("migrate-share/nightly-first")
    (schedule,) = nightly["schedules"]
    assert not schedule["active"]
    server.ask("PATCH", f"/deployments/{nightly['id']}/schedules/{schedule['id']}", {"active": True})

    deploy(program, "first")
    program.write_plan(name="second plan")
    refused = program.run("deploy", "--suffix", "first")

    assert [True] == [
        each["active"] for each in server.deployment("migrate-share/nightly-first")["schedules"]
    ]
    assert 2 == refused.code
    assert "--suffix second-plan" in refused.output
    server.ask("DELETE", f"/deployments/{nightly['id']}")
