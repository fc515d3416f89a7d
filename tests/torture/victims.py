"""Victims: the program as processes that can be killed at a place, at a call of the sandbox, or at an instant."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.faults import Effect, Fault
from tests.program import Finished, Program
from tests.torture.points import Kill

ROOT = Path(__file__).parents[2]
#: Seconds that any run may take.
PATIENCE = 120.0


@dataclass
class SandboxKill(Fault):
    """Kills the caller at the N-th call of a route: before the sandbox acts, or after it and before the answer."""

    kill: Kill = field(default_factory=lambda: Kill("unheard"))
    victim: Victims | None = None

    def strike(self) -> Effect | None:
        """The request is here whole; what follows is done, or not done, for nobody."""
        self.struck += 1
        if self.struck != self.kill.number or self.victim is None:
            return None
        self.victim.kill()
        return Effect(reset="before_effect") if self.kill.when == "unheard" else None

    @property
    def spent(self) -> bool:
        """It stays until the run is over."""
        return False


class Victims:
    """A process that has imported the program and forks one fresh process of it per command."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="boxhaul-victims-")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.crashing", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=ROOT,
        )
        #: Of the running command. Unlike its number it never means another process.
        self._handle: int | None = None

    def __enter__(self) -> Victims:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server; a child that still runs is killed."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        try:
            self._server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
            self._server.kill()
            self._server.wait()
        assert self._server.stdout is not None
        self._server.stdout.close()
        self._folder.cleanup()

    def start(
        self,
        program: Program,
        *arguments: str,
        crash: str = "never",
        counts: Path | None = None,
        signals: Path | None = None,
    ) -> None:
        """Begin a command on the plan."""
        request = {
            "crash": crash,
            "arguments": [arguments[0], str(program.plan_path), *arguments[1:]],
            "environment": program.environment,
            "output": [str(path) for path in self._outputs()],
            "counts": None if counts is None else str(counts),
            "signals": None if signals is None else str(signals),
        }
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        with suppress(ProcessLookupError):  # a quick death
            self._handle = os.pidfd_open(self._answer())

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the running command, if it still runs."""
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, how)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While the block runs the command does not: a suspended machine, a stopped container."""
        self.kill(signal.SIGSTOP)
        try:
            yield
        finally:
            self.kill(signal.SIGCONT)

    def finish(self) -> Finished:
        """Wait for the command; its code is negative when a signal ended it."""
        code = self._answer()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        stdout, stderr = (path.read_text() for path in self._outputs())
        return Finished(code, stdout, stderr)

    def run(
        self, program: Program, *arguments: str, crash: str = "never", counts: Path | None = None
    ) -> Finished:
        """A command on the plan from start to end."""
        self.start(program, *arguments, crash=crash, counts=counts)
        return self.finish()

    def status(self, program: Program) -> dict[str, Any]:
        """`boxhaul status --json`."""
        finished = self.run(program, "status", "--json")
        document: dict[str, Any] = json.loads(finished.stdout)
        return document

    def run_and_kill(self, program: Program, box: Sandbox, kill: Kill) -> Finished:
        """`migrate`, killed as told, if it ever gets there; the sandbox is quiet again afterwards."""
        rule = SandboxKill(kill.where, remaining=None, kill=kill, victim=self)
        if kill.by_sandbox:
            box.faults.rules.append(rule)
        before = box.calls.total
        self.start(program, "migrate", crash=kill.crash)
        if kill.when == "at":
            self._kill_later(box, before, kill.seconds)
        finished = self.finish()
        settle(box)
        if kill.by_sandbox:
            box.faults.rules.remove(rule)
        return finished

    def _kill_later(self, box: Sandbox, calls_before: int, seconds: float) -> None:
        """So long after the first call to Box: the start of a process is no interesting moment."""
        deadline = time.monotonic() + PATIENCE
        while box.calls.total == calls_before and time.monotonic() < deadline and self.runs():
            time.sleep(0.001)
        time.sleep(seconds)
        self.kill()

    def _outputs(self) -> list[Path]:
        return [Path(self._folder.name, name) for name in ("stdout", "stderr")]

    def runs(self) -> bool:
        """True while the command does: a process's handle becomes readable when it ends."""
        return self._handle is not None and not select.select([self._handle], [], [], 0)[0]

    def _answer(self) -> int:
        assert self._server.stdout is not None
        if not select.select([self._server.stdout], [], [], PATIENCE)[0]:
            self.kill()
            self._server.stdout.readline()
            raise TimeoutError(f"a command did not end within {PATIENCE:.0f} s and was killed")
        line = self._server.stdout.readline()
        if not line:
            raise RuntimeError("the server of victims ended")
        return int(line)


def settle(box: Sandbox) -> None:
    """Two round trips: what a dead process had sent has been answered to nobody by then."""
    for _ in range(2):
        with urllib.request.urlopen(f"{box.url}/_sandbox/calls", timeout=PATIENCE) as answer:
            answer.read()
