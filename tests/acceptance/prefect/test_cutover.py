"""A cutover as a flow run: it pauses before people come in, and goes on when somebody resumes it in Prefect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
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
    words = [sys.executable, "-m", "flows.cli", "cutover", str(program.plan_path), "--quiet", "0"]
    with subprocess.Popen(
        words,
        env={**os.environ, **program.environment},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            wait_until(
                lambda: is_paused(prefect_server, "handover-cutover"), "the run is paused", seconds=240
            )
            assert 1 == len(box.core.store.collaborations)
            assert "Legal/Q1/new.txt" in box.files()
            run = run_named(prefect_server, "handover-cutover")
            assert run is not None
            prefect_server.ask("POST", f"/flow_runs/{run['id']}/resume", {})
            output, _ = process.communicate(timeout=240)
        finally:
            process.kill()

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
