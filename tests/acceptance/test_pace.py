"""How fast a run sends, as its options and its plan say: bandwidth, and files in flight."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.program import Program, program_for
from tests.trees import build_tree

MB = 1024**2


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Program:
    """A tree of 3 MB in 30 files."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {f"{number}.bin": bytes([number]) * (MB // 10) for number in range(30)}})
    return program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}])


def seconds_of_uploads(box: Sandbox) -> float:
    """From the beginning of the first upload to the end of the last one."""
    uploads = [
        call for call in box.calls.log if call.route.startswith(("POST /files/content", "PUT /files/upload"))
    ]
    return max(call.at for call in uploads) - min(call.at - call.seconds for call in uploads)


def test_bwlimit_of_a_run(program: Program, box: Sandbox) -> None:
    """3 MB at 1 MB a second take three seconds, less what is given out at once."""
    finished = program.run("migrate", "--bwlimit", "1M")
    assert 0 == finished.code, finished.output
    assert seconds_of_uploads(box) > 2.4


def test_parts_are_paced(tmp_path: Path, box: Sandbox) -> None:
    """A large file goes in parts at once, and keeps the same limit."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {"large.bin": b"x" * (24 * MB)}})
    program = program_for(
        tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}], transfer={"bandwidth": "8M"}
    )
    program.plan["box"]["direct_upload_limit_bytes"] = 20_000_000
    program.write_plan()
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    assert box.calls.by_route["PUT /files/upload_sessions/:id"]
    assert seconds_of_uploads(box) > 2.4


def test_timetable_switches_during_a_run(program: Program, box: Sandbox) -> None:
    """Slow until the next full minute, then as fast as it goes: most of it arrives afterwards."""
    if datetime.now().second > 50:
        time.sleep(61 - datetime.now().second)
    soon = (datetime.now() + timedelta(minutes=1)).replace(second=0, microsecond=0)
    program.write_plan(transfer={"bandwidth": f"{soon - timedelta(minutes=2):%H:%M},20K {soon:%H:%M},off"})
    finished = program.run("migrate")
    arrived = [call.at for call in box.calls.log if call.route == "POST /files/content"]
    assert 0 == finished.code, finished.output
    late = sum(at >= soon.timestamp() - 0.5 for at in arrived)
    # 20 kB a second for a minute at most: twelve files of 100 kB.
    assert 30 - 12 - 3 <= late <= 30


def test_threads_of_a_run(program: Program, box: Sandbox) -> None:
    """No more files are on their way at once than the option says."""
    box.faults.next("POST /files/content").delay(0.1).times(None)
    finished = program.run("migrate", "--threads", "2")
    assert 0 == finished.code, finished.output
    assert 2 == most_at_once(box)


def most_at_once(box: Sandbox) -> int:
    """How many uploads were answered at the same time at most."""
    uploads = [call for call in box.calls.log if call.route == "POST /files/content"]
    # A thread's next call begins after its last one was answered; clocks of two lines may differ by a moment.
    steps = [(call.at - call.seconds + 0.005, 1) for call in uploads] + [(call.at, -1) for call in uploads]
    most = now = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--bwlimit", "fast"], "bandwidth: 'fast' is no bandwidth; write for example 4M"),
        (["--threads", "99"], "threads: "),
        (["--tree", "No"], "trees: there is no tree 'No'; the plan's trees are: A"),
        (
            ["--workers", "2"],
            "--workers: other processes are started by a Prefect server; set PREFECT_API_URL",
        ),
    ],
)
def test_bad_options_are_one_line(program: Program, flags: list[str], words: str) -> None:
    """Exit code 2, nothing is begun."""
    finished = program.run("migrate", *flags)
    assert 2 == finished.code
    assert words in finished.stderr
    assert 1 == len(finished.stderr.splitlines())
