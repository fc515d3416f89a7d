"""The benchmark of the checkpoint does what it says, on a share of a few folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.bench_checkpoint import STAGES, WORDS, run_stage


def test_each_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All files are found, sent once, and then unchanged."""
    for stage in STAGES:
        run_stage(stage, 300, f"sqlite:///{tmp_path}/state.db")
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert list(WORDS) == [each["step"] for each in found]
    counts = {each["step"]: each["entries"] for each in found}
    assert {"first walk": 305, "first make_folders": 6, "send send": 300} == {
        step: counts[step] for step in list(WORDS)[:3]
    }
    assert counts["second walk"] == counts["third walk"] == counts["first walk"]
