"""The program as its user runs it: a plan file, a real process, its exit code, output and JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from connectors.box.sandbox import Sandbox
from flows.demo.warden import WARDEN
from tests.forking import ROOT, Forked, fork_server


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Everything it printed."""
        return self.stdout + self.stderr


def fresh(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """`boxhaul` in an interpreter of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    WARDEN.watch(process.pid)
    return process


@dataclass
class Program:
    """`boxhaul` with one plan in one folder."""

    folder: Path
    plan: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def plan_path(self) -> Path:
        """Where the plan file is."""
        return self.folder / "plan.yaml"

    def write_plan(self, **changes: Any) -> None:
        """Write the plan file, after these changes of top-level keys."""
        self.plan |= changes
        self.plan_path.write_text(yaml.safe_dump(self.plan, sort_keys=False), encoding="utf-8")

    def start(self, command: str, *arguments: str) -> subprocess.Popen[str] | Forked:
        """Begin a command on the plan, as a process of its own."""
        words, environment = [command, str(self.plan_path), *arguments], {**os.environ, **self.environment}
        fits = fork_server().fits(environment)
        return Forked(words, environment) if fits else fresh(words, environment)

    def run(self, command: str, *arguments: str, timeout: float = 240) -> Finished:
        """Run a command on the plan to its end."""
        process = self.start(command, *arguments)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Finished(process.returncode, stdout, stderr)

    def kill_when(
        self, condition: Callable[[], bool], command: str = "migrate", *, timeout: float = 120
    ) -> bool:
        """Start a command and SIGKILL it when the condition holds; False when it ended by itself first."""
        process = self.start(command)
        deadline = time.monotonic() + timeout
        try:
            while time.monotonic() < deadline:
                if process.poll() is not None:
                    return False
                if condition():
                    process.send_signal(signal.SIGKILL)
                    return True
                time.sleep(0.005)
            raise AssertionError("the condition for the kill never held")
        finally:
            process.kill()
            process.communicate()

    def status(self) -> dict[str, Any]:
        """`boxhaul status --json`."""
        finished = self.run("status", "--json")
        document: dict[str, Any] = json.loads(finished.stdout)
        return document


def program_for(
    folder: Path,
    box: Sandbox,
    source: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    **plan: Any,
) -> Program:
    """A program whose plan moves this source into this sandbox; further keys of the plan as arguments."""
    folder.mkdir(parents=True, exist_ok=True)
    box.write_config(folder / "box_config.json")
    document = {
        "name": "test",
        "source": dict(source),
        "box": {
            "auth": {"method": "jwt", "config_file": "box_config.json"},
            "base_url": box.url,
            "upload_url": box.upload_url,
            "limits": {"uploads_per_minute": 100_000, "calls_per_minute": 400_000, "backoff_seconds": 0.05},
        },
        "state_url": "sqlite:///state.db",
        **plan,
    }
    program = Program(folder, document, dict(environment or {}))
    program.write_plan()
    return program
