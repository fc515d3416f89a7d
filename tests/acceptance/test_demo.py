"""`make demo` as its user sees it: killed, resumed, complete, and nothing left running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from tests.servers import require
from tests.servers.samba import HINT

ROOT = Path(__file__).parents[2]


def test_demo_is_killed_resumed_and_complete(tmp_path: Path) -> None:
    """The demo kills its migration, goes on without sending a part twice, shares, reports, and ends with 0."""
    require("smbd", HINT)
    folder = tmp_path / "demo"
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "demo", "--folder", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    output, _ = process.communicate(timeout=240)

    assert 0 == process.returncode, output
    assert "a real Samba server" in output
    assert "parts of the large file sent" in output
    assert "the large file has 11 parts; sent over both runs: 11" in output
    assert "answers 429 (too many requests): 0" in output
    assert 3 == output.count("complete │")
    assert (folder / "demo-report" / "report.html").is_file()
    left = [
        each
        for each in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(each.info["cmdline"] or [])
    ]
    assert [] == left
