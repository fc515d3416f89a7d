"""A run of some trees leaves the others of the plan as they are, whoever sends."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.orchestration.dispatch import move_trees, send_what_is_found
from flows.orchestration.endings import closing_words
from flows.orchestration.fleet import let_everybody_in
from flows.orchestration.runs import look_share, move_share
from flows.plan.file import load_plan
from flows.plan.model import MigrationPlan
from flows.run.leases import Part
from flows.transfer.beginning import begin
from flows.transfer.ending import finish_pass
from flows.transfer.migration import Migration, open_migration
from flows.transfer.walking import walk_trees
from tests.program import Program, program_for
from tests.trees import build_tree

FILES = 20


def names(tree: str) -> list[str]:
    """The files of a tree."""
    return [f"{tree}{number:02}.txt" for number in range(FILES)]


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Program:
    """A plan of two trees, of which the first was made first."""
    share = tmp_path / "share"
    share.mkdir()
    shape = {tree: {name: name.encode() for name in names(tree)} for tree in "AB"}
    build_tree(share, shape)
    trees = [{"source": "A"}, {"source": "B"}]
    return program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)


def tree_of(program: Program, name: str) -> dict[str, Any]:
    """What the status says of one tree."""
    return next(tree for tree in program.status()["trees"] if tree["name"] == name)


def interrupted_run(plan: MigrationPlan) -> None:
    """All trees walked, their folders made, and not a file sent yet."""
    with open_migration(plan, part=Part.CONDUCTING) as migration:
        begin(migration, kind="migrate")
        migration.walking.set()
        walk_trees(migration)
        for tree in migration.trees:
            migration.folders.box_id(tree.root_folder_id)


def start_sender(plan: MigrationPlan, account_id: str) -> threading.Thread:
    """Another one that sends, as a process of the work pool does."""

    def send() -> None:
        with open_migration(plan, part=Part.SENDING, account_id=account_id, name="sender 1") as migration:
            send_what_is_found(migration)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def wait_for_files(migration: Migration, tree_id: int) -> None:
    """Until the sender has sent the whole tree."""
    deadline = time.monotonic() + 60
    while migration.checkpoint.tree_report(tree_id).files.uploaded < FILES:
        assert time.monotonic() < deadline, "the chosen tree never arrived"
        time.sleep(0.05)


@pytest.mark.parametrize("why", ["not chosen", "no longer in the plan"])
@pytest.mark.gate(1)
def test_senders_take_no_tree_that_nobody_chose(program: Program, box: Sandbox, why: str) -> None:
    """They were let into the trees of the run alone: of any other they send nothing and mark nothing failed."""
    user = box.add_user("AppUser_1@boxdevedition.com", kind="app")
    program.write_plan(box=program.plan["box"] | {"identities": [user.id]}, transfer={"max_attempts": 1})
    interrupted_run(load_plan(program.plan_path))
    if why == "no longer in the plan":
        program.write_plan(trees=[{"source": "B"}])
    plan = load_plan(program.plan_path)

    with open_migration(plan, part=Part.CONDUCTING) as conductor:
        begin(conductor, kind="migrate", only=["B"])
        let_everybody_in(conductor)
        sender = start_sender(plan, conductor.account.id)
        wait_for_files(conductor, conductor.trees[0].id)
        assert [] == move_trees(conductor, conductor.trees)
        finish_pass(conductor)
        sender.join(60)

    assert not sender.is_alive()
    assert [f"B/B{number:02}.txt" for number in range(FILES)] == sorted(box.files())
    assert FILES == box.calls.by_route["POST /files/content"]
    program.write_plan(trees=[{"source": "A"}, {"source": "B"}])
    left = tree_of(program, "A")
    assert (FILES, {}) == (left["items"]["pending"], left["failures_by_reason"])
    assert "complete" == tree_of(program, "B")["state"]


def test_run_of_one_tree_says_that_the_plan_is_not_complete(program: Program) -> None:
    """Code 0: what was asked for is complete. Its last lines name the other tree, and so do status and a flow's end."""
    finished = program.run("migrate", "--tree", "A")

    assert 0 == finished.code, finished.output
    assert "1 other tree that this run did not move: B (not begun)" in finished.stdout.splitlines()[-1]
    assert "complete (1 of 2 trees): 20 of 20 files" in finished.stderr
    assert program.status()["complete"] is False
    summary = move_share(load_plan(program.plan_path), trees=["A"], check=False)
    words = "1 tree complete, 20 files in Box; the plan is not complete: 1 other tree that this run did not move: "
    assert f"{words}B (not begun)." == closing_words(summary)
    assert ["B"] == [tree["name"] for tree in summary["others_not_complete"]]

    whole = program.run("migrate")

    assert 0 == whole.code, whole.output
    assert program.status()["complete"] is True
    assert "other tree" not in program.run("migrate", "--tree", "A").output


