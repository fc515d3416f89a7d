"""The commands of deployments/README.md, by somebody who has no Prefect server yet."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.conftest import build_share
from tests.program import Program, program_for
from tests.servers import free_port

FILES = 5


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Iterator[Program]:
    """A plan, and a Prefect home in which nothing is; the server that `deploy` starts ends with the test."""
    share = build_share(tmp_path / "share", trees=("Legal",), folders=1, files=FILES)
    environment = {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
        "NO_COLOR": "1",
    }
    program = program_for(
        tmp_path / "run", box, {"url": share.as_uri()}, environment=environment, name="first"
    )
    yield program
    log = tmp_path / "prefect" / "boxhaul-server.log"
    for process in psutil.process_iter(["pid", "cmdline"]):
        if process.info["cmdline"] and log.exists() and str(log) in open_files(process):
            process.kill()


def open_files(process: psutil.Process) -> set[str]:
    """Where a process writes to."""
    try:
        return {file.path for file in process.open_files()}
    except psutil.Error:
        return set()


def prefect(program: Program, *words: str) -> list[str]:
    """A command of Prefect, as typed into a shell that has no setting but the home."""
    assert "PREFECT_API_URL" not in os.environ
    return [
        "/usr/bin/env",
        f"PREFECT_HOME={program.environment['PREFECT_HOME']}",
        sys.executable,
        "-m",
        "prefect",
        *words,
    ]


def test_from_nothing_to_the_first_run(program: Program, box: Sandbox) -> None:
    """`boxhaul deploy PLAN --start`, a worker, a run: the settings are in Prefect's profile, no shell needs them."""
    before = program.run("deploy")
    assert 2 == before.code
    assert "--start" in before.output
    deployed = program.run("deploy", "--start")
    assert 0 == deployed.code, deployed.output
    started = re.search(r"^server: started at (\S+), process (\d+), log", deployed.output, re.MULTILINE)
    assert started is not None, deployed.output
    server = psutil.Process(int(started[2]))
    told = re.search(
        r"^worker: keep one running: (.+) worker start --pool boxhaul$", deployed.output, re.MULTILINE
    )
    assert told is not None, deployed.output
    worker = subprocess.Popen(
        [
            "env",
            f"PREFECT_HOME={program.environment['PREFECT_HOME']}",
            told[1],
            "worker",
            "start",
            "--pool",
            "boxhaul",
        ],
        cwd=program.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        run = subprocess.run(
            prefect(program, "deployment", "run", "run-plan/on-demand", "--watch"),
            cwd=program.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(timeout=30)
        children = server.children(recursive=True)
        server.terminate()
        psutil.wait_procs([server, *children], timeout=20)

    assert 0 == run.returncode, run.stdout + run.stderr
    assert FILES == len(box.files())
    assert "COMPLETED" in run.stdout.upper()
