"""`boxhaul cutover`: the share stands still, last pass, verification, people, report, closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.closing.steps import Step
from state.checkpoint import Checkpoint
from tests.acceptance.proof import assert_arrived, report_items
from tests.forking import ROOT, Forked
from tests.program import Finished, Program, program_for
from tests.trees import build_tree

EDITOR = "ann@example.com"

#: A cutover that waits for nobody.
QUICK = ("--quiet", "1s", "--yes", "--who", "Ops Person")


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share of two trees."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, {"A": {"a.txt": b"a", "sub": {"b.txt": b"b"}}, "B": {"c.txt": b"c"}})
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program after a run of one tree, whose people are in; the other one was not begun."""
    people = [{"login": EDITOR, "role": "editor"}]
    trees = [{"source": name, "collaborators": people} for name in ("A", "B")]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    finished = program.run("migrate", "--tree", "B")
    assert 0 == finished.code, finished.output
    (share / "A/new.txt").write_bytes(b"new")
    return program


def let_in(box: Sandbox) -> list[str]:
    """Names of the folders that the editor was let into, each once as often as she was invited."""
    editor = box.core.store.logins.get(EDITOR)
    grants = box.core.store.collaborations.values()
    return sorted(each.item.name for each in grants if each.user is editor)


def states(program: Program) -> dict[str, str]:
    """Of each tree."""
    return {tree["name"]: tree["state"] for tree in program.status()["trees"]}


def assert_closed(program: Program, box: Sandbox, share: Path, finished: Finished) -> None:
    """Everything arrived once, everybody is in once, the trees say who closed them and when."""
    assert 0 == finished.code, finished.output
    assert {"A": "closed", "B": "closed"} == states(program)
    assert {"Ops Person"} == {tree["closed"]["by"] for tree in program.status()["trees"]}
    assert_arrived(program, box, share)
    assert ["A", "B"] == let_in(box)
    assert list((program.folder / "test-report").glob("report.html"))


def test_from_the_rehearsal_to_the_reopening(program: Program, box: Sandbox, share: Path) -> None:
    """A rehearsal lets nobody in; the cutover does, and closes; a closed tree refuses until somebody says why."""
    # The last of them is let in by the cutover, as its step says, though her tree was complete before.
    people = [*program.plan["trees"][1]["collaborators"], {"login": "eve@example.com", "role": "viewer"}]
    program.write_plan(trees=[program.plan["trees"][0], {"source": "B", "collaborators": people}])
    rehearsed = program.run("cutover", "--rehearse", "--quiet", "90s")

    assert 0 == rehearsed.code, rehearsed.output
    assert "\nverified: " in rehearsed.stderr
    assert "incomplete" not in rehearsed.stderr
    assert {"A": "verified", "B": "complete"} == states(program)
    assert ["B"] == let_in(box)
    shown = " ".join(program.run("status").stdout.split())
    assert "A: verified: all of it is in Box, and proven; 1 person or group is not in yet" in shown
    looked = program.run("collaborate", "--dry-run")
    assert (0, ["B"]) == (looked.code, let_in(box)), looked.output
    for words in (
        "rehearsed",
        *(step.value for step in Step),
        "2 people are not in yet",
        "1 min 30 s",
        "in all",
    ):
        assert words in rehearsed.stdout, rehearsed.stdout

    finished = program.run("cutover", *QUICK)

    assert_closed(program, box, share, finished)
    assert {EDITOR, "eve@example.com"} == {
        person["login"] for person in program.status()["trees"][1]["collaborators"]
    }
    assert "done before" not in finished.stdout
    refused = program.run("migrate")
    assert (2, 1) == (refused.code, len(refused.stderr.strip().splitlines())), refused.output
    assert "closed by Ops Person" in refused.stderr
    assert "--reopen" in refused.stderr
    assert 2 == program.run("retry").code
    assert 2 == program.run("cutover", *QUICK).code
    assert "closed by Ops Person" in program.run("status").stdout
    for wrong in (("--reopen",), ("--why", "as agreed"), ("--reopen", "--why", "x")):
        assert 2 == program.run("migrate", *wrong).code, wrong

    (share / "A/late.txt").write_bytes(b"late")
    reopened = program.run("migrate", "--reopen", "--why", "Finance found a file, agreed with Ann")

    assert 0 == reopened.code, reopened.output
    assert {"A": "complete", "B": "complete"} == states(program)
    assert "A/late.txt" in box.files()
    page = program.run("report", "--plain").stdout.splitlines()[0]
    assert "Finance found a file, agreed with Ann" in Path(page).read_text()
    assert ["A", "B"] == let_in(box)


