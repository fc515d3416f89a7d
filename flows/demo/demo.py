"""The demo: a sample share, a local Box, a migration that is killed and goes on, a report. Uses the real commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

import requests
import yaml
from rich.console import Console
from rich.rule import Rule

from flows.demo.share import LARGE_FILE_BYTES, Share, build_share, serve_share
from flows.demo.warden import WARDEN
from flows.run.own_folder import clear_own_folder, take_own_folder

#: The demo's first file in its folder: only where it lies is anything taken away.
MARKER = ".boxhaul-demo"

#: What an earlier demo left and the next one makes anew; what somebody else put beside it stays.
MADE = ("share", "samba", "box_config.json", "plan.yaml", "demo.db*", "demo-report")

#: Box's minute, made shorter in the demo so that its limits can be watched at work.
WINDOW_SECONDS = 6.0

#: The sandbox answers like something far away, so that there is something to interrupt.
LATENCY_SECONDS = 0.02
BYTES_PER_SECOND = 12_000_000

#: Parts of the large file in Box before the migration is killed.
PARTS_BEFORE_KILL = 3

#: Nothing in the demo may take longer, on a slow machine either.
PATIENCE_SECONDS = 600.0

#: The route that takes one part of a large file, and the size of a part that the sandbox asks for.
PART, PART_SIZE_BYTES = "PUT /files/upload_sessions/:id", 8 << 20

EDITOR = "ann@example.com"


@dataclass(frozen=True)
class LocalBox:
    """The sandbox as the demo sees it."""

    url: str
    config: dict[str, Any]

    def get(self, what: str) -> Any:
        """One of the sandbox's own pages, which do not count as Box calls."""
        return requests.get(f"{self.url}/_sandbox/{what}", timeout=10).json()

    def post(self, what: str, body: dict[str, Any]) -> None:
        """Change a setting of the sandbox."""
        requests.post(f"{self.url}/_sandbox/{what}", json=body, timeout=10).raise_for_status()


def run_demo(folder: Path) -> int:
    """Do it all under `folder`; the exit code of the migration. PlanError when the folder is somebody else's."""
    console = Console(stderr=False)
    folder = folder.resolve()
    take_own_folder(folder, MARKER, said_by="demo")
    clear_own_folder(folder, MADE, said_by="demo")
    with ExitStack() as stack:
        console.print(Rule("1  A file share", align="left"))
        files = build_share(folder / "share")
        share = stack.enter_context(serve_share(folder / "share", folder / "samba"))
        console.print(f"{files:,} files in {share.url}\n[dim]{share.comment}[/dim]")
        console.print(
            Rule("2  A local Box with Box's limits, one of its minutes lasting 6 seconds", align="left")
        )
        box = stack.enter_context(_local_box(folder))
        console.print(f"listening on {box.url}")
        plan = _write_plan(folder, share, box)
        console.print(f"the plan: {plan}", markup=False)
        console.print(Rule("3  Migrate, and kill -9 in the middle of a large file", align="left"))
        _migrate_and_kill(plan, share, box, console)
        console.print(Rule("4  The same command again", align="left"))
        code = _migrate(plan, share).wait()
        _tell_result(box, console)
        console.print(Rule("5  The report", align="left"))
        _boxhaul("report", str(plan), share=share).wait()
    return code


@contextmanager
def _local_box(folder: Path) -> Iterator[LocalBox]:
    config = folder / "box_config.json"
    process = _boxhaul("sandbox", "--config", str(config), stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None  # noqa: S101
        process.stdout.readline()
        document = json.loads(config.read_text())
        box = LocalBox(url=document["base_url"], config=document)
        box.post("limits", {"window_seconds": WINDOW_SECONDS, "latency_seconds": LATENCY_SECONDS})
        box.post("limits", {"bytes_per_second": BYTES_PER_SECOND})
        box.post("users", {"login": EDITOR, "name": "Ann Example"})
        yield box
    finally:
        process.terminate()
        process.wait(timeout=20)


def _write_plan(folder: Path, share: Share, box: LocalBox) -> Path:
    source: dict[str, Any] = {"url": share.url}
    if share.username:
        source |= {"username": share.username, "password": "${DEMO_SHARE_PASSWORD}", "port": share.port}
    plan = {
        "name": "demo",
        "source": source,
        "box": {
            "auth": {"method": "jwt", "config_file": "box_config.json"},
            "base_url": box.config["base_url"],
            "upload_url": box.config["upload_url"],
            "limits": {"window_seconds": WINDOW_SECONDS},
        },
        "state_url": "sqlite:///demo.db",
        "trees": [
            {"source": "Accounting", "collaborators": [{"login": EDITOR, "role": "editor"}]},
            {"source": "Engineering", "collaborators": [{"login": EDITOR, "role": "viewer"}]},
            {"source": "Legal"},
        ],
    }
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(plan, sort_keys=False))
    return path


def _migrate_and_kill(plan: Path, share: Share, box: LocalBox, console: Console) -> None:
    process = _migrate(plan, share)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        calls = box.get("calls")["by_route"]
        if calls.get(PART, 0) >= PARTS_BEFORE_KILL:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    parts = box.get("calls")["by_route"].get(PART, 0)
    console.print(f"\n[bold red]killed[/bold red] with {parts} parts of the large file sent")


def _tell_result(box: LocalBox, console: Console) -> None:
    calls = box.get("calls")
    statuses = {int(status): count for status, count in calls["by_status"].items()}
    parts = calls["by_route"].get(PART, 0)
    needed = -(-LARGE_FILE_BYTES // PART_SIZE_BYTES)
    console.print(
        f"the large file has {needed} parts; sent over both runs: {parts}\n"
        f"answers 429 (too many requests): {statuses.get(429, 0)}; Box calls in all: {calls['total']:,}"
    )


def _migrate(plan: Path, share: Share) -> subprocess.Popen[bytes]:
    return _boxhaul("migrate", str(plan), share=share)


def _boxhaul(
    *arguments: str, share: Share | None = None, stdout: int | None = None
) -> subprocess.Popen[bytes]:
    environment = os.environ | ({"DEMO_SHARE_PASSWORD": share.password} if share else {})
    process = subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", resolve_name("..cli", __package__), *arguments], env=environment, stdout=stdout
    )
    WARDEN.watch(process.pid)
    return process
