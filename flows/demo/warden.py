"""Warden: a process that ends the servers which this one started, however this one ends: kill -9, a closed terminal.

It waits for its standard input to close, which the kernel does when the process that holds the other end is gone.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import resolve_name
from pathlib import Path

from state.processes import process_identity

#: Seconds that a server has to end by itself before it is killed.
PATIENCE_SECONDS = 5.0


class Warden:
    """Keeps the list of what is to end with this process. For many threads; starts with the first entry."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, pid: int, folder: Path | None = None) -> None:
        """End this process and those below it when this one is gone, and remove its folder then."""
        self._tell("watch", pid, process_identity(pid), str(folder or ""))

    def release(self, pid: int) -> None:
        """It has ended, or lives on; nothing is removed."""
        self._tell("release", pid)

    def _tell(self, *words: str | int) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(  # noqa: S603  our own interpreter
                    [sys.executable, "-m", resolve_name(".warden", __package__)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                    cwd=Path(__file__).parents[len(__package__.split("."))],
                )
                atexit.register(self._leave)
            assert self._process.stdin is not None  # noqa: S101
            self._process.stdin.write(json.dumps(words).encode() + b"\n")
            self._process.stdin.flush()

    def _leave(self) -> None:
        """This process ends as it should; what is still watched ends with it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(4 * PATIENCE_SECONDS)


#: The one of this process.
WARDEN = Warden()


def main() -> None:
    """Note down what is told until nobody is there to tell, then end what was watched and not released."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched: dict[int, tuple[str, str]] = {}
    for line in sys.stdin:
        word, pid, *more = json.loads(line)
        if word == "watch":
            watched[pid] = (more[0], more[1])
        else:
            watched.pop(pid, None)
    _end([pid for pid, (identity, _) in watched.items() if identity and process_identity(pid) == identity])
    for _, folder in watched.values():
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _end(pids: Sequence[int]) -> None:
    """Ask them, then kill them with all that they started. A number that another process has by now is left alone."""
    all_of_them = {pid: process_identity(pid) for pid in (*pids, *_below(pids))}
    for number, seconds in ((signal.SIGTERM, PATIENCE_SECONDS), (signal.SIGKILL, PATIENCE_SECONDS)):
        deadline = time.monotonic() + seconds
        for pid in _alive(all_of_them):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        while time.monotonic() < deadline and any(_alive(all_of_them)):
            time.sleep(0.05)


def _alive(identities: dict[int, str]) -> Iterator[int]:
    return (pid for pid, identity in identities.items() if identity and process_identity(pid) == identity)


def _below(pids: Sequence[int]) -> Iterator[int]:
    """Yield the processes that these started, and what those started."""
    parents = dict(_parents())
    for pid in parents:
        above = pid
        while (above := parents.get(above, 0)) > 1:
            if above in pids:
                yield pid
                break


def _parents() -> Iterator[tuple[int, int]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            yield int(stat.parent.name), int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])


if __name__ == "__main__":
    main()