@pytest.mark.torture  # that somebody new is let in: the test above
def test_whom_the_plan_names_by_now_is_let_in(program: Program, box: Sandbox, share: Path) -> None:
    """Added to the plan since their tree was complete, or given more: no difference, since the step of the people lets
    them in. Whom somebody removed in Box is one. A tree that waits for nobody is complete after a rehearsal, too."""
    (share / "B/new.txt").write_bytes(b"new")
    assert 0 == program.run("cutover", "--rehearse", *QUICK).code
    assert {"A": "verified", "B": "complete"} == states(program)
    [hers] = box.core.store.collaborations.values()
    box.person().uninvite(hers.id)
    eve = {"login": "eve@example.com", "role": "viewer"}
    trees = [{"source": name, "collaborators": [{"login": EDITOR, "role": "editor"}]} for name in ("A", "B")]
    program.write_plan(trees=[trees[0], {"source": "B", "collaborators": [*trees[1]["collaborators"], eve]}])
    for state in ("complete", "verified"):  # also where its content changed, so that it waits for eve
        refused = program.run("cutover", *QUICK)
        assert (1, state) == (refused.code, states(program)["B"]), refused.output
        assert "the verification differs (1 collaborator_missing): B; nobody was let in" in refused.stdout
        (share / "B/newer.txt").write_bytes(b"newer")

    people = [{"login": EDITOR, "role": "co-owner"}, eve]
    program.write_plan(trees=[trees[0], {"source": "B", "collaborators": people}])
    rehearsed = program.run("cutover", "--rehearse", *QUICK)
    assert 0 == rehearsed.code, rehearsed.output
    assert [] == let_in(box)
    finished = program.run("cutover", *QUICK)

    assert 0 == finished.code, finished.output
    assert {"A": "closed", "B": "closed"} == states(program)
    grants = box.core.store.collaborations.values()
    assert {("A", "editor", EDITOR), ("B", "co-owner", EDITOR), ("B", "viewer", None)} == {
        (each.item.name, each.role, each.user.login if each.user else None) for each in grants
    }


def test_tree_inside_another_that_becomes_complete_lets_nobody_in(
    tmp_path: Path, box: Sandbox, share: Path
) -> None:
    """What waited for a tree inside its folder is verified by a rehearsal, and its people come in by the cutover."""
    os.mkfifo(share / "B/pipe")
    trees = [
        {"source": "A", "collaborators": [{"login": EDITOR, "role": "editor"}]},
        {"source": "B", "folder": "A/inside"},
    ]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    assert 1 == program.run("migrate").code
    assert ({"A": "incomplete", "A/inside": "incomplete"}, []) == (states(program), let_in(box))
    (share / "B/pipe").unlink()

    rehearsed = program.run("cutover", "--rehearse", *QUICK)
    assert 0 == rehearsed.code, rehearsed.output
    assert ({"A": "verified", "A/inside": "complete"}, []) == (states(program), let_in(box))

    finished = program.run("cutover", *QUICK)
    assert 0 == finished.code, finished.output
    assert ({"A": "closed", "A/inside": "closed"}, ["A"]) == (states(program), let_in(box))


@pytest.mark.parametrize("when", ["inside", "after"])
@pytest.mark.parametrize("step", [step.value for step in Step])
@pytest.mark.gate(3)
def test_killed_at_each_step_it_goes_on(
    program: Program, box: Sandbox, share: Path, step: str, when: str
) -> None:
    """`kill -9`, and the same command again: nothing that is written down is done twice, nobody is invited twice."""
    if (when, step) == ("inside", "close"):
        when, step = "inside", "report"
    words = [when, step, "--", "cutover", str(program.plan_path), *QUICK]
    victim = Forked(words, {**os.environ, **program.environment}, entry="tests.acceptance.cutting:main")
    victim.communicate(timeout=240)
    assert -signal.SIGKILL == victim.returncode

    finished = program.run("cutover", *QUICK)

    if (when, step) == ("after", "close"):
        assert 2 == finished.code
        assert "closed by Ops Person" in finished.stderr
        return
    assert_closed(program, box, share, finished)
    done = [each.value for each in Step][: [each.value for each in Step].index(step) + (when == "after")]
    assert bool(done) is (f"done: {', '.join(done)}" in finished.stderr), finished.stderr


