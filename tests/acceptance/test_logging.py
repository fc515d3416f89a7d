"""What a run says on the terminal and in its log."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.run.log_file import LogFormat, logged, of_tree
from tests.program import Program, fresh, program_for
from tests.trees import build_tree

NAME = "o\x1b[31mdd\n.txt"


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Program:
    """Two trees, with a name that would paint a terminal, and a file that Box refuses."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {"a.txt": b"a" * 3000, NAME: b"odd"}, "B": {"refused.txt": b"b"}})
    box.faults.next("POST /files/content").about("refused.txt").status(
        403, error="forbidden_by_policy"
    ).times(None)
    trees = [{"source": "A"}, {"source": "B"}]
    return program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)


def test_a_run_is_logged_beside_the_checkpoint(program: Program, box: Sandbox) -> None:
    """For its owner alone; how it began, what failed in which tree, each tree, how it ended. A second run goes on."""
    first = program.run("migrate")
    log = program.folder / "test (rehearsal).log"
    text = log.read_text(encoding="utf-8")
    box.faults.clear()
    second = program.run("retry")
    runs = set(
        re.findall(r"^\S+ +[A-Z]+ +test ([0-9a-f]{8}) ", log.read_text(encoding="utf-8"), re.MULTILINE)
    )

    assert (1, 0) == (first.code, second.code), first.output + second.output
    assert 0o600 == log.stat().st_mode & 0o777
    assert re.search(
        r"^\d{4}-\d\d-\d\dT[\d:.]+\+00:00 INFO    test [0-9a-f]{8} \| migrate begins: file://", text
    )
    assert re.search(r"WARNING test [0-9a-f]{8} B \| failed: B/refused.txt \(rejected", text)
    assert re.search(r"INFO    test [0-9a-f]{8} A \| tree A is complete$", text, re.MULTILINE)
    assert text.endswith("| migrate ended\n")
    assert 2 == len(runs)
    assert "\x1b" not in text


def test_json_lines_in_a_file_of_ones_own(program: Program, box: Sandbox) -> None:
    """Each line is an object with plan, run and tree; -v has each file, by a name that paints nothing."""
    file = program.folder / "mine.json"
    finished = program.run("migrate", "--log-file", str(file), "--log-format", "json", "-v")
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

    assert 1 == finished.code
    assert not list(program.folder.glob("*.log"))
    assert {("test", records[0]["run"])} == {(each["plan"], each["run"]) for each in records}
    assert {None, "A", "B"} == {each["tree"] for each in records}
    said = [each["message"] for each in records]
    assert "in Box: A/a.txt, 3.0 kB" in said
    assert "in Box: A/o\\x1b[31mdd\\x0a.txt, 3 B" in said
    assert "in Box: A/a.txt, 3.0 kB" in finished.stderr
    assert "\x1b[31m" not in finished.output

    box.faults.clear()
    other = program.folder / "retried.json"
    retried = program.run("retry", "--log-file", str(other), "--log-format", "json", "-v")
    quiet = program.run("retry", "-q")
    records = [json.loads(line) for line in other.read_text(encoding="utf-8").splitlines()]
    assert (0, 0, "") == (retried.code, quiet.code, quiet.stdout)
    assert "in Box: B/refused.txt" in retried.stderr
    assert {"test"} == {each["plan"] for each in records}
    assert "1 failed entry was tried again" in retried.stdout


def test_quiet_and_usual(program: Program) -> None:
    """Quiet: nothing where all is well but the exit code. Usual: no line of each file."""
    usual = program.run("migrate", "--tree", "A")
    quiet = program.run("migrate", "--tree", "A", "-q")
    assert (0, 0) == (usual.code, quiet.code)
    assert "complete" in usual.output
    assert "in Box: A/a.txt" not in usual.output
    assert "" == quiet.output


