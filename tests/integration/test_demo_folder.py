"""The demo's folder: nothing that the demo did not write is ever taken away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from flows.demo import demo
from flows.errors import PlanError

ROOT = Path(__file__).parents[2]


class Begun(Exception):
    """The demo's folder is ready, and the demo goes on."""


@pytest.fixture(autouse=True)
def only_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each demo ends where it would write its share."""

    def begun(root: Path) -> NoReturn:
        raise Begun(root)

    monkeypatch.setattr(demo, "build_share", begun)


def begin(folder: Path) -> None:
    """Run the demo as far as its share."""
    with pytest.raises(Begun):
        demo.run_demo(folder)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that holds anything is refused, the current one too, and all in it stays."""
    (tmp_path / "only-copy.txt").write_text("x")
    (tmp_path / "share").mkdir()
    monkeypatch.chdir(tmp_path)

    for folder in (tmp_path, Path()):
        with pytest.raises(PlanError, match="holds files that no demo wrote"):
            demo.run_demo(folder)

    assert ["only-copy.txt", "share"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    """A file is no folder for the demo, and stays."""
    (tmp_path / "demo").write_text("x")

    with pytest.raises(PlanError, match="cannot be used for the demo"):
        demo.run_demo(tmp_path / "demo")
    assert "x" == (tmp_path / "demo").read_text()


@pytest.mark.parametrize("name", ["new/er", "empty"])
def test_a_new_or_empty_folder_becomes_the_demos(tmp_path: Path, name: str) -> None:
    """The demo marks it, so that the next one may begin there again."""
    (tmp_path / "empty").mkdir()

    begin(tmp_path / name)

    assert [demo.MARKER] == [path.name for path in (tmp_path / name).iterdir()]


def test_the_next_demo_takes_away_what_the_last_one_made_and_no_more(tmp_path: Path) -> None:
    """Share, state and report are new each time; a file put beside them stays, and so does what a link leads to."""
    begin(tmp_path / "demo")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("x")
    for name in ("share", "demo-report"):
        (tmp_path / "demo" / name / "in").mkdir(parents=True)
    for name in ("plan.yaml", "demo.db", "demo.db-wal", "box_config.json", "notes.txt"):
        (tmp_path / "demo" / name).write_text("x")
    (tmp_path / "demo" / "samba").symlink_to(outside)

    begin(tmp_path / "demo")

    assert [demo.MARKER, "notes.txt"] == sorted(path.name for path in (tmp_path / "demo").iterdir())
    assert "x" == (outside / "kept.txt").read_text()


def test_the_command_refuses_with_one_line(tmp_path: Path) -> None:
    """`boxhaul demo --folder` with a folder in use: exit code 2, and one line that names it."""
    (tmp_path / "only-copy.txt").write_text("x")

    ended = subprocess.run(
        [sys.executable, "-m", "flows.cli", "demo", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )

    assert 2 == ended.returncode, ended.stderr
    assert 1 == ended.stderr.count("\n")
    assert str(tmp_path) in ended.stderr
    assert (tmp_path / "only-copy.txt").is_file()
