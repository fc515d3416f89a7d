"""A cutover as a flow run: it pauses before people come in, and goes on when somebody resumes it in Prefect."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.browser import PATIENCE
from tests.acceptance.prefect.conftest import PlanFor, build_share, deploy
from tests.program import Program
from tests.servers.prefect import ROOT, PrefectServer, PrefectWorker, wait_until

PEOPLE = [{"login": "ann@example.com", "role": "editor"}]


def small_plan(plan_for: PlanFor, folder: Path, name: str) -> Program:
    """A plan with one tree and one person, which no run has begun."""
    share = build_share(folder / "share", trees=("Legal",), folders=1, files=2)
    return plan_for(name, share=share, trees=[{"source": "Legal", "collaborators": PEOPLE}])


def run_named(server: PrefectServer, name: str) -> dict[str, Any] | None:
    """The flow run of this name."""
    found = server.ask("POST", "/flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
    return found[0] if found else None


def is_paused(server: PrefectServer, name: str) -> bool:
    """Whether it waits for somebody."""
    run = run_named(server, name)
    return run is not None and run["state"]["type"] == "PAUSED"


def tree(program: Program) -> str:
    """State of the only tree."""
    return str(program.status()["trees"][0]["state"])


def test_command_waits_for_an_approval_in_prefect(
    plan_for: PlanFor, prefect_server: PrefectServer, box: Sandbox, tmp_path: Path
) -> None:
    """Started without a terminal and without --yes: verified, nobody in, until somebody resumes the run."""
    program = small_plan(plan_for, tmp_path, "handover")
    moved = program.run("migrate", "--window", "")
    assert 0 == moved.code, moved.output
    (tmp_path / "share/Legal/Q1/new.txt").write_bytes(b"new")
    program.write_plan(
        trees=[
            {"source": "Legal", "collaborators": [*PEOPLE, {"login": "bob@example.com", "role": "viewer"}]}
        ]
    )
    box.add_user("bob@example.com")
    with cutover_of(program) as process:
        wait_until(lambda: is_paused(prefect_server, "handover-cutover"), "the run is paused", seconds=240)
        assert 1 == len(box.core.store.collaborations)
        assert "Legal/Q1/new.txt" in box.files()
        run = run_named(prefect_server, "handover-cutover")
        assert run is not None
        prefect_server.ask("POST", f"/flow_runs/{run['id']}/resume", {})
        output, _ = process.communicate(timeout=240)

    assert 0 == process.returncode, output
    assert "closed" == tree(program)
    assert 2 == len(box.core.store.collaborations)
    assert "Closed" == prefect_server.state(run["id"])


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_deployment_waits_for_an_approval(
    plan_for: PlanFor,
    prefect_server: PrefectServer,
    prefect_worker: PrefectWorker,
    box: Sandbox,
    tmp_path: Path,
) -> None:
    """As a worker runs it; a run that is cancelled while it waits lets nobody in, and the next one asks again."""
    program = small_plan(plan_for, tmp_path, "handover-worker")
    deploy(program, "handover-worker")
    name = "cutover-share/cutover-handover-worker"
    moved = program.run("migrate")
    assert 0 == moved.code, moved.output
    first = prefect_server.start_run(name, quiet="0")
    prefect_server.wait_for(first, "Paused", seconds=300)
    prefect_server.set_state(first, type="CANCELLING")
    prefect_server.wait_for(first, "Cancelled", seconds=120)
    assert "complete" == tree(program)
    second = prefect_server.start_run(name, quiet="0")
    prefect_server.wait_for(second, "Paused", seconds=300)

    prefect_server.ask("POST", f"/flow_runs/{second}/resume", {})

    prefect_server.wait_for(second, "Closed", seconds=120)
    assert "closed" == tree(program)
    assert 1 == len(box.core.store.collaborations)


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_an_evening_in_the_ui(
    plan_for: PlanFor, prefect_server: PrefectServer, page: Page, box: Sandbox, tmp_path: Path
) -> None:
    """Rehearsed, paused, killed, resumed, and approved by a click in the browser; closed, a pass is refused until the
    trees are opened again."""
    program = small_plan(plan_for, tmp_path, "evening")
    moved = program.run("migrate")
    assert 0 == moved.code, moved.output
    (tmp_path / "share/Legal/Q1/new.txt").write_bytes(b"new")
    rehearsed = program.run("cutover", "--rehearse", timeout=600)
    assert 0 == rehearsed.code, rehearsed.output
    assert "complete" == tree(program)  # its people are in: it waits for nobody

    with cutover_of(program) as first:
        killed = paused_run(prefect_server, "evening-cutover", besides="")
        first.kill()
    with cutover_of(program) as second:
        run = paused_run(prefect_server, "evening-cutover", besides=killed)
        assert "complete" == tree(program)
        page.goto(f"{prefect_server.url}/runs/flow-run/{run}")
        page.get_by_role("button", name="Resume").first.click()
        expect(page.get_by_text("Do you want to resume this flow run?")).to_be_visible(timeout=PATIENCE)
        page.get_by_role("button", name="Submit").click()
        output, _ = second.communicate(timeout=600)

    assert 0 == second.returncode, output
    assert "Closed" == prefect_server.state(run)
    assert "closed" == tree(program)
    refused = program.run("migrate")
    assert (2, True) == (refused.code, "closed" in refused.output), refused.output
    again = program.run("migrate", "--reopen", "--why", "Ann asked for one more week")
    assert 0 == again.code, again.output
    assert "complete" == tree(program)


@contextmanager
def cutover_of(program: Program) -> Iterator[subprocess.Popen[str]]:
    """The command without a terminal, as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "cutover", str(program.plan_path), "--quiet", "0"],
        env={**os.environ, **program.environment},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def paused_run(server: PrefectServer, name: str, *, besides: str) -> str:
    """The id of the run of this name that waits for somebody, another one than this."""

    def waiting() -> list[str]:
        found = server.ask("POST", "/flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
        return [run["id"] for run in found if run["state"]["type"] == "PAUSED" and run["id"] != besides]

    wait_until(lambda: bool(waiting()), "a run is paused", seconds=600)
    return waiting()[0]