@pytest.mark.parametrize("error", ["forbidden_by_policy", "bad_digest"])
@pytest.mark.parametrize("command", ["retry", "migrate"])
@pytest.mark.gate(2)
def test_run_of_one_tree_leaves_the_failures_of_another(
    program: Program, box: Sandbox, command: str, error: str
) -> None:
    """What failed elsewhere stays failed, with its reason, whether a new pass would try it again or not."""
    program.write_plan(transfer={"max_attempts": 1})
    for name in names("A") + names("B"):  # one by one: what is refused to everything stops a run
        rule = box.faults.next("POST /files/content").about(name)
        rule.status(403 if error[0] == "f" else 400, error=error).times(None)
    assert 1 == program.run("migrate").code
    box.faults.clear()
    before = tree_of(program, "B")
    assert FILES == before["items"]["failed"]

    assert program.run(command, "--tree", "A").code in (0, 1)

    assert before == tree_of(program, "B")
    retried = command == "retry" or error == "bad_digest"
    assert ("complete" if retried else "incomplete") == tree_of(program, "A")["state"]


def test_full_run_after_an_interrupted_one_of_one_tree_tries_all_failures(
    program: Program, box: Sandbox
) -> None:
    """It goes on with the pass that was left open, and tries what failed in the trees that this one left out."""
    program.write_plan(transfer={"max_attempts": 1})
    box.faults.next("POST /files/content").about("B00.txt").status(400, error="bad_digest").times(None)
    assert 1 == program.run("migrate").code
    box.faults.clear()
    with open_migration(load_plan(program.plan_path), part=Part.CONDUCTING) as migration:
        begin(migration, kind="migrate", only=["A"])

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert FILES == tree_of(program, "B")["items"]["uploaded"]


def test_retry_of_one_reason_tries_nothing_else(program: Program, box: Sandbox) -> None:
    """It says how many entries it tries, and sends so many; what failed for another reason keeps it."""
    program.write_plan(transfer={"max_attempts": 1})
    for name in names("A"):
        box.faults.next("POST /files/content").about(name).status(403, error="forbidden_by_policy")
    assert 1 == program.run("migrate", "--tree", "A").code
    box.faults.next("POST /files/content").status(400, error="bad_digest").times(None)
    assert 1 == program.run("migrate", "--tree", "B").code
    box.faults.clear()
    sent = box.calls.by_route["POST /files/content"]

    retried = program.run("retry", "--reason", "rejected")

    assert 1 == retried.code, retried.output
    assert f"{FILES} failed entries were tried again" in retried.stdout
    assert FILES == box.calls.by_route["POST /files/content"] - sent
    assert {"digest_mismatch": FILES} == tree_of(program, "B")["failures_by_reason"]
    assert "complete" == tree_of(program, "A")["state"]


def test_retry_before_any_run_is_refused(program: Program, box: Sandbox) -> None:
    """There is nothing to try again: one line says what to run first, and nothing is sent."""
    finished = program.run("retry")

    assert 2 == finished.code, finished.output
    assert "boxhaul migrate" in finished.stderr
    assert {} == box.files()


def test_dry_run_leaves_failures_as_they_are(program: Program, box: Sandbox) -> None:
    """Who only looks turns no failure into something that is still to be sent, and hears no alarm in people's place."""
    program.write_plan(transfer={"max_attempts": 1})
    box.faults.next("POST /files/content").status(400, error="bad_digest").times(None)
    assert 1 == program.run("migrate").code
    before = [tree_of(program, name) | {"as_of": ""} for name in "AB"]
    program.write_plan(box=program.plan["box"] | {"calls_per_month": 1}, transfer={"max_attempts": 1})

    look_share(load_plan(program.plan_path), trees=[])

    assert before == [tree_of(program, name) | {"as_of": ""} for name in "AB"], "it looked, and that is all"
    program.run("migrate")
    [log] = program.folder.glob("*.log")
    assert 1 == log.read_text().count(" of 1 (box: calls_per_month)"), "nobody heard it before"
