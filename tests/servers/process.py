"""ServerProcess: a real server as a child process with its own private folder. Knows no protocol."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from flows.demo.warden import WARDEN
from tests.servers import wait_for_port


class ServerProcess:
    """Starts a command, waits for its port, stops it by process id, removes its folder."""

    def __init__(self, name: str, port: int) -> None:
        self.port = port
        self.home = Path(tempfile.mkdtemp(prefix=f"boxhaul-{name}-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the server's first process."""
        assert self._process is not None
        return self._process.pid

    def command(self) -> Sequence[str]:
        """The command line, in the foreground."""
        raise NotImplementedError

    def start(self) -> None:
        """Start and wait until it accepts connections."""
        with open(self.home / "output.txt", "ab") as output:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        WARDEN.watch(self.pid, self.home)
        try:
            wait_for_port(self.port, alive=lambda: self.running)
        except RuntimeError as exc:
            self.halt()
            raise RuntimeError(
                f"{exc}: {(self.home / 'output.txt').read_text(errors='replace')[-2000:]}"
            ) from exc

    def halt(self) -> None:
        """End the server and its children, which share its process group."""
        if self._process is None:
            return
        for number, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                break
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        WARDEN.release(self._process.pid)
        self._process = None

    def restart(self) -> None:
        """End it with all its connections and start it again on the same port."""
        self.halt()
        self.start()

    def stop(self) -> None:
        """End it for good and remove its folder."""
        self.halt()
        shutil.rmtree(self.home, ignore_errors=True)
