"""Whoever ends tests or the demo, in whatever way, leaves no server behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.servers import require, samba, sftp

ROOT = Path(__file__).parents[2]

#: Of a test process: two real servers and a command of the fork server, which do not end by themselves.
WITH_SERVERS = """
import os, tempfile, time
from pathlib import Path
from tests.forking import Forked
from tests.servers.postgres import PostgresServer, find_programs, unprivileged_user
from tests.servers.sftp import SFTPServer
folder = Path(tempfile.mkdtemp(prefix="boxhaul-pg-"))
servers = [SFTPServer(), PostgresServer(folder, find_programs(), unprivileged_user())]
servers[1].create()
for server in servers:
    server.start()
command = Forked([], os.environ, entry="tests.integration.test_left_servers:sleep_long")
print(servers[0].home, servers[1].folder, command.pid, flush=True)
time.sleep(300)
"""

#: Seconds in which everything has to be gone, on a machine that is ten times slower than usual.
SECONDS = 60.0


def sleep_long() -> None:
    """A command that runs for longer than anybody waits."""
    time.sleep(300)


def wait_until(true: Callable[[], bool]) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + SECONDS
    while not true() and time.monotonic() < deadline:
        time.sleep(0.1)
    return true()


def naming(words: Sequence[str]) -> list[psutil.Process]:
    """Processes whose command line names one of these."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if any(word in line for word in words):
            found.append(process)
    return found


def is_alive(pid: int) -> bool:
    """Whether this process runs."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@contextmanager
def heeding(how: signal.Signals) -> Iterator[None]:
    """What is started meanwhile heeds the signal, also where this process, begun with nohup, does not."""
    if how is signal.SIGKILL:
        yield
        return
    before = signal.signal(how, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(how, before)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_servers_and_commands_of_a_test_end_with_it(how: signal.Signals) -> None:
    """Real servers with their folders, and a command that is under way."""
    require("sshd", sftp.HINT)
    with heeding(how):
        process = subprocess.Popen(
            [sys.executable, "-c", WITH_SERVERS], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
    with process:
        assert process.stdout is not None
        *folders, command = process.stdout.readline().split()
        assert len(naming(folders)) >= 2
        assert is_alive(int(command))

        process.send_signal(how)

        assert wait_until(lambda: not naming(folders)), naming(folders)
        assert wait_until(lambda: not is_alive(int(command)))
        assert wait_until(lambda: not any(os.path.exists(folder) for folder in folders))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_demo_that_is_ended_leaves_nothing_running(tmp_path: Path, how: signal.Signals) -> None:
    """Neither its Samba nor its local Box, nor the migration that it began."""
    require("smbd", samba.HINT)
    folder = tmp_path / "demo"
    with subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "demo", "--folder", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert any("Migrate, and kill" in line for line in process.stdout)
        assert len(naming([str(folder)])) >= 3

        process.send_signal(how)

        assert wait_until(lambda: not naming([str(folder)])), naming([str(folder)])
