"""Filters of a plan exclude by a rule that is told; filters of a run send a part, and change nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import report_items, sums_add_up
from tests.program import Program, program_for
from tests.trees import build_tree

DAY = 86_400

SHAPE: dict[str, Any] = {
    "A": {
        "a.txt": b"a" * 3000,
        "a.tmp": b"t",
        "old.txt": b"o",
        "sub": {"b.txt": b"b", "deep": {"c.doc": b"c"}},
    },
    "B": {"b.doc": b"b" * 3000, "empty": {}},
}


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Two trees; one file is old."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, SHAPE)
    os.utime(root / "A/old.txt", (time.time() - 100 * DAY,) * 2)
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """A plan of the two trees."""
    trees = [
        {"source": "A", "collaborators": [{"login": "ann@example.com", "role": "viewer"}]},
        {"source": "B"},
    ]
    return program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)


def standing(program: Program) -> dict[str, tuple[str, str | None, int, int]]:
    """By tree: state, why not complete, entries that are uploaded, and that are pending."""
    return {
        tree["name"]: (tree["state"], tree["incomplete_reason"], tree["items"]["uploaded"], tree["items"]["pending"])
        for tree in program.status()["trees"]
    }  # fmt: skip


def test_filters_of_a_plan_exclude(program: Program, box: Sandbox, share: Path) -> None:
    """What they leave out is excluded with the rule as its reason, folders as a whole; the trees are complete."""
    rules = "# temporary\n- *.tmp\n- /A/sub/deep/**\n"
    program.write_plan(filters={"rules": rules, "max_age": "30d"})
    finished = program.run("migrate")
    again = program.run("migrate")
    sums_add_up(program)
    lines = report_items(program)
    verified = program.run("verify", "--source")

    assert (0, 0, 0) == (finished.code, again.code, verified.code), finished.output + verified.output
    assert {"A/a.txt", "A/sub/b.txt", "B/b.doc"} == set(box.files())
    reasons = {path: line["reason"] for path, line in lines.items() if line["status"] == "excluded"}
    assert {
        "A/a.tmp": "rule: filters, - *.tmp",
        "A/sub/deep": "rule: filters, - /A/sub/deep/**",
        "A/old.txt": "rule: filters, not modified within 30d",
    } == reasons


@pytest.mark.parametrize(
    ("flags", "sent"),
    [
        (["--include", "*.txt"], {"A/a.txt", "A/old.txt", "A/sub/b.txt"}),
        (["--exclude", "/A/**"], {"B/b.doc"}),
        (["--filter-from", "FILE"], {"A/sub/b.txt"}),
        (["--include", "*.TXT", "--ignore-case", "--max-size", "1k"], {"A/old.txt", "A/sub/b.txt"}),
        (["--min-size", "2K"], {"A/a.txt", "B/b.doc"}),
        (["--min-age", "50d"], {"A/old.txt"}),
        (["--max-age", "50d", "--exclude", "*.{tmp,doc}"], {"A/a.txt", "A/sub/b.txt"}),
    ],
)
@pytest.mark.gate(4)
def test_a_run_sends_what_its_filters_let_through(
    program: Program, box: Sandbox, flags: list[str], sent: set[str]
) -> None:
    """The rest is pending, its tree is not complete, and nobody is let in; a run without them sends it."""
    rules = program.folder / "filter.txt"
    rules.write_text("- /A/sub/deep/**\n+ /A/sub/**\n- *\n", encoding="utf-8")
    finished = program.run("migrate", *[str(rules) if flag == "FILE" else flag for flag in flags])
    some, trees, granted = set(box.files()), standing(program), box.collaborations()
    sums_add_up(program)
    rest = program.run("migrate")

    assert (1, sent) == (finished.code, some), finished.output
    assert f"{6 - len(sent)} files (" in finished.output
    assert "left out by the filters of the run; without them: boxhaul migrate" in finished.output
    for name, (state, reason, _, pending) in trees.items():
        left = {"A/a.txt", "A/a.tmp", "A/old.txt", "A/sub/b.txt", "A/sub/deep/c.doc", "B/b.doc"} - sent
        if any(path.startswith(f"{name}/") for path in left):
            assert ("incomplete", "files left out") == (state, reason)
            assert pending
    if "files left out" == trees["A"][1]:
        assert [] == granted
    assert 0 == rest.code, rest.output
    assert {"complete"} == {tree["state"] for tree in program.status()["trees"]}
    assert 6 == len(box.files())


def test_what_is_outside_stays_as_it_is(program: Program, box: Sandbox, share: Path) -> None:
    """Uploaded stays uploaded, nothing goes to the trash, what is gone stays in Box, and what changed waits."""
    program.write_plan(changes={"deletions": "trash", "max_delete": "100%"})
    assert 0 == program.run("migrate").code
    before = {path: file.id for path, file in box.files().items()}
    (share / "A/a.txt").unlink()
    (share / "A/sub/b.txt").write_bytes(b"changed, and outside")
    (share / "B/b.doc").write_bytes(b"changed, and inside")
    uploads = box.calls.by_route["POST /files/:id/content"]
    finished = program.run("migrate", "--include", "*.doc")
    sent = box.calls.by_route["POST /files/:id/content"] - uploads
    items = report_items(program)
    then, trees = set(box.files()), standing(program)
    rest = program.run("migrate")

    assert (1, 1) == (finished.code, sent), finished.output
    assert "a run with filters follows no deletions" in finished.output
    assert set(before) == then
    assert "gone" == items["A/a.txt"]["status"]
    assert {"uploaded"} == {
        items[path]["status"] for path in ("A/a.tmp", "A/old.txt", "A/sub/deep/c.doc", "B/b.doc")
    }
    assert ("incomplete", "files left out") == trees["A"][:2]
    assert "complete" == trees["B"][0]
    assert 0 == rest.code, rest.output
    assert set(before) - {"A/a.txt"} == set(box.files())


def test_include_before_exclude_is_told(program: Program, box: Sandbox) -> None:
    """Whoever says both learns which is read first."""
    finished = program.run("migrate", "--include", "/A/*", "--exclude", "*.tmp")
    assert {"A/a.txt", "A/a.tmp", "A/old.txt"} == set(box.files())
    assert "--include is read before --exclude" in finished.stderr


def test_nothing_left_out_completes(program: Program) -> None:
    """A filter that lets all of a tree through is no reason to wait."""
    finished = program.run("migrate", "--include", "**")
    assert 0 == finished.code, finished.output
    assert "left out" not in finished.output


def test_failures_outside_are_not_tried_again(program: Program, box: Sandbox) -> None:
    """What failed and is let through is tried again, the other failures keep their reason."""
    program.write_plan(transfer={"max_attempts": 1})
    for name in ("a.txt", "c.doc"):
        fault = box.faults.next("POST /files/content").about(name)
        fault.status(403, error="access_denied_insufficient_permissions").times(None)
    first = program.run("migrate")
    box.faults.clear()
    failed = {path for path, line in report_items(program).items() if line["status"] == "failed"}
    finished = program.run("migrate", "--include", "*.doc")
    after = {path for path, line in report_items(program).items() if line["status"] == "failed"}

    assert (1, 1) == (first.code, finished.code)
    assert {"A/a.txt", "A/sub/deep/c.doc"} == failed
    assert {"A/a.txt"} == after


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--filter-from", "nowhere.txt"], "--filter-from: nowhere.txt: No such file"),
        (["--include", "a[b"], "a [ without its ]"),
        (["--min-size", "big"], "--min-size: 'big' is no size"),
        (["--include", "*.a", "--checksum"], "--checksum: a run with filters"),
    ],
)
def test_bad_filters_are_one_line(program: Program, flags: list[str], words: str) -> None:
    """Exit code 2, nothing is begun."""
    finished = program.run("migrate", *flags)
    assert 2 == finished.code
    assert words in finished.stderr
    assert 1 == len(finished.stderr.splitlines())
