"""A folder that somebody moved in Box into another tree: no file of the one is shown to the people of the other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items
from tests.program import Program, program_for
from tests.trees import build_tree

#: One is sent by a POST, the other in parts.
SMALL, LARGE = b"for A alone", b"for A alone" * 2_000_000


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Two trees of the same shape."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(
        root, {name: {"f": b"%d" % n, "sub": {"deep": {"g": b"g%d" % n}}} for n, name in enumerate("AB")}
    )
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """Both are complete, and each has its own person."""
    box.add_user("bob@example.com", name="Bob")
    people = {"A": "ann@example.com", "B": "bob@example.com"}
    trees = [
        {"source": name, "collaborators": [{"login": login, "role": "editor"}]}
        for name, login in people.items()
    ]
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees)
    program.plan["box"]["direct_upload_limit_bytes"] = 20_000_000
    program.write_plan()
    assert 0 == program.run("migrate").code
    return program


def move(box: Sandbox, folder: str, into: str) -> None:
    """Somebody who may do so moves a folder."""
    tree = box.tree()
    box.person().move(tree[folder]["id"], tree[into]["id"])


@pytest.mark.parametrize(
    "content", [SMALL, pytest.param(LARGE, marks=pytest.mark.torture)], ids=["small", "large"]
)
def test_nothing_is_sent_to_the_other_trees_people(
    program: Program, box: Sandbox, share: Path, content: bytes
) -> None:
    """What is new goes to the trash, the tree is not complete, all else arrives; moved back, a retry sends it."""
    move(box, "A/sub", "B/sub")
    for name in ("A/sub/deep/one", "A/sub/two", "A/sub/new/three", "A/four", "B/five"):
        (share / name).parent.mkdir(exist_ok=True)
        (share / name).write_bytes(content if name[0] == "A" else b"for B")

    finished = program.run("migrate")

    assert 1 == finished.code, finished.output
    mine = hashlib.sha1(content).hexdigest()
    assert ["A/four"] == [path for path, file in box.files().items() if file.sha1 == mine]
    assert "B/five" in box.files()
    lines = report_items(program)
    reasons = {path: lines[path]["reason"] for path in ("A/sub/deep/one", "A/sub/two", "A/sub/new/three")}
    assert {"folder_moved_in_box"} == set(reasons.values())
    states = {tree["name"]: tree["state"] for tree in program.status()["trees"]}
    assert {"A": "incomplete", "B": "complete"} == states
    move(box, "B/sub/sub", "A")
    again = program.run("retry")
    assert 0 == again.code, again.output
    assert_arrived(program, box, share)


def test_folder_that_was_moved_within_its_tree_stays_there(
    program: Program, box: Sandbox, share: Path
) -> None:
    """The same people see it where somebody put it."""
    (share / "A/other").mkdir()
    (share / "A/other/h").write_bytes(b"h")
    assert 0 == program.run("migrate").code
    move(box, "A/sub", "A/other")
    (share / "A/sub/new").write_bytes(SMALL)

    program.run("migrate")

    assert "A/other/sub/new" in box.files()
    assert "uploaded" == report_items(program)["A/sub/new"]["status"]


@pytest.mark.torture
def test_folder_is_put_back_where_the_plan_says_so(program: Program, box: Sandbox, share: Path) -> None:
    """`in_box: source`: by one call, and the folder keeps its id."""
    before = box.tree()["A/sub"]["id"]
    program.write_plan(changes={"in_box": "source"})
    move(box, "A/sub", "B/sub")
    (share / "A/sub/deep/new").write_bytes(SMALL)

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert_arrived(program, box, share)
    assert before == box.tree()["A/sub"]["id"]
