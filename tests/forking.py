"""Commands as forks of one process that has imported the program: the imports cost more than a small migration does.

A fork runs what `python -m flows.cli` runs, in a process of its own, or another `module:function` that reads sys.argv.
`Forked` stands where a subprocess.Popen would; `serve` is the other side.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, TextIO

#: What the commands import late.
MODULES = (
    "alembic.command", "alembic.config", "alembic.script", "connectors.sources.smb.filesystem", "flows.check",
    "flows.checks.table", "flows.cli", "flows.collaborate", "flows.commands.cutover", "flows.commands.inventory",
    "flows.commands.simulate", "flows.commands.watch", "flows.migrate", "flows.orchestration.closing",
    "flows.orchestration.configured", "flows.orchestration.foreseeing", "flows.orchestration.run_log",
    "flows.orchestration.terminal", "flows.plan.file", "flows.reporting.report", "flows.reporting.several",
    "flows.reporting.status", "flows.retry", "flows.sharing.tables", "flows.unwaive", "flows.verify", "flows.waive",
    "psycopg", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "xlsxwriter",
)  # fmt: skip
#: What a fork runs.
COMMAND = "flows.cli:main"
#: The root of the checkout.
ROOT = Path(__file__).parents[1]
MESSAGE_BYTES = 1 << 20
START_SECONDS = 120.0


class Forked:
    """A command under way: of subprocess.Popen what tests use of it."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, entry: str = COMMAND
    ) -> None:
        out, err = os.pipe(), os.pipe()
        self._server = fork_server()
        try:
            self.pid = self._server.fork(entry, arguments, environment, out[1], err[1])
        finally:
            os.close(out[1])
            os.close(err[1])
        self.returncode: int | None = None
        #: Unlike its number it never means another process.
        self._handle: int | None = None
        with contextlib.suppress(ProcessLookupError):  # a quick death
            self._handle = os.pidfd_open(self.pid)
        self.stdout: TextIO = os.fdopen(out[0], encoding="utf-8")
        self.stderr: TextIO = os.fdopen(err[0], encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:  # a test that failed does not wait for what it wanted of the process
            self.kill()
        self.stdout.close()
        self.stderr.close()
        self.wait()

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = self._server.ended(self.pid, seconds=0)
        if self.returncode is not None and self._handle is not None:
            os.close(self._handle)
            self._handle = None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has one. subprocess.TimeoutExpired."""
        if self.returncode is None:
            self.returncode = self._server.ended(self.pid, seconds=timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired("boxhaul", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """To a process that still runs."""
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Everything that it prints, once it has ended. subprocess.TimeoutExpired; it may be called again then."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if not hasattr(self, "_readers"):
            self._said = ["", ""]
            self._readers = [
                threading.Thread(target=self._read, args=(number, file), daemon=True)
                for number, file in enumerate((self.stdout, self.stderr))
            ]
            for reader in self._readers:
                reader.start()
        for reader in self._readers:
            reader.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired("boxhaul", timeout or 0)
        self.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return self._said[0], self._said[1]

    def _read(self, number: int, file: TextIO) -> None:
        with file:
            self._said[number] = file.read()


class ForkServer:
    """The process that has everything imported; it forks commands and tells how they ended. For many threads."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forking", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
            )
        self._imported_with = _read_while_importing(os.environ)
        self._lock = threading.Lock()
        self._codes: dict[int, int] = {}
        self._began: list[int] = []
        self._receive(START_SECONDS)

    def fits(self, environment: Mapping[str, str]) -> bool:
        """False for a command that would have been imported otherwise: it is no fork."""
        return _read_while_importing(environment) == self._imported_with

    def fork(
        self,
        entry: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        stdout: int,
        stderr: int,
    ) -> int:
        """Begin a command; its process id."""
        told = {"entry": entry, "arguments": list(arguments), "environment": dict(environment)}
        request = json.dumps(told).encode()
        with self._lock:
            socket.send_fds(self._ours, [request], [stdout, stderr])
            while not self._began:
                self._receive(START_SECONDS)
            return self._began.pop()

    def ended(self, pid: int, *, seconds: float | None) -> int | None:
        """The exit code of a command, waiting at most so long; None while it runs."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            with self._lock:
                self._receive(0.0)
                if pid in self._codes:
                    return self._codes.pop(pid)
            if deadline is not None and time.monotonic() >= deadline:
                return None
            left = 0.05 if deadline is None else max(0.0, min(0.05, deadline - time.monotonic()))
            select.select([self._ours], [], [], left)

    def close(self) -> None:
        """End the server; a command that runs goes on."""
        self._ours.close()
        self._process.wait(10)

    def _receive(self, seconds: float) -> None:
        """Every message that is there; at least one, when it may wait."""
        while select.select([self._ours], [], [], seconds)[0]:
            message = self._ours.recv(MESSAGE_BYTES)
            if not message:
                raise RuntimeError(f"the fork server has ended: {self._process.wait(10)}")
            word, number, *code = json.loads(message)
            if word == "began":
                self._began.append(number)
            elif word == "ended":
                self._codes[number] = code[0]
            if seconds:
                return
        if seconds:
            raise RuntimeError(f"the fork server says nothing for {seconds:.0f} seconds")


@functools.cache
def fork_server() -> ForkServer:
    """The one of this test process."""
    server = ForkServer()
    atexit.register(server.close)
    return server


def _read_while_importing(environment: Mapping[str, str]) -> dict[str, str]:
    """What Prefect looks at when it is imported."""
    return {name: value for name, value in environment.items() if name.startswith("PREFECT_")}


# --- the server's side ---


def serve(control: socket.socket) -> str:
    """Fork a command for each message, and tell how each ends, until nobody asks any more.

    Returns in each fork, with the place of what it shall run.
    """
    for module in MODULES:
        importlib.import_module(module)
    importlib.import_module("flows.cli").command()
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"{threads} threads after the imports; a fork of them is no fresh program")
    # Else each fork looks at every imported object when it ends: longer than a small migration lasts.
    gc.collect()
    gc.freeze()
    woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    _say(control, "ready", 0)
    running: set[int] = set()
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_the_ended(control, running)
        if control in ready:
            message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 2)
            if not message:
                # Whoever asked is gone, perhaps by kill -9: nobody waits for what still runs.
                for pid in running:
                    os.kill(pid, signal.SIGKILL)
                sys.exit(0)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for descriptor in (woken, wakes):
                    os.close(descriptor)
                control.close()
                return _become(json.loads(message), descriptors)
            running.add(pid)
            _say(control, "began", pid)
            for descriptor in descriptors:
                os.close(descriptor)


def _tell_the_ended(control: socket.socket, running: set[int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            running.discard(pid)
            _say(control, "ended", pid, os.waitstatus_to_exitcode(status))


def _say(control: socket.socket, word: str, *numbers: int) -> None:
    control.send(json.dumps([word, *numbers]).encode())


def _become(request: dict[str, Any], descriptors: Sequence[int]) -> str:
    """This process is the command from now on."""
    for place, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = ["boxhaul", *request["arguments"]]
    sys.modules["__main__"].__package__ = None  # else the program takes this module for its name
    return str(request["entry"])


def _run(command: Callable[[], object]) -> NoReturn:
    """Run it, and what the interpreter does at its end, but for one thing: no object is taken apart.

    That touches, and so copies, every page of what was imported: it takes as long as a short command. An exception that
    nobody foresaw goes the interpreter's own way.
    """
    code: object = 0
    try:
        command()
    except SystemExit as exc:
        code = exc.code
    if not isinstance(code, int | None):
        sys.exit(str(code))
    threading._shutdown()  # type: ignore[attr-defined]  # what waits for the other threads; it has no public name
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def main() -> NoReturn:
    """Started by ForkServer: `forking DESCRIPTOR`."""
    with socket.socket(fileno=int(sys.argv[1])) as control:
        module, _, function = serve(control).partition(":")
    _run(getattr(importlib.import_module(module), function))


if __name__ == "__main__":
    main()
