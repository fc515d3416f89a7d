"""Box goes away while a share is moved: the run waits for it, blames no file, and does not wait for ever."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items, sums_add_up
from tests.acceptance.test_live_share import LARGE, SMALL, one_line, small_files
from tests.program import Finished, Program, program_for

PART = "PUT /files/upload_sessions/:id"

AWAY, BACK = "Box has not answered since", "Box answers again after"


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """200 small files and one that goes in parts."""
    root = tmp_path / "share"
    root.mkdir()
    small_files(root)
    (root / "large.bin").write_bytes(os.urandom(1 << 20) * (LARGE >> 20))
    return root


@pytest.fixture
def box(box: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, slow enough to be interrupted; it serves again after each test."""
    box.limits.latency_seconds, box.limits.bytes_per_second = 0.03, 40_000_000
    yield box
    box.faults.clear()
    if box._server is None:
        box.start()


def program_with(tmp_path: Path, box: Sandbox, share: Path, **limits: Any) -> Program:
    """The program with a plan for the share as one tree with one person; calls are patient for a second."""
    tree = {"source": "", "folder": "All", "collaborators": [{"login": "ann@example.com", "role": "viewer"}]}
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[tree])
    program.plan["box"]["limits"] |= {"backoff_seconds": 0.005, **limits}
    program.write_plan()
    return program


def busy(box: Sandbox) -> None:
    """Every call is answered with 503 from now on."""
    box.faults.next("*").status(503).times(None)


def refused(box: Sandbox) -> None:
    """Nobody listens any more."""
    box.pause()


def back(box: Sandbox) -> None:
    """Box is as it was."""
    box.faults.clear()
    if box._server is None:
        box.start()


class Running:
    """A run of `migrate` whose lines are read as they come."""

    def __init__(self, program: Program) -> None:
        self.process = program.start("migrate")
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def said(self, text: str) -> bool:
        """Whether a line begins like this."""
        return any(line.startswith(text) for line in self.lines)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Until it holds, at most a minute."""
        deadline = time.monotonic() + 60
        while not condition():
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < deadline, "the moment never came"
            time.sleep(0.01)

    def end(self) -> Finished:
        """Wait for its end."""
        try:
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(10)
        assert self.process.stdout is not None and self.process.stderr is not None
        with self.process.stdout as stdout, self.process.stderr:
            return Finished(self.process.returncode, stdout.read(), "\n".join(self.lines) + "\n")


def tries(program: Program) -> set[int]:
    """How often each file was tried."""
    return {line["attempts"] for line in report_items(program).values() if line["kind"] == "file"}


@pytest.mark.parametrize("go_away", [busy, refused])
@pytest.mark.gate(1)
def test_outage_longer_than_the_patience_of_a_call(
    tmp_path: Path, box: Sandbox, share: Path, go_away: Callable[[Sandbox], None]
) -> None:
    """Two outages in one run cost time alone: one line each when it begins and ends, and no file has failed."""
    program = program_with(tmp_path, box, share)
    running = Running(program)
    for number, moment in enumerate((20, 80), start=1):
        running.wait_until(lambda moment=moment: box.calls.by_route[SMALL] > moment)  # type: ignore[misc]
        go_away(box)
        running.wait_until(lambda number=number: sum(AWAY in each for each in running.lines) == number)  # type: ignore[misc]
        back(box)
        running.wait_until(lambda number=number: sum(BACK in each for each in running.lines) == number)  # type: ignore[misc]
    finished = running.end()

    assert 0 == finished.code, finished.output
    assert 4 == sum(line.startswith((AWAY, BACK)) for line in finished.stderr.splitlines())
    assert "60 minutes at most" in finished.stderr
    (tree,) = sums_add_up(program)["trees"]
    assert ("complete", 0) == (tree["state"], tree["items"]["failed"])
    assert {1} == tries(program)
    assert_arrived(program, box, share)


def test_box_that_stays_away(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """After outage_minutes the run stops with code 3 and one line, nothing has failed, and the next run completes."""
    program = program_with(tmp_path, box, share, outage_minutes=0.02)
    running = Running(program)
    running.wait_until(lambda: box.calls.by_route[SMALL] > 40 and box.calls.by_route[PART] > 0)
    refused(box)
    finished = running.end()

    assert 3 == finished.code, finished.output
    assert "Box has not answered for 1 second (since " in one_line(finished)
    assert "the next run goes on" in one_line(finished)
    (tree,) = sums_add_up(program)["trees"]
    assert ("incomplete", "stopped", 0) == (
        tree["state"],
        tree["incomplete_reason"],
        tree["items"]["failed"],
    )
    assert {} == tree["failures_by_reason"]
    back(box)
    box.limits.update({"latency_seconds": None, "bytes_per_second": None})
    again = program.run("migrate")
    assert 0 == again.code, again.output
    assert {1} == tries(program)
    assert_arrived(program, box, share)
