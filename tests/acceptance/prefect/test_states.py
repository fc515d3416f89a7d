"""How a run that is not complete is told: the type and name of its state and of its tasks, its page, its log."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.browser import look_at_chart, look_at_run
from tests.acceptance.prefect.conftest import PlanFor, build_share, deploy
from tests.acceptance.prefect.test_nightly import closed_today
from tests.program import Program
from tests.servers.prefect import PrefectServer, PrefectWorker, wait_until

FILES = 12
SMALL = "POST /files/content"
REFUSED = "Legal/Q1/file 003.txt"
SOME_THERE = f"{2 * FILES - 2} of {2 * FILES - 1} files in Box (95 %), 1 failed, 0 to send"
TREE_TASKS = {"complete-Accounting": ("COMPLETED", "Completed"), "complete-Legal": ("FAILED", "Incomplete")}


def moved(
    server: PrefectServer, program: Program, command: str, *arguments: str, code: int
) -> dict[str, Any]:
    """Run a command to its end; its flow run."""
    known = {run["id"] for run in runs_of(server, program)}
    finished = program.run(command, *arguments)
    assert code == finished.code, finished.output
    (run,) = [run for run in runs_of(server, program) if run["id"] not in known]
    return run


def runs_of(server: PrefectServer, program: Program) -> list[dict[str, Any]]:
    """Every flow run of the plan."""
    name = {"flow_runs": {"name": {"like_": f"{program.plan['name']}-"}}}
    found: list[dict[str, Any]] = server.ask("POST", "/flow_runs/filter", name)
    return found


def how(run: dict[str, Any]) -> tuple[str, str]:
    """Type and name of a run's state."""
    return run["state"]["type"], run["state"]["name"]


@pytest.mark.parametrize(
    "looked_at",
    [
        pytest.param({"Incomplete"}, id="sample"),
        pytest.param({"Incomplete", "Limit reached", "Completed"}, id="all", marks=pytest.mark.torture),
    ],
)
def test_what_is_not_complete_is_never_told_as_complete(
    plan_for: PlanFor,
    box: Sandbox,
    prefect_server: PrefectServer,
    page: Page,
    pictures: Path,
    tmp_path: Path,
    looked_at: set[str],
) -> None:
    """A failure makes its run and its tree's task Incomplete, a closed window ends as Limit reached: neither is green.
    The overview is the first artifact, and the chart of the last run begins in the first one; so in both UIs."""
    server = prefect_server
    share = build_share(tmp_path / "share", trees=("Accounting", "Legal"), folders=1, files=FILES)
    (share / "Accounting" / "Q1" / "file 003.txt").unlink()
    program = plan_for("states", share=share)
    box.faults.next(SMALL).about("file 003.txt").status(403, error="forbidden_by_policy").times(None)
    shut = moved(server, program, "migrate", "--window", closed_today(), code=1)
    assert ("CANCELLED", "Limit reached") == how(shut)
    assert "the next run goes on. 2 of 2 trees not complete" in shut["state"]["message"]

    part = moved(server, program, "migrate", code=1)

    assert ("FAILED", "Incomplete") == how(part)
    wait_until(
        lambda: TREE_TASKS.items() <= server.task_runs(part["id"]).items(), "tasks of trees say the same"
    )
    shown = [each["key"] for each in server.artifacts(part["id"])]
    assert "states-overview" == shown[0]
    assert {"states-all", "states-failures", "states-report"} < set(shown)
    assert_each_failure_is_told(server, part["id"], program)

    look_at_chart(page, server, part["id"], "states-overview", pictures, words=SOME_THERE)

    box.faults.clear()
    done = moved(server, program, "retry", code=0)

    assert ("COMPLETED", "Completed") == how(done)
    assert "states-overview" == server.artifacts(done["id"])[0]["key"]
    all_there = f"{2 * FILES - 1} of {2 * FILES - 1} files in Box (100 %), 0 failed, 0 to send"
    assert all_there in data(server, done["id"], "states-overview")
    assert "## The share by bytes" in data(server, done["id"], "states-pictures")
    # Two points that earlier runs left, its own first and last.
    assert 4 <= len(curve(data(server, done["id"], "states-overview")))
    assert "states-failures" not in {each["key"] for each in server.artifacts(done["id"])}
    for run in (shut, part, done):
        if run["state"]["name"] in looked_at:
            look_at_run(
                page, server, run["id"], pictures, state=run["state"]["name"], first="states-overview"
            )


