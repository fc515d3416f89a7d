"""The bandwidth of a plan holds for all of its processes together, and is used."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from state.checkpoint import Checkpoint

SENDER = Path(__file__).with_name("bandwidth_sender.py")
MB = 1024**2


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """A Box without limits of its own."""
    with Sandbox() as running:
        yield running


def config_of(box: Sandbox, folder: Path) -> Path:
    """A Box configuration of the sandbox, without limits of calls."""
    box.write_config(folder / "key.json")
    limits = {"uploads_per_minute": 100_000, "calls_per_minute": 400_000}
    document = {
        "auth": {"method": "jwt", "config_file": "key.json"},
        "base_url": box.url,
        "upload_url": box.upload_url,
        "limits": limits,
    }
    path = folder / "box.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def measured(box: Sandbox, folder: Path, *, processes: int, rate: str, seconds: float) -> float:
    """Bytes a second that arrive from so many processes, once all of them send."""
    url = f"sqlite:///{folder}/state.db"
    with Checkpoint.open(url) as checkpoint:
        plan_id = checkpoint.ensure_plan(name="p", source_url="file:///s", landing_folder_id="0")
    command = [sys.executable, "-m", "tests.torture.bandwidth_sender", url, str(plan_id), rate]
    command.append(str(config_of(box, folder)))
    senders = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(processes)]
    try:
        deadline = time.monotonic() + 120
        # Each process has sent something: the names of its files begin with its number.
        while len({path.partition("-")[0] for path in box.files()}) < processes:
            assert time.monotonic() < deadline, "the senders never began"
            time.sleep(0.05)
        began, before = time.monotonic(), box.calls.bytes_received
        time.sleep(seconds)
        return (box.calls.bytes_received - before) / (time.monotonic() - began)
    finally:
        for sender in senders:
            assert sender.stdin is not None
            sender.stdin.close()
        for sender in senders:
            assert 0 == sender.wait(timeout=60)


@pytest.mark.torture
def test_limit_of_four_processes_holds_over_half_a_minute(box: Sandbox, tmp_path: Path) -> None:
    """Within a twentieth, neither more nor less."""
    rate = measured(box, tmp_path, processes=4, rate="2M", seconds=30)
    assert rate == pytest.approx(2 * MB, rel=0.05)


def test_limit_of_two_processes_holds(box: Sandbox, tmp_path: Path) -> None:
    """A sample: never more; less only on a machine that cannot do it."""
    rate = measured(box, tmp_path, processes=2, rate="1M", seconds=5)
    assert 0.5 * MB < rate < 1.15 * MB
