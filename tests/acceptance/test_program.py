"""How the tests start the program: a fork does what a fresh interpreter does, and ends as it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.forking import ROOT, Forked
from tests.program import Program, fresh, program_for


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Program:
    """A plan for a share of one file."""
    share = tmp_path / "share"
    (share / "A").mkdir(parents=True)
    (share / "A" / "a.txt").write_bytes(b"a")
    return program_for(tmp_path / "run", box, {"url": share.as_uri()})


def test_full_disk_of_the_output_is_one_line(program: Program) -> None:
    """And no traceback; so is a plan that is not there."""
    assert 0 == program.run("migrate").code
    said = []
    for words in (["status", str(program.plan_path)], ["doctor", str(program.folder / "nowhere.yaml")]):
        with open("/dev/full", "w") as full:
            command = [sys.executable, "-m", "flows.cli", *words]
            done = subprocess.run(
                command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False
            )
        said.append((done.returncode, done.stderr))
    assert [
        (3, "boxhaul: what it prints, or writes into a file, is cut off: No space left on device\n"),
        (2, f"boxhaul: {program.folder / 'nowhere.yaml'}: is not there; an archive would say nothing\n"),
    ] == said


@pytest.mark.parametrize(
    ("command", "words"),
    [("status", ["--json"]), ("status", ["--nonsense"]), ("waive", ["A/b", "--why", "x"])],
)
@pytest.mark.gate(1)
def test_a_fork_says_what_a_fresh_interpreter_says(program: Program, command: str, words: list[str]) -> None:
    """Exit code, output and errors of a good command, of bad usage and of a refusal."""
    assert 0 == program.run("migrate").code
    forked = program.start(command, *words)
    plain = fresh([command, str(program.plan_path), *words], dict(os.environ))
    said = [process.communicate(timeout=60) for process in (forked, plain)]

    assert isinstance(forked, Forked)
    assert [said[0][0], plain.returncode] == [said[1][0], forked.returncode]
    assert said[0][1] == said[1][1].replace("python -m flows.cli", "boxhaul")


def test_a_fork_is_a_process_of_its_own(program: Program, box: Sandbox) -> None:
    """A signal ends it alone, its code says which, and the next command has its own environment."""
    box.limits.latency_seconds = 5.0
    process = program.start("migrate")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.send_signal(signal.SIGKILL)

    assert -signal.SIGKILL == process.wait(10) == process.poll()
    process.communicate()
    box.limits.update({"latency_seconds": None})
    program.write_plan(name="${SHARE_NAME}")
    for name in ("first", "second"):
        program.environment["SHARE_NAME"] = name
        assert f"nothing is known of the plan {name} yet" in program.run("status").stderr
    program.environment.clear()
    assert 2 == program.run("status").code