@pytest.mark.parametrize("step", ["verify", "people"])
@pytest.mark.gate(1)
def test_share_that_changes_before_the_end_is_not_closed(
    program: Program, box: Sandbox, share: Path, step: str
) -> None:
    """Killed after the verification, or nobody approved for hours, and somebody wrote meanwhile: that file must not be
    left out of a share that is closed; the next cutover begins at the freeze and sends it."""
    words = ["after", step, "--", "cutover", str(program.plan_path), *QUICK]
    victim = Forked(words, {**os.environ, **program.environment}, entry="tests.acceptance.cutting:main")
    victim.communicate(timeout=240)
    assert -signal.SIGKILL == victim.returncode
    (share / "A/late.txt").write_bytes(b"late")
    time.sleep(1.1)

    refused = program.run("cutover", *QUICK)

    assert 3 == refused.code, refused.output
    assert "changed since the freeze: A/late.txt" in refused.stderr
    assert "closed" not in states(program).values()
    assert (["B"] if step == "verify" else ["A", "B"]) == let_in(box)
    assert_closed(program, box, share, program.run("cutover", *QUICK))
    assert "A/late.txt" in box.files()


def test_share_that_changes_during_the_freeze_is_refused(program: Program, box: Sandbox, share: Path) -> None:
    """With the name of what was written; nothing was sent, nobody let in; a deletion is seen as well."""
    calls = box.calls.by_route["POST /files/content"]
    changes = (lambda: (share / "A/a.txt").write_bytes(b"written now"), lambda: (share / "B/c.txt").unlink())
    for change, words in zip(changes, ("A: A/a.txt", "in B"), strict=True):
        refused = run_and(program, change)

        assert 3 == refused.code, refused.output
        assert words in refused.stderr
    assert calls == box.calls.by_route["POST /files/content"]
    assert ["B"] == let_in(box)
    assert {"A": "incomplete", "B": "complete"} == states(program)


def run_and(program: Program, change: Any) -> Finished:
    """Run a cutover, and do this once it has looked at the share for the first time."""
    lines: list[str] = []

    def read(stderr: Any) -> None:
        for line in stderr:
            lines.append(line)
            if "looking again in" in line:
                change()

    with program.start("cutover", "--quiet", "8s", "--yes") as process:
        assert process.stdout is not None
        reader = threading.Thread(target=read, args=[process.stderr])
        reader.start()
        stdout = process.stdout.read()
        reader.join()
        process.wait()
    assert process.returncode is not None
    return Finished(process.returncode, stdout, "".join(lines))


def test_verification_that_differs_is_refused(program: Program, box: Sandbox, share: Path) -> None:
    """What somebody edited in Box keeps the rest of the people out, until that kind of difference is accepted."""
    box.person(box.core.store.logins[EDITOR]).edit(box.tree()["B/c.txt"]["id"], b"her work")

    refused = program.run("cutover", *QUICK)

    assert 1 == refused.code, refused.output
    assert "altered" in refused.stdout
    assert "B/c.txt" in refused.stdout
    assert ["B"] == let_in(box)
    assert {"A": "verified", "B": "complete"} == states(program)
    assert 2 == program.run("cutover", *QUICK, "--accept", "missing_in_box").code

    accepted = program.run("cutover", *QUICK, "--accept", "altered", "--accept", "wrong_date")

    assert 0 == accepted.code, accepted.output
    assert {"A": "closed", "B": "closed"} == states(program)
    assert ["A", "B"] == let_in(box)


@pytest.mark.parametrize(("command", "code"), [("/bin/false", 3), ("/no/such/program", 3), ("/bin/true", 0)])
def test_command_that_freezes(program: Program, box: Sandbox, command: str, code: int) -> None:
    """It must end with 0; then nothing else is waited for."""
    finished = program.run("cutover", "--freeze-command", command, "--yes")

    assert code == finished.code, finished.output
    assert ("closed" if code == 0 else "incomplete") == states(program)["A"]
    assert (["A", "B"] if code == 0 else ["B"]) == let_in(box)


