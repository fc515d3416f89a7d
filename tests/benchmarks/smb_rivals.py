"""Who else reads an SMB share: rclone, fsspec's own SMB filesystem, and requests with nothing around them (BARE); each
as a process of its own, with what the server spent on it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.benchmarks.measuring import Measured, measure, median
from tests.servers.samba import Samba

#: The beginning of a script that sends prepared requests by one connection and one thread, and looks at no answer.
BARE = """
import os, time
from collections import deque
from connectors.sources.smb import wire
from connectors.sources.smb.backup import BackupIntent
from connectors.sources.smb.connection import SMBLink
from connectors.sources.smb.login import LoginGate, SMBAccount
url, name, password, port = (os.environ[key] for key in ("URL", "NAME", "PW", "PORT"))
account = SMBAccount(host="127.0.0.1", share="data", port=int(port), username=name, password=password)
link = SMBLink(account, LoginGate(), BackupIntent())

def rush(requests, most, done):
    flying = deque()
    for create, others in requests:
        while len(flying) >= most or (sent := link.start(create, others)) is None:
            done(link.take(flying.popleft()))
        flying.append(sent)
    while flying:
        done(link.take(flying.popleft()))
"""


@dataclass(frozen=True)
class Told:
    """What some runs of one program took, in the middle: as it says itself where it does, else as a process."""

    things: int
    wall: float
    cpu: float
    #: CPU seconds of the server meanwhile.
    server: float


class Race:
    """Programs in turn on one server."""

    def __init__(self, server: Samba) -> None:
        self._server = server
        self._runs: dict[str, list[tuple[Measured, float]]] = {}

    def run(self, who: str, run: Callable[[], Measured]) -> None:
        """One run of one program."""
        before = server_seconds(self._server)
        measured = run()
        self._runs.setdefault(who, []).append((measured, server_seconds(self._server) - before))

    def told(self, who: str, things: int | None = None) -> Told:
        """`things`: how many it handled, where the program is no script of ours that says so."""
        runs = [run for run, _ in self._runs[who]]
        server = median([spent for _, spent in self._runs[who]])
        return Told(*((things, *process_medians(runs)) if things is not None else medians(runs)), server)


def ours(server: Samba, script: str, **more: str) -> Measured:
    """A script of ours or fsspec's on the share; it prints a count, wall and CPU seconds."""
    environment = {
        "URL": server.url,
        "NAME": server.username,
        "PW": server.password,
        "PORT": str(server.port),
    }
    return measure([sys.executable, "-c", script], environment=environment | more)


def rclone(server: Samba, *arguments: str) -> Measured:
    """An rclone command on the share, which it knows as `S:`; signed, as ours is."""
    environment = {"RCLONE_CONFIG": "/dev/null"} | remote(server)
    return measure([_rclone(), *arguments], environment=environment)


def remote(server: Samba) -> dict[str, str]:
    """What lets rclone know the share as `S:`."""
    return {
        "RCLONE_CONFIG_S_TYPE": "smb",
        "RCLONE_CONFIG_S_HOST": "127.0.0.1",
        "RCLONE_CONFIG_S_PORT": str(server.port),
        "RCLONE_CONFIG_S_USER": server.username,
        "RCLONE_CONFIG_S_PASS": measure([_rclone(), "obscure", "--", server.password]).output.strip(),
    }


def server_seconds(server: Samba) -> float:
    """CPU seconds of the server so far, all its processes together."""
    spent = 0.0
    for process in psutil.process_iter(["cmdline"]):
        if server.home.name in " ".join(process.info["cmdline"] or ()):
            with suppress(psutil.Error):
                spent += sum(process.cpu_times()[:4])  # those of its children that have ended, too
    return spent


def _rclone() -> str:
    return shutil.which("rclone") or f"{sys.prefix}/bin/rclone"


def medians(runs: Sequence[Measured]) -> tuple[int, float, float]:
    """Count, wall and CPU seconds as the scripts print them: medians."""
    told = [run.output.split() for run in runs]
    return (
        int(told[0][0]),
        median([float(each[1]) for each in told]),
        median([float(each[2]) for each in told]),
    )


def process_medians(runs: Sequence[Measured]) -> tuple[float, float]:
    """Wall and CPU seconds of whole processes."""
    return median([run.wall_seconds for run in runs]), median([run.cpu_seconds for run in runs])
