"""The nightly deployment: its window, closed or closing, ends a run as "Limit reached"; `boxhaul retry` goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.box.sandbox import Sandbox
from flows.run.window import DAYS
from tests.acceptance.prefect.conftest import FILES, FOLDERS, TREES, PlanFor, deploy
from tests.servers.prefect import PrefectServer, PrefectWorker, wait_until


def closed_today() -> str:
    """A window that is neither open now nor tomorrow."""
    return DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]


@pytest.mark.torture
def test_the_window_ends_a_run_and_the_next_goes_on(
    plan_for: PlanFor, slow_box: Sandbox, prefect_server: PrefectServer, prefect_worker: PrefectWorker
) -> None:
    """Limit reached is neither a failure nor complete: the trees say so, an event tells it, nobody is woken up, and
    whatever starts next completes them."""
    server = prefect_server
    program = plan_for("nights")
    deploy(program, "nights")

    run = server.start_run("migrate-share/nightly-nights", window=closed_today())
    server.wait_for(run, "Limit reached")

    assert "CANCELLED" == server.run(run)["state"]["type"]
    assert "the next run goes on" in server.run(run)["state"]["message"]
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


@pytest.mark.torture
def test_deploying_again_takes_nothing_from_anybody(
    plan_for: PlanFor, box: Sandbox, prefect_server: PrefectServer
) -> None:
    """What somebody chose in the UI stays: schedules, the window, a pause, an automation that is off. What an earlier
    version left does not: a slot without which a run would be ended, a rule that called the living dead. Another plan
    is told to take names of its own."""
    server = prefect_server
    program = plan_for("first plan")
    deploy(program, "first")
    nightly = server.deployment("migrate-share/nightly-first")
    path = f"/deployments/{nightly['id']}"
    (schedule,) = nightly["schedules"]
    assert not schedule["active"]
    server.ask("PATCH", f"{path}/schedules/{schedule['id']}", {"active": True})
    theirs = {"schedule": {"cron": "0 22 * * *", "timezone": "Europe/Berlin"}, "active": True}
    server.ask("POST", f"{path}/schedules", [theirs])
    window = "Mon-Fri 22:00-05:00 Europe/Berlin"
    parameters = {**nightly["parameters"], "window": window}
    server.ask("PATCH", path, {"parameters": parameters, "concurrency_limit": 1, "paused": True})
    rule = automation(server)
    old = {**rule, "enabled": False, "trigger": {**rule["trigger"], "within": 90}}
    server.ask("PUT", f"/automations/{old.pop('id')}", old)

    deployed = program.run("deploy", "--suffix", "first")
    assert 0 == deployed.code, deployed.output
    assert "Boxhaul: no sign of life brought up to date" in deployed.output
    assert "Boxhaul: go on after a crash is there" in deployed.output
    program.write_plan(name="second plan")
    refused = program.run("deploy", "--suffix", "first")

    again = server.deployment("migrate-share/nightly-first")
    assert {(None, "0 22 * * *", True), ("nightly", "0 20 * * *", True)} == {
        (each["slug"], each["schedule"]["cron"], each["active"]) for each in again["schedules"]
    }
    assert (window, True) == (again["parameters"]["window"], again["paused"])
    assert again["global_concurrency_limit"] is None
    assert (False, rule["trigger"]["within"]) == (
        automation(server)["enabled"],
        automation(server)["trigger"]["within"],
    )
    assert 2 == refused.code
    assert "--suffix second-plan" in refused.output
    server.ask("DELETE", path)
    server.ask("PATCH", f"/automations/{rule['id']}", {"enabled": True})


@pytest.mark.torture
def test_a_deployment_of_0_1_0_is_not_left_as_a_double(
    plan_for: PlanFor, box: Sandbox, prefect_server: PrefectServer
) -> None:
    """What had the name of another one, and the automations that did nothing, go on under a name of their own with what
    people set, or are gone; one of another plan is left alone."""
    server = prefect_server
    program = plan_for("older")
    deploy(program, "older")
    new = server.deployment("check-plan/check-older")
    kept = ("flow_id", "entrypoint", "parameters", "tags", "work_pool_name", "parameter_openapi_schema")
    old = {**{key: new[key] for key in kept}, "name": "on-demand-older", "paused": True}
    old["schedules"] = [{"schedule": {"cron": "0 7 * * 1", "timezone": "Europe/Berlin"}, "active": True}]
    server.ask("POST", "/deployments/", old)
    server.ask("POST", "/deployments/", {**old, "name": "on-demand", "tags": ["plan:another"]})
    server.ask("DELETE", f"/deployments/{new['id']}")
    quiet = {**automation(server), "name": "Boxhaul: a tree is complete", "actions": [{"type": "do-nothing"}]}
    del quiet["id"]
    server.ask("POST", "/automations/", quiet)

    deployed = program.run("deploy", "--suffix", "older")

    assert 0 == deployed.code, deployed.output
    assert "deployment: check-plan/on-demand-older is check-plan/check-older now" in deployed.output
    names = {each["name"] for each in server.ask("POST", "/deployments/filter", {})}
    assert {"check-older", "retry-older", "on-demand"} <= names
    assert "on-demand-older" in names  # of run-plan, whose name is its own
    again = server.deployment("check-plan/check-older")
    assert again["paused"]
    assert [("0 7 * * 1", True)] == [
        (each["schedule"]["cron"], each["active"]) for each in again["schedules"]
    ]
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        server.deployment("check-plan/on-demand-older")
    actions = [each["actions"] for each in server.ask("POST", "/automations/filter", {})]
    assert actions
    assert [] == [each for each in actions if "do-nothing" in {action["type"] for action in each} or not each]
    server.ask("DELETE", f"/deployments/{server.deployment('check-plan/on-demand')['id']}")


def automation(server: PrefectServer) -> dict[str, Any]:
    """The one that takes silence for death."""
    name = {"automations": {"name": {"any_": ["Boxhaul: no sign of life"]}}}
    (found,) = server.ask("POST", "/automations/filter", name)
    return {key: found[key] for key in ("id", "name", "description", "enabled", "trigger", "actions")}
