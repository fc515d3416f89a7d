"""`boxhaul deploy` and a Prefect server that admits nobody without a password. A real HTTP server."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.deploy.options import DeployOptions
from flows.deploy.register import deploy_plan
from flows.deploy.server import start_server
from flows.errors import PlanError
from flows.plan.model import MigrationPlan


class Closed(BaseHTTPRequestHandler):
    """Prefect's answers to who has no password, or another one: its health is told to everybody."""

    def do_GET(self) -> None:
        """Health, or nothing."""
        self._answer(200 if self.path.endswith("/health") else 401)

    def do_POST(self) -> None:
        """Nothing."""
        self._answer(401)

    def _answer(self, status: int) -> None:
        body = b'{"exception_message": "Unauthorized"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def closed_server() -> Iterator[str]:
    """Its API address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Closed)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("known", [False, True], ids=["none", "another one"])
def test_a_server_with_a_password_names_the_variable(closed_server: str, known: bool) -> None:
    """One line with the name of the variable on both sides, and no password."""
    password = f"admin:{secrets.token_hex(8)}"
    auth = {"method": "block", "name": "finance"}
    plan = MigrationPlan.model_validate(
        {"name": "Finance", "source": {"url": "file:///srv"}, "box": {"auth": auth}}
    )
    settings = {PREFECT_API_URL: closed_server, PREFECT_API_AUTH_STRING: password if known else None}

    with temporary_settings(settings), pytest.raises(PlanError) as refused:
        list(deploy_plan(plan, DeployOptions()))

    told = str(refused.value)
    assert "PREFECT_API_AUTH_STRING" in told
    assert closed_server in told
    assert ("does not admit" if known else "got none") in told
    assert password not in told


#: Starts a process of its own, writes down both, and listens nowhere; asked to end, it does or does not.
SILENT = """
import os, pathlib, signal, subprocess, sys, time
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}")
if sys.argv[2] == "ends":
    sys.exit(3)
time.sleep(300)
"""


def is_running(pid: int) -> bool:
    """False also for one that has ended and that nobody has asked about yet."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("manner", "words"), [("asleep", "was stopped again"), ("deaf", "was stopped"), ("ends", "ended with 3")]
)
def test_server_that_does_not_answer_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manner: str, words: str
) -> None:
    """`deploy --start` gives up with one line, and stops what it started and what that one started."""
    monkeypatch.setattr("flows.deploy.server.STOP_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
    pids, log = tmp_path / "pids", tmp_path / "server.log"
    command = [sys.executable, "-c", SILENT, str(pids), manner]
    with pytest.raises(PlanError, match=words) as raised:
        start_server(command, url, os.environ, log, seconds=10)
    started = [int(pid) for pid in pids.read_text().split()]

    assert str(log) in str(raised.value)
    for _ in range(200):  # the kernel takes a moment
        if not any(map(is_running, started)):
            break
        time.sleep(0.05)
    assert [False, False] == [is_running(pid) for pid in started]


def test_server_that_answers_is_left_running(closed_server: str, tmp_path: Path) -> None:
    """It outlives the command that started it."""
    process = start_server(
        [sys.executable, "-c", "import time; time.sleep(300)"],
        closed_server,
        os.environ,
        tmp_path / "server.log",
    )
    try:
        assert is_running(process.pid)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
