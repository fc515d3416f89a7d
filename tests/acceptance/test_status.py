"""Status of several plans in one table, and again and again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from connectors.box.sandbox import Sandbox
from flows.cli import app, proving
from tests.program import Program, program_for
from tests.trees import build_tree


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Program:
    """A plan that was run, beside one that was not, and what is no plan at all."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {"a.txt": b"a" * 3000}, "B": {"b.txt": b"b"}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}])
    assert 0 == program.run("migrate").code
    text = program.plan_path.read_text(encoding="utf-8")
    (program.folder / "second.yml").write_text(text.replace("name: test", "name: second"), encoding="utf-8")
    (program.folder / "torn.yaml").write_text("name: [\n", encoding="utf-8")
    return program


def test_a_folder_of_plans(program: Program) -> None:
    """Each has a row: where it stands, or what is wrong with it. What is wrong with one hides no other."""
    words = ["status", str(program.folder)]
    table = subprocess.run(
        [sys.executable, "-m", "flows.cli", *words],
        env={**os.environ, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )
    as_json = subprocess.run(
        [sys.executable, "-m", "flows.cli", *words, "--json"], capture_output=True, text=True, check=False
    )
    plans = json.loads(as_json.stdout)["plans"]
    files = [Path(each["file"]).name for each in plans]

    assert (0, 0) == (table.returncode, as_json.returncode), table.stderr
    assert ["plan.yaml", "second.yml", "torn.yaml"] == files
    assert 1 == plans[0]["totals"]["files"]["uploaded"]
    assert "nothing is known of the plan second yet" in plans[1]["error"]
    assert "is not YAML" in plans[2]["error"]
    assert "1 of 1 tree complete" in table.stdout
    assert "is not YAML" in table.stdout


def test_several_files(program: Program) -> None:
    """One document as ever for one plan; a list for two; code 2 where nothing can be shown at all."""
    other = str(program.folder / "second.yml")
    both = program.run("status", other, "--json")
    document = json.loads(both.stdout)
    bad = subprocess.run(
        [sys.executable, "-m", "flows.cli", "status", other, str(program.folder / "torn.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ["test", None] == [each["plan"] for each in document["plans"]]
    assert "trees" in program.status()
    assert 2 == bad.returncode


def test_watch_shows_what_changes(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look after look, as long apart as was said, until somebody ends it."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "flows.cli",
            "status",
            str(program.plan_path),
            "--watch",
            "--every",
            "0.2",
            "--json",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        program.write_plan(trees=[{"source": "A"}, {"source": "B"}])
        deadline = time.monotonic() + 60
        while ["B"] != json.loads(process.stdout.readline())["not_begun"]:
            assert time.monotonic() < deadline
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert [] == first["not_begun"]
    assert 130 == process.returncode

    pauses = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(proving, "time", SimpleNamespace(sleep=sleep))
    CliRunner().invoke(app, ["status", str(program.plan_path), "--watch", "--every", "0.7"])
    assert [0.7] == pauses
