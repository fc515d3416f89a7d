"""While a plan is run, also after an interruption, status and report say that it is, where, since when and at what."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import closing
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from connectors.errors import FatalError
from flows.plan.connections import known_plan, open_checkpoint
from flows.reporting.report import write_report
from flows.reporting.status import running_words, status_document
from tests.acceptance.account.conftest import Account


def status_when_running(account: Account) -> dict[str, Any]:
    """The document of `boxhaul status`, as soon as it says that the trees move and something waits to be sent."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        document = status_document(account.plan)
        taken_up = {"moving"} == {tree["state"] for tree in document["trees"]}  # a moment after it began
        if taken_up and document["running"] and "sending" in document["running"][0]["doing"]:
            return document
        time.sleep(0.02)
    raise AssertionError("no status said that something is sent")


def test_a_run_that_goes_on_is_told_as_running(account: Account, box: Sandbox) -> None:
    """Not as what ended the run before it; once nothing runs, and the pass is not over, that is told."""
    box.faults.next("POST /files/content").status(401, error="unauthorized").times(None)
    with pytest.raises(FatalError):
        account.migrate(check=False)
    stopped = status_document(account.plan)
    box.faults.clear()
    box.faults.next("POST /files/content").delay(2.0).times(None)

    run = threading.Thread(target=account.migrate, daemon=True)
    run.start()
    document = status_when_running(account)
    page = write_report(account.plan)[0].read_text()
    run.join(60)

    assert {"stopped"} == {tree["incomplete_reason"] for tree in stopped["trees"]}
    assert [] == stopped["running"]
    assert ["no process runs this plan now; its pass is not over: boxhaul migrate goes on"] == running_words(
        stopped
    )
    assert {("moving", None, None)} == {
        (tree["state"], tree["incomplete_reason"], tree["detail"]) for tree in document["trees"]
    }
    [process] = document["running"]
    assert (socket.gethostname(), os.getpid()) == (process["host"], process["pid"])
    assert f"running on {process['host']}, process {process['pid']}, since 20" in page
    assert [] == running_words(status_document(account.plan)), "it is over"


def test_a_run_of_one_tree_leaves_the_words_of_the_others(account: Account, box: Sandbox) -> None:
    """What is not moved now stays as the run before it left it."""
    from flows.migrate import migrate_share

    box.faults.next("POST /files/content").status(401, error="unauthorized").times(None)
    with pytest.raises(FatalError):
        account.migrate(check=False)
    box.faults.clear()
    migrate_share.fn(account.plan, ["Legal"], check=False)

    assert {"Accounting": "incomplete", "Legal": "complete"} == {
        tree["name"]: tree["state"] for tree in status_document(account.plan)["trees"]
    }


def test_short_runs_in_a_row_do_not_wait_for_each_other(account: Account, box: Sandbox) -> None:
    """Ten runs within a minute: what one reserves of the minute's budget and does not use is the next one's."""
    runs = 10
    before = box.calls.total

    for _ in range(runs):
        account.migrate(check=False)

    with closing(open_checkpoint(account.plan)) as checkpoint:
        worker = checkpoint.register_worker(known_plan(account.plan, checkpoint), name="next")
        blocks = checkpoint.lease_identity(worker, box.service_account.id)
    assert sum(block.calls for block in blocks) <= box.calls.total - before


def test_status_of_a_plan_that_never_ran(account: Account) -> None:
    """Its checkpoint is there, of another plan, and knows nothing of it: exit code 2 and what to run."""
    account.migrate()
    account.change(name="another")
    run = account.program.run("status")

    assert 2 == run.code, run.output
    assert "nothing is known of the plan another yet; run: boxhaul migrate" in run.output
