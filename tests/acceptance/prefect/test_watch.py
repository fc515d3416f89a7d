"""What `boxhaul watch` finds, as events of Prefect's that automations listen to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.chat import Messages
from tests.acceptance.prefect.conftest import PlanFor, build_share
from tests.servers.prefect import PrefectServer, wait_until

#: Seconds until the server has written events down and acted on them; a loaded machine takes its time.
PATIENCE = 200.0

USED_UP = "boxhaul.calls.used_up"


@pytest.mark.timeout(900)
def test_findings_are_events(
    plan_for: PlanFor,
    prefect_server: PrefectServer,
    box: Sandbox,
    messages: Messages,
    webhook: str,
    tmp_path: Path,
) -> None:
    """An edit and an invitation by a person, and a new file of the share, are events of the plan; the terminal has them
    as well, and an automation that ships tells somebody of the invitation. What deploy made of the plan is taken away
    again."""
    people = [{"login": "ann@example.com", "role": "editor"}]
    share = build_share(tmp_path / "share", trees=("Legal",), folders=1, files=1)
    trees = [{"source": "Legal", "collaborators": people}]
    program = plan_for("watched", share=share, trees=trees)
    program.write_plan(box=program.plan["box"] | {"calls_per_month": 5})
    moved = program.run("migrate")
    assert 0 == moved.code, moved.output
    deployed = program.run("deploy", "--suffix", "watched", "--notify", webhook)
    assert 0 == deployed.code, deployed.output
    assert "deployment: watch-box/watch-watched" in deployed.stdout
    box.add_user("bob@example.com")
    ids = {path: entry["id"] for path, entry in box.tree().items()}
    ann = box.person(box.core.store.logins["ann@example.com"])
    ann.edit(ids["Legal/Q1/file 000.txt"], b"new")
    ann.invite(ids["Legal"], "bob@example.com", "viewer")
    (share / "Legal/Q1/new.txt").write_bytes(b"for the next pass")
    watched = program.run("watch", "--once")

    assert (1, 3) == (watched.code, len(watched.stdout.splitlines())), watched.output
    changed = ("boxhaul.box.changed", "boxhaul.access.changed", "boxhaul.source.changed")

    def payloads(*names: str) -> list[dict[str, Any]]:
        events = prefect_server.events(*names)
        return [event["payload"] for event in events if event["payload"]["plan"] == "watched"]

    wait_until(
        lambda: all(map(payloads, changed)) and 95 in {used["percent"] for used in payloads(USED_UP)},
        "the server knows all of them",
        seconds=PATIENCE,
    )
    told = {(each["what"], each["by"], each["path"], each["detail"]) for each in payloads(*changed)}
    assert {
        ("edited", "ann@example.com", "Legal/Q1/file 000.txt", ""),
        ("let in", "ann@example.com", "Legal", "bob@example.com as viewer"),
        ("created", "", "Legal/Q1/new.txt", ""),
    } == told
    assert {"watched"} == {event["payload"]["plan"] for event in prefect_server.events(USED_UP)}
    wait_until(lambda: bool(messages.texts), "somebody is told", seconds=PATIENCE)
    assert [
        "Boxhaul: access in Box changed | Legal of watched: let in bob@example.com as viewer by ann@example.com."
    ] == messages.texts

    undeployed = program.run("undeploy")
    assert 0 == undeployed.code, undeployed.output
    assert "removed: deployment watch-box/watch-watched" in undeployed.stdout
    assert "removed: block migration-plan/watched" in undeployed.stdout
    assert "plan:watched" not in str(prefect_server.ask("POST", "/deployments/filter", {}))
