"""What a person does in Box is never undone: edits, moves and renames stay, and what is hidden is not gone."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
import requests

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import report_items
from tests.program import Program, program_for
from tests.trees import build_tree

FILES = ("a.txt", "b.txt", "c.txt")
EDITOR = "ann@example.com"


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, {"Team": {"x": {name: name.encode() for name in FILES}, "y": {"d.txt": b"d"}}})
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program, after a first complete run that let an editor in."""
    trees = [{"source": "Team", "collaborators": [{"login": EDITOR, "role": "editor"}]}]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    return program


def sha1(content: bytes) -> str:
    """As Box tells it."""
    return hashlib.sha1(content).hexdigest()


def headers(box: Sandbox) -> dict[str, str]:
    """The editor's login."""
    ann = next(user for user in box.core.store.users.values() if user.login == EDITOR)
    return {"Authorization": f"Bearer {box.token(ann)}"}


def edit(box: Sandbox, path: str, content: bytes, *, by: dict[str, str] | None = None) -> None:
    """Let the editor, or whom these headers log in, put a new version over a file."""
    name = path.rpartition("/")[2]
    answer = requests.post(
        f"{box.upload_url}/2.0/files/{box.tree()[path]['id']}/content",
        files={"attributes": (None, json.dumps({"name": name})), "file": (name, content)},
        headers=by or headers(box),
        timeout=10,
    )
    assert answer.ok, answer.text


def change(box: Sandbox, path: str, **values: object) -> None:
    """Let the editor rename or move something."""
    entry = box.tree()[path]
    kind = "folders" if entry["type"] == "folder" else "files"
    answer = requests.put(
        f"{box.url}/2.0/{kind}/{entry['id']}", json=values, headers=headers(box), timeout=10
    )
    assert answer.ok, answer.text


def page(program: Program) -> str:
    """The report's page."""
    finished = program.run("report", "--plain")
    path = next(Path(line) for line in finished.stdout.splitlines() if line.endswith(".html"))
    return path.read_text()


def test_edit_in_box_outlives_a_change_beside_it(program: Program, box: Sandbox, share: Path) -> None:
    """The source did not change: her work stays, the tree stays complete, and the report says who and when."""
    edit(box, "Team/x/a.txt", b"her work")
    (share / "Team/x/b.txt").write_bytes(b"changed")

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert sha1(b"her work") == box.files()["Team/x/a.txt"].sha1
    assert sha1(b"changed") == box.files()["Team/x/b.txt"].sha1
    text = page(program)
    assert EDITOR in text
    assert "changed in Box since it was sent" in text


def test_changed_on_both_sides_is_a_failure_that_names_her(
    program: Program, box: Sandbox, share: Path
) -> None:
    """Neither content goes over the other."""
    edit(box, "Team/x/a.txt", b"her work")
    (share / "Team/x/a.txt").write_bytes(b"changed in the share")

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    line = report_items(program)["Team/x/a.txt"]
    assert ("failed", "changed_in_box") == (line["status"], line["reason"])
    assert EDITOR in line["detail"]
    assert sha1(b"her work") == box.files()["Team/x/a.txt"].sha1


def test_moved_and_renamed_in_box_is_not_sent_again(program: Program, box: Sandbox, share: Path) -> None:
    """Files and folders that she put elsewhere stay there, and the tree stays complete; a new content follows them."""
    change(box, "Team/x/a.txt", parent={"id": box.tree()["Team/y"]["id"]})
    change(box, "Team/x/b.txt", name="better.txt")
    change(box, "Team/y", name="z")
    (share / "Team/x/b.txt").write_bytes(b"new content")
    (share / "Team/new.txt").write_bytes(b"new")
    (share / "Team/x/e.txt").write_bytes(b"new")

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert {
        "Team/x/better.txt",
        "Team/x/c.txt",
        "Team/x/e.txt",
        "Team/z/a.txt",
        "Team/z/d.txt",
        "Team/new.txt",
    } == set(box.files())
    assert sha1(b"new content") == box.files()["Team/x/better.txt"].sha1
    text = page(program)
    assert "moved to another folder in Box" in text
    assert "renamed in Box" in text


@pytest.mark.parametrize("calls", [3, None])
@pytest.mark.gate(1)
def test_tree_folder_out_of_sight_is_not_forgotten(
    program: Program, box: Sandbox, share: Path, calls: int | None
) -> None:
    """For a moment: nothing is noticed. For ever: the tree is not complete and says why, and nothing is sent again."""
    (share / "Team/x/new.txt").write_bytes(b"new")
    top = box.tree()["Team"]["id"]
    box.faults.hide(top, calls=calls)
    sent = box.calls.by_route["POST /files/content"]

    finished = program.run("migrate")

    box.faults.show(top)
    assert (0 if calls else 1) == finished.code, finished.output
    again = program.run("migrate")
    assert 0 == again.code, again.output
    assert ["Team"] == [path for path in box.folders() if "/" not in path]
    assert 6 >= box.calls.by_route["POST /files/content"] - sent
    assert {1} == {file.versions for file in box.files().values()}
    assert 5 == len(box.files())


