"""Archiving: a pass moves what nobody touched, and the list of what may go at the source holds what Box has now."""

from __future__ import annotations

import csv
import hashlib
import os
import subprocess
import time
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import report_items, sums_add_up
from tests.program import Program, program_for
from tests.trees import build_tree

YEAR = 365 * 24 * 3600


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Old files and young ones, in two trees."""
    root = tmp_path / "share"
    root.mkdir()
    files = {"old.txt": b"old", "it's old.txt": b"quoted", "young.txt": b"young", "Thumbs.db": b"t"}
    build_tree(root, {"A": {**files, "sub": {"older.txt": b"older"}}, "B": {"b.txt": b"b"}})
    for path in root.rglob("*.*"):
        age = 1 if path.name == "young.txt" else 3
        os.utime(path, (time.time() - age * YEAR,) * 2)
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """A plan that archives, after its first run."""
    trees = [{"source": "A"}, {"source": "B"}]
    program = program_for(
        tmp_path / "run",
        box,
        {"url": share.as_uri()},
        trees=trees,
        archive={"untouched": "2y", "by": "modified"},
    )
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    return program


def removable(program: Program) -> tuple[dict[str, dict[str, str]], Path, str]:
    """Path → row of the list; the script; what was said beside."""
    out = program.folder / "gone.csv"
    finished = program.run("report", "--removable", str(out))
    assert 0 == finished.code, finished.output
    assert [str(out), str(out.with_suffix(".sh"))] == finished.stdout.splitlines()
    with out.open(newline="", encoding="utf-8") as file:
        return {row["path"]: row for row in csv.DictReader(file)}, out.with_suffix(".sh"), finished.stderr


def test_only_what_nobody_touched_moves(program: Program, box: Sandbox, share: Path) -> None:
    """The young file is excluded by the plan's rule, told and counted; once it is old, it moves."""
    sums_add_up(program)
    lines = report_items(program)
    moved = set(box.files())
    page = (program.folder / "test-report/report.html").read_text(encoding="utf-8")
    os.utime(share / "A/young.txt", (time.time() - 3 * YEAR,) * 2)
    again = program.run("migrate")

    assert {"A/old.txt", "A/it's old.txt", "A/sub/older.txt", "B/b.txt"} == moved
    young = lines["A/young.txt"]
    assert ("excluded", "rule: archive, modified within 2y") == (young["status"], young["reason"])
    assert "rule: archive, modified within 2y" in page
    assert (0, {*moved, "A/young.txt"}) == (again.code, set(box.files())), again.output


def test_what_may_go(program: Program, box: Sandbox, share: Path) -> None:
    """The list has each file with its proofs; the script removes those alone, and not what was changed meanwhile."""
    rows, script, said = removable(program)
    old = rows["A/old.txt"]
    file = box.files()["A/old.txt"]
    (share / "B/b.txt").write_bytes(b"changed after the list")
    shown = subprocess.run(["sh", str(script), str(share)], capture_output=True, text=True, check=False)
    finished = subprocess.run(
        ["sh", str(script), str(share), "--remove"], capture_output=True, text=True, check=False
    )

    assert {"A/old.txt", "A/it's old.txt", "A/sub/older.txt", "B/b.txt"} == set(rows)
    assert (digest_of(b"old"), file.id, "3") == (old["sha1"], old["box_id"], old["size"])
    assert all(old[column] for column in ("box_version_id", "modified", "uploaded_at", "verified_at"))
    assert "4 files may be removed" in said
    assert (1, 1) == (shown.returncode, finished.returncode), finished.stderr
    assert {"A/old.txt", "A/it's old.txt", "A/sub/older.txt"} == set(finished.stdout.splitlines())
    left = {path.relative_to(share).as_posix() for path in share.rglob("*") if path.is_file()}
    assert {"A/young.txt", "A/Thumbs.db", "B/b.txt"} == left
    assert 0o600 == script.stat().st_mode & 0o777


def test_what_box_does_not_have_any_more(program: Program, box: Sandbox) -> None:
    """Edited, moved or deleted in Box since: not on the list, counted by the reason. Asked is one listing a folder."""
    ids = {path: entry["id"] for path, entry in box.tree().items()}
    person = box.person()
    person.edit(ids["A/old.txt"], b"newer")
    person.move(ids["A/it's old.txt"], ids["B"])
    person.trash(ids["A/sub"])
    box.calls.reset()
    rows, _, said = removable(program)

    assert {"B/b.txt"} == set(rows)
    assert "1 file not: another content in Box by now" in said
    assert "1 file not: not in its folder in Box any more" in said
    assert "1 file not: its folder in Box cannot be listed" in said
    assert 3 == box.calls.by_route["GET /folders/:id/items"]


def test_tree_that_is_not_complete(program: Program, share: Path) -> None:
    """Of a tree that is not complete nothing may go yet: its people are not in."""
    (share / "B/bad").symlink_to("nowhere")
    os.mkfifo(share / "B/pipe")
    assert 1 == program.run("migrate").code
    rows, _, said = removable(program)

    assert {"A/old.txt", "A/it's old.txt", "A/sub/older.txt"} == set(rows)
    assert "1 file not: its tree is not complete" in said


def test_before_the_first_run(program: Program, box: Sandbox, tmp_path: Path) -> None:
    """Nothing to list, nothing written: 2. A folder that is not there: 2."""
    other = program_for(tmp_path / "other", box, program.plan["source"])
    ends = [
        other.run("report", "--removable", str(tmp_path / "x.csv")).code,
        program.run("report", "--removable", str(tmp_path / "no/where/x.csv")).code,
    ]

    assert ([2, 2], False) == (ends, (tmp_path / "x.csv").exists())


def digest_of(content: bytes) -> str:
    """SHA-1 of these bytes as hex."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def test_by_last_access(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """What somebody read stays; what was moved is not taken back for having been read since."""
    for path in share.rglob("*.*"):
        os.utime(path, (time.time() - 3 * YEAR,) * 2)
    os.utime(share / "A/young.txt", (time.time() - YEAR, time.time() - 3 * YEAR))
    archive = {"untouched": "2y", "by": "accessed"}
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, archive=archive)
    assert 0 == program.run("migrate").code
    moved = set(box.files())
    read = share / "A/old.txt"
    os.utime(read, ns=(time.time_ns(), read.stat().st_mtime_ns))
    (share / "A/another.txt").write_bytes(b"new")

    again = program.run("migrate")

    assert 0 == again.code, again.output
    assert {"A/old.txt", "A/it's old.txt", "A/sub/older.txt", "B/b.txt"} == moved == set(box.files())
    lines = report_items(program)
    assert ("excluded", "rule: archive, accessed within 2y") == (
        lines["A/young.txt"]["status"],
        lines["A/young.txt"]["reason"],
    )
    assert "uploaded" == lines["A/old.txt"]["status"]