def test_what_is_logged_is_not_said_as_well(program: Program) -> None:
    """In an interpreter of its own: what fails stands in the log and in the summary, and an error is one line."""
    process = fresh(["migrate", str(program.plan_path)], {**os.environ})
    stdout, stderr = process.communicate(timeout=200)
    (program.folder / "box_config.json").unlink()
    process = fresh(["migrate", str(program.plan_path)], {**os.environ})
    nothing, one_line = process.communicate(timeout=200)
    log = (program.folder / "test (rehearsal).log").read_text(encoding="utf-8")

    assert ("refused.txt" in stderr, 1) == (False, stdout.count("failed: B/refused.txt"))
    assert " INFO " not in stderr
    assert "" == nothing
    assert 1 == len(one_line.splitlines()), one_line
    assert one_line.removeprefix("boxhaul: ").strip() in log


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--log-file", "/proc/nowhere/x.log"], "--log-file: /proc/nowhere/x.log: No such file"),
        (["--log-format", "xml"], "--log-format: 'xml' is none"),
        (["-v", "-q"], "choose one of them"),
    ],
)
def test_bad_options_are_one_line(program: Program, flags: list[str], words: str) -> None:
    """Exit code 2, nothing is begun."""
    finished = program.run("migrate", *flags)
    assert 2 == finished.code
    assert words in finished.stderr
    assert 1 == len(finished.stderr.splitlines())


def test_a_log_that_cannot_be_written_stops_no_run(program: Program) -> None:
    """The usual file is a folder here: it is told, and the run goes on."""
    (program.folder / "test (rehearsal).log").mkdir()
    finished = program.run("migrate", "--tree", "A")
    assert 0 == finished.code, finished.output
    assert "no log is written" in finished.stderr


def test_log_is_bounded_private_and_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old records go; what a plan's references stand for never stands there, nor in a trace."""
    monkeypatch.setattr("flows.run.log_file.FILE_BYTES", 5_000)
    log, file = logging.getLogger("flows.test"), tmp_path / "x.log"
    file.write_text("before\n")
    file.chmod(0o644)
    with logged(file, plan="p", form=LogFormat.JSON, hidden=["hunter-2-secret"]):
        for number in range(500):
            with of_tree("A"):
                log.info("line %d with hunter-2-secret", number)
        try:
            raise RuntimeError("hunter-2-secret")
        except RuntimeError:
            log.exception("oh")
    log.info("not this one")
    files = sorted(tmp_path.iterdir())
    texts = [each.read_text() for each in files]
    last: dict[str, Any] = json.loads(file.read_text().splitlines()[-1])

    assert 5 == len(files)
    assert all(len(text) < 6_000 for text in texts)
    assert {0o600} == {each.stat().st_mode & 0o777 for each in files}
    assert not any("hunter" in text for text in texts)
    assert "RuntimeError: ***" in last["trace"]
    assert "oh" == last["message"]


def test_files_on_their_way_are_shown_with_how_far_they_are(tmp_path: Path, box: Sandbox) -> None:
    """On a terminal the large file stands there with a percentage that grows."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {"film\x1b[31m.mov": b"x" * 3_000_000}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}])
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "migrate", str(program.plan_path), "--bwlimit", "1M"],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "120", "TERM": "xterm"},
    )
    os.close(theirs)
    seen: list[bytes] = []

    def read() -> None:
        try:
            while block := os.read(ours, 65_536):
                seen.append(block)
        except OSError:
            pass  # the terminal is gone with its last user

    thread = threading.Thread(target=read)
    thread.start()
    assert 0 == process.wait(timeout=200)
    thread.join(timeout=60)
    os.close(ours)
    text = b"".join(seen).decode(errors="replace")
    shown = {int(percent) for percent in re.findall(r"(\d+) %  +3\.0 MB  A/film\\x1b\[31m\.mov", text)}
    assert len(shown) > 1, text[-3000:]
    assert all(0 <= percent <= 100 for percent in shown)