def test_folder_that_suddenly_lists_nothing_fails(program: Program, share: Path, box: Sandbox) -> None:
    """A disk one level below the tree's root that is not mounted: nothing of it leaves the report."""
    for path in (share / "Team/x").iterdir():
        path.unlink()

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    items = report_items(program)
    assert ("failed", "folder_emptied") == (items["Team/x"]["status"], items["Team/x"]["reason"])
    assert {"uploaded"} == {items[f"Team/x/{name}"]["status"] for name in FILES}
    program.write_plan(source={"url": share.as_uri(), "may_be_empty": True})
    meant = program.run("migrate")
    assert 0 == meant.code, meant.output


def test_mount_point_with_what_servers_keep_in_it(tmp_path: Path, box: Sandbox) -> None:
    """What a rule leaves out says nothing for the disk: a note, and folders that servers keep for themselves."""
    share = tmp_path / "other share"
    share.mkdir()
    build_tree(share, {"A": {"vol": {f"{number}.txt": b"%d" % number for number in range(9)}, "z.txt": b"z"}})
    program = program_for(tmp_path / "other", box, {"url": share.as_uri()}, trees=[{"source": "A"}])
    box.faults.next("POST /files/content").about("3.txt").status(403, error="forbidden_by_policy").times(None)
    assert 1 == program.run("migrate").code
    box.faults.clear()
    (share / "A/vol").rename(tmp_path / "away")
    notes = {"lost+found": {}, "$RECYCLE.BIN": {}, "README": b"mount me", ".keep": b""}
    build_tree(share / "A", {"vol": notes})

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    items = report_items(program)
    assert ("failed", "folder_emptied") == (items["A/vol"]["status"], items["A/vol"]["reason"])
    assert "gone" not in {items[f"A/vol/{number}.txt"]["status"] for number in range(9)}


def test_content_that_went_back_after_a_version_that_nobody_wrote_down(
    program: Program, box: Sandbox, share: Path
) -> None:
    """Killed after the second content was sent, and the first one is in the share again: Box ends with that (P1)."""
    program.write_plan(transfer={"verify": "receipts"})
    service = {"Authorization": f"Bearer {box.token(box.service_account)}"}
    edit(box, "Team/x/a.txt", b"second", by=service)  # what the killed run sent, as its own account
    os.utime(share / "Team/x/a.txt", (1_600_000_000, 1_600_000_000))

    for _ in range(2):
        finished = program.run("migrate")

        assert 0 == finished.code, finished.output
        line = report_items(program)["Team/x/a.txt"]
        assert ("uploaded", sha1(b"a.txt")) == (line["status"], line["sha1"])
        assert sha1(b"a.txt") == box.files()["Team/x/a.txt"].sha1


@pytest.mark.torture
def test_new_versions_that_box_refuses_whatever_they_are(tmp_path: Path, box: Sandbox) -> None:
    """Fifteen files changed and two are new: the new ones arrive, nine fail, the others wait, and the run ends with 3
    and one line. Once Box takes them, the next run sends what waited, and retry the nine."""
    share = tmp_path / "other share"
    share.mkdir()
    build_tree(share, {"A": {f"{number}.txt": b"%d" % number for number in range(15)}})
    program = program_for(tmp_path / "other", box, {"url": share.as_uri()}, trees=[{"source": "A"}])
    assert 0 == program.run("migrate").code
    build_tree(share / "A", {f"{number}.txt": b"now %d" % number for number in range(15)})
    build_tree(share / "A", {"new": {"a.txt": b"a"}, "new.txt": b"new"})
    refusal = box.faults.next("POST /files/:id/content")
    refusal.status(403, error="access_denied_insufficient_permissions").times(None)

    stopped = program.run("migrate")

    assert 3 == stopped.code, stopped.output
    assert "Box takes no new versions" in stopped.stderr
    assert {"A/new.txt", "A/new/a.txt"} <= set(box.files())
    tree = program.status()["trees"][0]
    assert (9, 6, "stopped") == (
        tree["items"]["failed"],
        tree["items"]["pending"],
        tree["incomplete_reason"],
    )
    box.faults.clear()
    assert 0 == program.run("retry").code
    assert {2} == {file.versions for path, file in box.files().items() if "new" not in path}
