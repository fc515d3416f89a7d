"""Somebody says stop while the share is away: the run ends, and does not wait for the share to come back."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived
from tests.acceptance.test_live_share import one_line, small_files
from tests.program import Finished, Program, program_for

#: Far less than the minute that a source waits for a server, far more than a stop takes.
SOON = 20.0


def stopped(program: Program, box: Sandbox, take_away: object, number: signal.Signals) -> Finished:
    """A run whose share goes away in the middle, and which is told to stop a second later."""
    box.limits.latency_seconds = 0.05
    process = program.start("migrate")
    try:
        deadline = time.monotonic() + 60
        while box.calls.by_route["POST /files/content"] < 20:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "no file was sent"
            time.sleep(0.01)
        assert callable(take_away)
        take_away()
        time.sleep(1)  # walkers and senders find that it is away, and wait
        assert process.poll() is None, process.communicate()
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=SOON)
    finally:
        process.kill()
        process.wait()
        box.limits.latency_seconds = None
    return Finished(process.returncode or 0, stdout, stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.gate(1)
def test_stop_while_a_folder_is_away(tmp_path: Path, box: Sandbox, number: signal.Signals) -> None:
    """The folder of the share is gone: the stop ends the wait for it, nothing is blamed, the next run completes."""
    share = tmp_path / "share"
    share.mkdir()
    small_files(share)
    trees = [{"source": "", "folder": "All"}]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    away = share.with_name("away")
    finished = stopped(program, box, lambda: share.rename(away), number)

    assert 130 == finished.code, finished.output
    assert "interrupted" in one_line(finished)
    away.rename(share)
    [tree] = program.status()["trees"]
    assert ("cancelled", 0) == (tree["incomplete_reason"], tree["items"]["failed"])
    assert 0 == program.run("migrate").code
    assert_arrived(program, box, share)
