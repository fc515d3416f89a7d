"""`migrate --since`: a pass that looks only at what changed lately, and is never taken for a whole one."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, digest, report_items, sums_add_up
from tests.program import Program, program_for
from tests.trees import build_tree


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, {"A": {"a.txt": b"a", "b.txt": b"b", "sub": {"c.txt": b"c"}}})
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program, which has not run yet."""
    return program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "A"}])


def now() -> str:
    """This moment, later than whatever was written before and earlier than what comes; a disk's clock is coarse."""
    time.sleep(0.05)
    moment = datetime.now(UTC).isoformat()
    time.sleep(0.05)
    return moment


def test_only_what_is_recent_is_looked_at(program: Program, box: Sandbox, share: Path) -> None:
    """Older changes and deletions wait for the next whole pass, which finds them; a complete tree stays complete."""
    assert 0 == program.run("migrate").code
    as_of = program.status()["trees"][0]["as_of"]
    (share / "A/a.txt").write_bytes(b"older change")
    (share / "A/sub/older.txt").write_bytes(b"older")
    (share / "A/b.txt").unlink()
    moment = now()
    (share / "A/sub/c.txt").write_bytes(b"recent change")
    (share / "A/recent.txt").write_bytes(b"recent")

    finished = program.run("migrate", "--since", moment)

    assert 0 == finished.code, finished.output
    assert "quick pass: only what changed since" in finished.stdout
    assert "3 older or moved entries wait" in finished.stdout
    assert "complete (a quick pass): " in finished.stderr
    assert {"A/a.txt", "A/b.txt", "A/sub/c.txt", "A/recent.txt"} == set(box.files())
    lines = report_items(program)
    assert "A/sub/older.txt" not in lines
    assert {"uploaded"} == {line["status"] for line in lines.values()}
    assert digest(share / "A/sub/c.txt") == lines["A/sub/c.txt"]["sha1"]
    document = sums_add_up(program)
    assert ("quick", "complete", as_of) == (
        document["pass_kind"],
        document["trees"][0]["state"],
        document["trees"][0]["as_of"],
    )

    build_tree(share, {"B": {"b.txt": b"b"}})
    program.write_plan(trees=[{"source": "A"}, {"source": "B"}])
    assert 0 == program.run("migrate", "--tree", "B").code
    assert as_of == program.status()["trees"][0]["as_of"], (
        "a whole pass of another tree says nothing of this one"
    )

    whole = program.run("migrate")

    assert 0 == whole.code, whole.output
    assert "quick pass" not in whole.stdout
    lines = report_items(program)
    assert ("gone", "uploaded") == (lines["A/b.txt"]["status"], lines["A/sub/older.txt"]["status"])
    assert digest(share / "A/a.txt") == lines["A/a.txt"]["sha1"]


def test_tree_that_no_whole_pass_completed_is_not_complete(
    program: Program, box: Sandbox, share: Path
) -> None:
    """Not even when everything of it was looked at; nobody is let in."""
    program.write_plan(
        trees=[{"source": "A", "collaborators": [{"login": "ann@example.com", "role": "viewer"}]}]
    )

    finished = program.run("migrate", "--since", "1d")

    assert 1 == finished.code, finished.output
    tree = program.status()["trees"][0]
    assert ("incomplete", "quick pass") == (tree["state"], tree["incomplete_reason"])
    assert not box.core.store.collaborations
    whole = program.run("migrate")
    assert 0 == whole.code, whole.output
    assert 1 == len(box.core.store.collaborations)
    assert_arrived(program, box, share)


def test_folder_that_is_gone_keeps_its_state(program: Program, box: Sandbox, share: Path) -> None:
    """Whatever plan there is for deletions, a quick pass deletes nothing, and the next whole one does."""
    program.write_plan(changes={"deletions": "trash", "max_delete": "100%"})
    assert 0 == program.run("migrate").code
    (share / "A/sub/c.txt").unlink()
    (share / "A/sub").rmdir()

    finished = program.run("migrate", "--since", "1d")

    assert 0 == finished.code, finished.output
    assert "uploaded" == report_items(program)["A/sub"]["status"]
    assert "A/sub/c.txt" in box.files()
    whole = program.run("migrate")
    assert 0 == whole.code, whole.output
    assert {"A/a.txt", "A/b.txt"} == set(box.files())


def test_what_moved_is_left_to_a_whole_pass(program: Program, box: Sandbox, share: Path) -> None:
    """A file under a new name is not sent beside its old self, and its id in Box survives both passes."""
    program.write_plan(changes={"deletions": "trash", "max_delete": "90%"})
    (share / "A/sub/d.txt").write_bytes(b"d")
    assert 0 == program.run("migrate").code
    before = {path: file.id for path, file in box.files().items()}
    (share / "A/a.txt").rename(share / "A/z.txt")
    (share / "A/sub/c.txt").rename(share / "A/c.txt")
    (share / "A/new.txt").write_bytes(b"new")

    quick = program.run("migrate", "--since", "1d")

    assert 0 == quick.code, quick.output
    assert "4 older or moved entries wait" in quick.stdout
    there = {path: file.id for path, file in box.files().items()}
    assert before == {path: box_id for path, box_id in there.items() if path != "A/new.txt"}
    whole = program.run("migrate")
    assert 0 == whole.code, whole.output
    assert_arrived(program, box, share)
    there = {path: file.id for path, file in box.files().items()}
    assert [before["A/a.txt"], before["A/sub/c.txt"]] == [there["A/z.txt"], there["A/c.txt"]]


def test_interrupted_whole_pass_is_not_continued_by_a_quick_one(
    program: Program, box: Sandbox, share: Path
) -> None:
    """A pass that was killed, a quick one, and a whole one: everything is there once."""
    build_tree(share / "A", {"more": {f"{number}.txt": b"%d" % number for number in range(60)}})
    box.faults.next("POST /files/content").delay(0.2).times(None)
    assert program.kill_when(lambda: box.calls.by_route["POST /files/content"] > 20)
    box.faults.clear()

    quick = program.run("migrate", "--since", "1h")

    assert 1 == quick.code, quick.output
    assert 0 == program.run("migrate").code
    assert_arrived(program, box, share)


@pytest.mark.parametrize("text", ["soon", "2999-01-01"])
def test_mistyped_moment_is_one_line(program: Program, box: Sandbox, text: str) -> None:
    """Exit code 2, before anything is asked of Box."""
    box.calls.reset()

    finished = program.run("migrate", "--since", text)

    assert 2 == finished.code
    assert 1 == len(finished.stderr.strip().splitlines())
    assert f"since: '{text}'" in finished.stderr
    assert not box.calls.by_route
