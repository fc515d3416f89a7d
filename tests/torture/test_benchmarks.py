"""Benchmarks: all of them as one run. Their figures say nothing here, only that there are some of each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import names


@pytest.mark.torture
@pytest.mark.timeout(3_600)
def test_all_of_them_in_one_run(tmp_path: Path) -> None:
    """Each table, its JSON and its picture; rclone, Samba and PostgreSQL are real."""
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--out", str(tmp_path)]
    told = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=3_500, check=False
    )

    assert 0 == told.returncode, told.stdout[-3000:]
    assert {f"{name}.{kind}" for name in names() for kind in ("json", "svg")} == {
        file.name for file in tmp_path.iterdir()
    }