@pytest.mark.torture  # that a batch is cut off: test_control.py has it in the gate
def test_a_run_that_is_stopped_is_not_told_as_complete(
    plan_for: PlanFor, box: Sandbox, prefect_server: PrefectServer, page: Page, pictures: Path, tmp_path: Path
) -> None:
    """Wrong credentials fail the run, and the batch that was on its way is not Completed."""
    server = prefect_server
    share = build_share(tmp_path / "share", trees=("Legal",), folders=1, files=FILES)
    program = plan_for("stopped", share=share)
    box.faults.next(SMALL).status(401, error="unauthorized").times(None)

    run = moved(server, program, "migrate", code=3)

    assert ("FAILED", "Failed") == how(run)
    batch = ("CANCELLED", "Cancelled")
    wait_until(lambda: server.task_runs(run["id"]).get("upload-00001") == batch, "the batch says so")
    look_at_run(page, server, run["id"], pictures, state="Failed", first="stopped-overview")


@pytest.mark.torture  # pages of runs that go on are the dearest to draw
def test_running_and_cancelled_are_told_by_words(
    plan_for: PlanFor,
    slow_box: Sandbox,
    prefect_server: PrefectServer,
    prefect_worker: PrefectWorker,
    page: Page,
    pictures: Path,
    tmp_path: Path,
) -> None:
    """In both UIs, with the overview first, while it runs and after somebody has cancelled it."""
    server, first = prefect_server, "words-overview"
    program = plan_for("words", share=build_share(tmp_path / "share"))
    deploy(program, "words")
    run = server.start_run("run-plan/on-demand-words")
    wait_until(lambda: len(slow_box.files()) > 5, "files are on their way")
    slow_box.limits.update({"latency_seconds": 20.0})  # until somebody has looked
    wait_until(lambda: first in {each["key"] for each in server.artifacts(run)}, "the overview is there")
    look_at_run(page, server, run, pictures, state="Running", first=first)

    slow_box.limits.update({"latency_seconds": 0.25})
    server.set_state(run, type="CANCELLING")
    server.wait_for(run, "Cancelled")
    look_at_run(page, server, run, pictures, state="Cancelled", first=first)


def assert_each_failure_is_told(server: PrefectServer, run: str, program: Program) -> None:
    """In a table with its reason, in a line of the log; the report is a path of this machine and no link."""
    (row,) = json.loads(data(server, run, "states-failures"))
    assert (REFUSED, "Legal") == (row["path"], row["tree"])
    assert row["reason"] in data(server, run, "states-overview")
    assert 1 == server.log_of(run).count(f"failed: {REFUSED} ({row['reason']}")
    report = program.folder / "states-report" / "report.html"
    for key in ("states-report", "states-overview"):
        assert f"`{report}`" in data(server, run, key)
        assert "file://" not in data(server, run, key).replace(program.plan["source"]["url"], "")


def data(server: PrefectServer, run: str, key: str) -> str:
    """What an artifact shows."""
    (found,) = [each for each in server.artifacts(run) if each["key"] == key]
    return str(found["data"])


def curve(overview: str) -> list[str]:
    """Points of the chart."""
    image = re.search(r"data:image/svg\+xml;base64,([^)]*)", overview)
    assert image is not None
    points = re.search(r'<polyline points="([^"]*)"', base64.b64decode(image[1]).decode())
    return points[1].split() if points else []
