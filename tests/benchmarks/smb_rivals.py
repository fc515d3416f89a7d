"""Who else reads an SMB share: rclone and fsspec's own SMB filesystem, each as a process of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from tests.benchmarks.measuring import Measured, measure, median
from tests.servers.samba import Samba


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
    return measure(
        [_rclone(), *arguments], environment={"RCLONE_CONFIG": "/dev/null", **rclone_remote(server)}
    )


def rclone_remote(server: Samba) -> dict[str, str]:
    """The variables by which rclone knows the server as `S:`."""
    return {
        "RCLONE_CONFIG_S_TYPE": "smb",
        "RCLONE_CONFIG_S_HOST": "127.0.0.1",
        "RCLONE_CONFIG_S_PORT": str(server.port),
        "RCLONE_CONFIG_S_USER": server.username,
        "RCLONE_CONFIG_S_PASS": measure([_rclone(), "obscure", server.password]).output.strip(),
    }


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
