"""What `boxhaul watch` finds, as events of Prefect's that automations listen to."""

from __future__ import annotations

from pathlib import Path

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.chat import Messages
from tests.acceptance.prefect.conftest import PlanFor, build_share
from tests.servers.prefect import PrefectServer, wait_until


def test_findings_are_events(
    plan_for: PlanFor,
    prefect_server: PrefectServer,
    box: Sandbox,
    messages: Messages,
    webhook: str,
    tmp_path: Path,
) -> None:
    """An edit and an invitation by a person are events of the plan; the terminal has them as well, and an automation
    that ships tells somebody of the invitation. What deploy made of the plan is taken away again."""
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
    watched = program.run("watch", "--once")

    assert (1, 2) == (watched.code, len(watched.stdout.splitlines())), watched.output
    names = ("boxhaul.box.changed", "boxhaul.access.changed")
    wait_until(
        lambda: prefect_server.resources_of(names[0]) & prefect_server.resources_of(names[1]),
        "the server knows both events",
    )
    payloads = [
        event["payload"] for event in prefect_server.events(*names) if event["payload"]["plan"] == "watched"
    ]
    told = {(each["what"], each["by"], each["path"], each["detail"]) for each in payloads}
    assert {
        ("edited", "ann@example.com", "Legal/Q1/file 000.txt", ""),
        ("let in", "ann@example.com", "Legal", "bob@example.com as viewer"),
    } == told
    used_up = prefect_server.events("boxhaul.calls.used_up")
    assert {"watched"} == {event["payload"]["plan"] for event in used_up}
    assert 95 in {event["payload"]["percent"] for event in used_up}
    wait_until(lambda: bool(messages.texts), "somebody is told")
    assert [
        "Boxhaul: access in Box changed | Legal of watched: let in bob@example.com as viewer by ann@example.com."
    ] == messages.texts

    undeployed = program.run("undeploy")
    assert 0 == undeployed.code, undeployed.output
    assert "removed: deployment watch-box/watch-watched" in undeployed.stdout
    assert "removed: block migration-plan/watched" in undeployed.stdout
    assert "plan:watched" not in str(prefect_server.ask("POST", "/deployments/filter", {}))
