"""The modes of the form `run-plan/on-demand`, and the message that somebody gets when a run ends incomplete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.chat import Messages
from tests.acceptance.prefect.conftest import PlanFor, build_share
from tests.program import Program
from tests.servers.prefect import PrefectServer, PrefectWorker, wait_until

SMALL = "POST /files/content"
FILES = 12


@pytest.mark.torture
def test_look_move_and_retry_from_the_form(
    plan_for: PlanFor,
    box: Sandbox,
    prefect_server: PrefectServer,
    prefect_worker: PrefectWorker,
    messages: Messages,
    webhook: str,
    tmp_path: Path,
) -> None:
    """A dry run sends nothing; a run with a failure is told to the chat; a retry completes it."""
    server = prefect_server
    share = build_share(tmp_path / "share", trees=("Legal",), folders=1, files=FILES)
    program = plan_for("form", share=share)
    deploy_with(program, webhook)
    switch_off(server, "Boxhaul: a tree is complete")
    deploy_with(program, webhook)
    name = "run-plan/on-demand-form"

    assert_the_check_is_seen(server, "check-plan/check-form")

    look = server.start_run(name, mode="dry run")
    server.wait_for(look, "Dry run")
    assert f"{FILES} files" in server.run(look)["state"]["message"]
    assert {} == box.files()

    box.faults.next(SMALL).status(403, error="forbidden_by_policy").times(1)
    move = server.start_run(name)
    server.wait_for(move, "Incomplete")
    assert FILES - 1 == len(box.files())
    wait_until(lambda: bool(messages.texts), "somebody is told")
    assert ["Boxhaul: a run ended incomplete | form-migrate: "] == [
        text.partition("1 of")[0] for text in messages.texts
    ]
    assert messages.texts[0].endswith(f" {server.url}/runs/flow-run/{move}")

    retry = server.start_run(name, mode="retry failures")
    server.wait_for(retry, "Completed")
    assert FILES == len(box.files())
    # What a person switched off stays off.
    assert ["Boxhaul: a tree is complete"] == [
        each["name"] for each in server.ask("POST", "/automations/filter", {}) if not each["enabled"]
    ]


def assert_the_check_is_seen(server: PrefectServer, name: str) -> None:
    """A check that finds a problem is called so in the list of runs, with its sums; its page has every row."""
    plan = server.deployment(name)["parameters"]["plan"]
    plan["source"]["url"] += "-gone"

    run = server.start_run(name, plan=plan)
    server.wait_for(run, "Problems")

    message = server.run(run)["state"]["message"]
    assert message.startswith("1 problem, ")
    assert message.endswith(": source.")
    (table,) = server.artifacts(run)
    assert "form-check" == table["key"]
    rows = json.loads(table["data"])
    assert ("source", "problem") == (rows[0]["check"], rows[0]["state"])
    assert rows[0]["what to do"]
    assert "login" in {row["check"] for row in rows}


def deploy_with(program: Program, webhook: str) -> None:
    """`boxhaul deploy PLAN --notify BLOCK`."""
    deployed = program.run("deploy", "--suffix", "form", "--notify", webhook)
    assert 0 == deployed.code, deployed.output


def switch_off(server: PrefectServer, name: str) -> None:
    """What the switch of an automation does."""
    (automation,) = server.ask("POST", "/automations/filter", {"automations": {"name": {"any_": [name]}}})
    server.ask("PATCH", f"/automations/{automation['id']}", {"enabled": False})
