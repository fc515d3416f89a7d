"""Victims: the program as processes that can be killed at a place, at a call of the sandbox, or at an instant."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.control.faults import Effect, Fault
from tests.forking import Forked
from tests.program import Finished, Program
from tests.torture.points import Kill

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
    """The program as processes that die as told, one at a time."""

    def __init__(self) -> None:
        self._victim: Forked | None = None

    def __enter__(self) -> Victims:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A process that still runs is killed."""
        self.kill()
        if self._victim is not None:
            self._victim.communicate(PATIENCE)

    def start(
        self,
        program: Program,
        *arguments: str,
        crash: str = "never",
        counts: Path | None = None,
        signals: Path | None = None,
    ) -> None:
        """Begin a command on the plan."""
        told = [crash, str(counts or ""), str(signals or "")]
        words = [arguments[0], str(program.plan_path), *arguments[1:]]
        environment = {**os.environ, **program.environment}
        self._victim = Forked([*told, "--", *words], environment, entry="tests.torture.crashing:main")

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the running command, if it still runs."""
        if self._victim is not None:
            self._victim.send_signal(how)

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
        victim = self._victim
        assert victim is not None
        try:
            stdout, stderr = victim.communicate(PATIENCE)
        except subprocess.TimeoutExpired:
            victim.kill()
            raise
        self._victim = None
        return Finished(victim.wait(), stdout, stderr)

    def run(
        self, program: Program, *arguments: str, crash: str = "never", counts: Path | None = None
    ) -> Finished:
        """A command on the plan from start to end."""
        self.start(program, *arguments, crash=crash, counts=counts)
        return self.finish()

    def status(self, program: Program) -> dict[str, Any]:
        """`boxhaul status --json`; no tree where it says that nothing is known of the plan yet."""
        finished = self.run(program, "status", "--json")
        if finished.code == 2 and "nothing is known of the plan" in finished.stderr:
            return {"trees": []}
        assert finished.stdout, finished
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

    def runs(self) -> bool:
        """True while the command does."""
        return self._victim is not None and self._victim.poll() is None


def settle(box: Sandbox) -> None:
    """Two round trips: what a dead process had sent has been answered to nobody by then."""
    for _ in range(2):
        with urllib.request.urlopen(f"{box.url}/_sandbox/calls", timeout=PATIENCE) as answer:
            answer.read()
