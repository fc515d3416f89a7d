"""Killed and started again: nothing is lost, nothing is sent twice, nothing is made twice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, sums_add_up
from tests.acceptance.shares import build_big_share
from tests.program import Program, program_for
from tests.servers.fixtures import empty
from tests.servers.samba import Samba

FILES, FOLDERS, LARGE_FILES = 240, 30, 1
PART = "PUT /files/upload_sessions/:id"
TREES = [
    {"source": "Accounting", "collaborators": [{"login": "ann@example.com", "role": "viewer"}]},
    {"source": "Legal", "collaborators": [{"login": "ann@example.com", "role": "editor"}]},
]


@pytest.fixture
def share(samba: Samba) -> Iterator[Path]:
    """A share on Samba with one file that goes in parts."""
    empty(samba.root)
    build_big_share(samba.root, files=FILES, folders=FOLDERS, large=LARGE_FILES)
    yield samba.root
    empty(samba.root)


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, samba: Samba, share: Path) -> Program:
    """The program with a plan for that share."""
    source = {"url": samba.url, "username": samba.username, "port": samba.port, "password": "${SHARE_PW}"}
    return program_for(tmp_path / "run", box, source, environment={"SHARE_PW": samba.password}, trees=TREES)


def test_kill_in_the_middle_of_a_large_file_costs_no_part(
    program: Program, box: Sandbox, share: Path
) -> None:
    """After kill -9 between two parts the next run sends the other parts only, and no file or folder twice."""
    box.limits.bytes_per_second = 30_000_000
    assert program.kill_when(lambda: box.calls.by_route[PART] >= 3)
    box.limits.bytes_per_second = None
    session = box.open_sessions()[0]
    total_parts = math.ceil(session["size"] / session["part_size"])
    finished_parts = len(session["parts"])
    before = box.calls.by_route[PART]
    shared_early = {grant["path"] for grant in box.collaborations()}
    done = {tree["name"] for tree in program.status()["trees"] if tree["state"] in ("verified", "complete")}

    finished = program.run("migrate")

    assert finished.code == 0, finished.output
    assert shared_early <= done
    assert total_parts - finished_parts == box.calls.by_route[PART] - before
    assert box.calls.by_route["POST /files/upload_sessions"] == 1
    assert len(box.folders()) == FOLDERS
    assert_arrived(program, box, share)
    assert [tree["state"] for tree in sums_add_up(program)["trees"]] == ["complete", "complete"]


def test_kill_between_small_files_sends_none_twice(program: Program, box: Sandbox, share: Path) -> None:
    """After kill -9 among small files each is in Box once, with one version."""
    box.limits.latency_seconds = 0.02
    assert program.kill_when(lambda: box.calls.by_route["POST /files/content"] >= 60)
    box.limits.latency_seconds = None

    finished = program.run("migrate")

    assert finished.code == 0, finished.output
    assert_arrived(program, box, share)


def test_kill_in_the_walk_loses_nothing(program: Program, box: Sandbox, share: Path) -> None:
    """After kill -9 while folders are still being listed everything arrives."""
    assert program.kill_when(lambda: box.calls.by_route["POST /folders"] >= 1)

    finished = program.run("migrate")

    assert finished.code == 0, finished.output
    assert_arrived(program, box, share)


def test_interrupt_saves_the_state_and_says_so(program: Program, box: Sandbox, share: Path) -> None:
    """Ctrl-C ends with 130 and one line; every tree says that it was cancelled; the same command completes."""
    box.limits.latency_seconds = 0.05
    process = program.start("migrate")
    while box.calls.by_route["POST /files/content"] < 20:
        assert process.poll() is None
    process.send_signal(2)
    _, stderr = process.communicate(timeout=60)
    box.limits.latency_seconds = None

    assert process.returncode == 130, stderr
    assert "interrupted; the state is saved" in stderr
    assert "Traceback" not in stderr
    assert {"cancelled"} == {tree["incomplete_reason"] for tree in sums_add_up(program)["trees"]}
    assert program.run("migrate").code == 0
    assert_arrived(program, box, share)


def test_samba_restarted_in_the_middle_costs_only_time(
    program: Program, box: Sandbox, share: Path, samba: Samba
) -> None:
    """The server goes away while files are read and comes back: the same run completes."""
    box.limits.latency_seconds = 0.02
    process = program.start("migrate")
    while box.calls.by_route["POST /files/content"] < 40:
        assert process.poll() is None
    samba.restart()
    stdout, stderr = process.communicate(timeout=180)
    box.limits.latency_seconds = None

    assert process.returncode == 0, stdout + stderr
    assert_arrived(program, box, share)
