"""Measuring a child process: wall seconds, CPU seconds and peak memory, by the kernel's own account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Starts a command and tells what it took. A small process of its own: the kernel counts the memory of whoever starts a
#: command as the command's, and a benchmark holds a Box with all that is in it.
LAUNCH = """
import json, os, sys, time
tell, command = int(sys.argv[1]), sys.argv[2:]
os.set_inheritable(tell, False)
started = time.perf_counter()
child = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(child, 0)
took = time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss
os.write(tell, json.dumps([os.waitstatus_to_exitcode(status), *took]).encode())
"""


@dataclass(frozen=True)
class Measured:
    """What one run of a command took."""

    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float
    output: str


def measure(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Measured:
    """Run a command to its end; RuntimeError with its output when it fails.

    Python keeps what it compiled, as it does where the program is installed, whatever this process was told.
    """
    told, tell = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", LAUNCH, str(tell), *command],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[tell],
        text=True,
        errors="replace",
    )
    os.close(tell)
    output, _ = process.communicate()
    with open(told) as found:
        text = found.read()
    if not text:
        raise RuntimeError(f"{command[0]} was not started: {output[-2000:]}")
    code, wall, cpu, kilobytes = json.loads(text)
    if code != 0:
        raise RuntimeError(f"{command[0]} ended with {code}: {output[-2000:]}")
    return Measured(wall, cpu, kilobytes / 1024, output)


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]