def test_incomplete_pass_and_nobody_to_ask(program: Program, box: Sandbox) -> None:
    """What failed keeps everybody out; without --yes, a terminal or Prefect nothing is begun."""
    asked = subprocess.run(
        [sys.executable, "-m", "flows.cli", "cutover", str(program.plan_path)],
        env={**os.environ, **program.environment},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert 2 == asked.returncode, asked.stderr
    assert "--yes" in asked.stderr
    box.faults.next("POST /files/content").about("b.txt").status(403, error="forbidden_by_policy").times(None)

    refused = program.run("cutover", *QUICK)

    assert 1 == refused.code, refused.output
    assert "the last pass left 1 tree incomplete: A" in refused.stdout
    assert "failed" == report_items(program)["A/sub/b.txt"]["status"]
    assert ["B"] == let_in(box)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 3)])
def test_question_at_a_terminal(program: Program, box: Sandbox, answer: str, code: int) -> None:
    """Anything but yes lets nobody in and closes nothing."""
    ours, its = os.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        finished = subprocess.run(
            [sys.executable, "-m", "flows.cli", "cutover", str(program.plan_path), "--quiet", "0"],
            env={**os.environ, **program.environment},
            cwd=ROOT,
            stdin=its,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    finally:
        os.close(ours)
        os.close(its)

    assert code == finished.returncode, finished.stderr
    assert "Let 1 person in, and close the trees? [y/N]" in finished.stderr
    assert ({"closed"} if answer else {"verified", "complete"}) == set(states(program).values())
    assert (["A", "B"] if answer else ["B"]) == let_in(box)


@pytest.mark.parametrize(
    ("days", "flags", "words"),
    [
        (2, [], "it is too old to go on with"),
        pytest.param(0, ["--anew"], "is over, as asked for", marks=pytest.mark.torture),
    ],
)
def test_cutover_of_another_day_begins_again(
    program: Program, box: Sandbox, share: Path, days: int, flags: list[str], words: str
) -> None:
    """What was looked at two days ago proves nothing: nothing is closed on the strength of it; nor with --anew."""
    then = datetime.now(UTC) - timedelta(days=days)
    url = f"sqlite:///{program.folder / 'state.db'}"
    with closing(Checkpoint.open(url, clock=lambda: then)) as checkpoint:
        plan = 1  # the only one
        checkpoint.begin_cutover(plan, who="Ops Person")
        for step in (Step.FREEZE, Step.PASS, Step.VERIFY, Step.APPROVE):
            checkpoint.record_cutover_step(plan, step.value, {})

    finished = program.run("cutover", *QUICK, *flags)

    assert words in finished.stderr
    assert_closed(program, box, share, finished)


def test_nothing_else_moves_the_trees_meanwhile(program: Program, box: Sandbox, share: Path) -> None:
    """Killed after its pass: a nightly run sends nothing and lets nobody in, and says how to go on; until it is given
    up, or goes on and closes."""
    words = ["after", "pass", "--", "cutover", str(program.plan_path), *QUICK]
    victim = Forked(words, {**os.environ, **program.environment}, entry="tests.acceptance.cutting:main")
    victim.communicate(timeout=240)
    assert -signal.SIGKILL == victim.returncode
    (share / "A/late.txt").write_bytes(b"late")
    before = set(box.files())

    for command in ("migrate", "retry"):
        refused = program.run(command)
        assert (2, 1) == (refused.code, len(refused.stderr.strip().splitlines())), refused.output
        for part in ("begun on", "by Ops Person", "done: freeze, pass", "boxhaul cutover PLAN --give-up"):
            assert part in refused.stderr
    assert (before, ["B"]) == (set(box.files()), let_in(box))

    given_up = program.run("cutover", "--give-up", "--who", "Ann")

    assert 0 == given_up.code, given_up.output
    assert "is given up by Ann; nothing was closed" in given_up.stdout
    assert 2 == program.run("cutover", "--give-up").code
    assert 0 == program.run("migrate").code
    assert {"A": "complete", "B": "complete"} == states(program)
    assert "A/late.txt" in box.files()


@pytest.mark.parametrize(
    "words", [("--quiet", "soon"), ("--accept", "nonsense"), ("--freeze-command", " "), ("--quiet", "10 d")]
)
def test_mistyped_is_one_line(program: Program, words: tuple[str, ...]) -> None:
    """Exit code 2, and nothing begun."""
    finished = program.run("cutover", "--yes", *words)

    assert (2, 1) == (finished.code, len(finished.stderr.strip().splitlines())), finished.output
