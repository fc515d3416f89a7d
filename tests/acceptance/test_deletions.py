"""What was deleted in the share: kept, reported, or put into Box's trash; never anything else than that."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
import requests

from connectors.box.sandbox import Sandbox
from state.checkpoint import Checkpoint
from tests.acceptance.changing import assert_same, calls_of, ids, program_on
from tests.acceptance.proof import report_items, sums_add_up
from tests.program import Program
from tests.trees import Tree, build_tree
from tests.unprivileged import UnprivilegedProgram

DELETE_FILE, DELETE_FOLDER, LIST = "DELETE /files/:id", "DELETE /folders/:id", "GET /folders/:id/items"
TREE: Tree = {
    "A": {"x": {"deep": {"1.txt": b"one", "2.txt": b"two"}, "3.txt": b"three"}, "4.txt": b"four"},
    "B": {"5.txt": b"five", "6.txt": b"six"},
}
TRASH = {"deletions": "trash", "max_delete": "90%"}


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, TREE)
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program, after a first complete pass of a plan that trashes."""
    program = program_on(tmp_path / "run", box, share, None, changes=TRASH)
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    return program


def authorised(box: Sandbox) -> dict[str, str]:
    """A header of the service account."""
    return {"Authorization": f"Bearer {box.token()}"}


def put_into(box: Sandbox, folder: str, name: str) -> None:
    """A person puts a file into a folder of Box."""
    attributes = json.dumps({"name": name, "parent": {"id": ids(box)[folder]}})
    requests.post(
        f"{box.upload_url}/2.0/files/content",
        files={"attributes": (None, attributes), "file": (name, b"a person's")},
        headers=authorised(box),
        timeout=10,
    ).raise_for_status()


def in_trash(box: Sandbox) -> set[str]:
    """Names of what lies in the trash, entry by entry."""
    answer = requests.get(f"{box.url}/2.0/folders/trash/items", headers=authorised(box), timeout=10)
    return {entry["name"] for entry in answer.json()["entries"]}


@pytest.mark.torture
@pytest.mark.parametrize("policy", ["keep", "report"])
def test_kept(program: Program, box: Sandbox, share: Path, policy: str) -> None:
    """Box is asked nothing; the status says what is gone and still there."""
    program.write_plan(changes={"deletions": policy})
    before = ids(box)
    (share / "B/5.txt").unlink()
    shutil.rmtree(share / "A/x")

    assert {} == calls_of(program, box)

    assert before == ids(box)
    assert {"in_box": 6, "trashed": 0, "kept": 0} == program.status()["gone"]


def test_file_and_folder(program: Program, box: Sandbox, share: Path) -> None:
    """One call for the file; for the folder one, after a listing of each folder in it. Nothing is purged."""
    (share / "B/5.txt").unlink()
    shutil.rmtree(share / "A/x")

    calls = calls_of(program, box)

    assert {DELETE_FILE: 1, DELETE_FOLDER: 1, LIST: 2} == calls
    assert_same(box, share)
    assert {"5.txt", "x"} == in_trash(box)
    document = sums_add_up(program)
    assert {"in_box": 0, "trashed": 6, "kept": 0} == document["gone"]
    assert {"complete"} == {tree["state"] for tree in document["trees"]}
    lines = report_items(program)
    assert ("gone", "trashed") == (lines["A/x/3.txt"]["status"], lines["A/x/3.txt"]["reason"])
    assert {} == calls_of(program, box)


@pytest.mark.torture
def test_what_comes_back_is_sent_anew(program: Program, box: Sandbox, share: Path) -> None:
    """After the trash it is a new file in a new folder."""
    (share / "A/x").rename(share.parent / "x")
    calls_of(program, box)
    (share.parent / "x").rename(share / "A/x")

    calls_of(program, box)

    assert_same(box, share)


@pytest.mark.parametrize("most", ["10%", pytest.param("3", marks=pytest.mark.torture)])
def test_cap(program: Program, box: Sandbox, share: Path, most: str) -> None:
    """Over the cap nothing is trashed, the run stops with one line, and goes on once the plan allows it."""
    program.write_plan(changes={"deletions": "trash", "max_delete": most})
    (share / "B/5.txt").unlink()
    shutil.rmtree(share / "A/x/deep")
    before = ids(box)

    finished = program.run("migrate")

    assert 3 == finished.code, finished.output
    assert 1 == sum("max_delete" in line for line in finished.stderr.splitlines())
    assert before == ids(box)
    program.write_plan(changes={"deletions": "trash", "max_delete": "4"})
    calls_of(program, box)
    assert_same(box, share)


def test_changed_in_box(program: Program, box: Sandbox, share: Path) -> None:
    """Another version, another name, something else in the folder: all of that stays; the rest of the folder goes."""
    before = ids(box)
    requests.post(
        f"{box.upload_url}/2.0/files/{before['B/5.txt']}/content",
        files={"attributes": (None, '{"name": "5.txt"}'), "file": ("5.txt", b"a person's")},
        headers=authorised(box),
        timeout=10,
    ).raise_for_status()
    put_into(box, "A/x/deep", "a person's.txt")
    (share / "B/5.txt").unlink()
    shutil.rmtree(share / "A/x")

    calls_of(program, box)

    left = ids(box)
    assert {"A", "A/4.txt", "A/x", "A/x/deep", "A/x/deep/a person's.txt", "B", "B/5.txt", "B/6.txt"} == set(
        left
    )
    assert {"1.txt", "2.txt", "3.txt"} == in_trash(box)
    assert {"in_box": 3, "trashed": 3, "kept": 3} == program.status()["gone"]
    assert {} == calls_of(program, box)


@pytest.mark.torture
def test_not_while_a_folder_cannot_be_listed(program: Program, box: Sandbox, share: Path) -> None:
    """What is gone elsewhere in that tree may only be out of sight: nothing of the tree is trashed."""
    program = UnprivilegedProgram(program.folder, program.plan, program.environment)
    (share / "B/5.txt").unlink()
    (share / "A/x").chmod(0o000)
    try:
        before = ids(box)
        calls_of(program, box, code=1)
        assert before == ids(box)
    finally:
        (share / "A/x").chmod(0o755)
    calls_of(program, box)
    assert_same(box, share)


@pytest.mark.torture
@pytest.mark.parametrize("route", [DELETE_FILE, DELETE_FOLDER])
def test_lost_answer_and_kill(program: Program, box: Sandbox, share: Path, route: str) -> None:
    """Box did it, and the process died: the next run finds it gone and writes that down."""
    (share / "B/5.txt").unlink()
    shutil.rmtree(share / "A/x")
    gone = "B/5.txt" if route == DELETE_FILE else "A/x"
    box.faults.next(route).reset("after_effect").times(None)
    assert program.kill_when(lambda: gone not in ids(box))
    box.faults.clear()

    calls_of(program, box)

    assert_same(box, share)
    assert {"in_box": 0, "trashed": 6, "kept": 0} == program.status()["gone"]


def test_nothing_goes_while_something_has_not_arrived(program: Program, box: Sandbox, share: Path) -> None:
    """A file that moved and is sent anew: while that fails, its old copy is all that Box has of it."""
    program.write_plan(changes=TRASH | {"moves": "copy"})
    (share / "B/5.txt").rename(share / "A/55.txt")
    refusal = box.faults.next("POST /files/content").about("55.txt")
    refusal.status(403, error="access_denied_insufficient_permissions").times(None)

    failed = program.run("migrate")
    kept = set(ids(box))
    box.faults.clear()
    retried = program.run("retry")
    passed = program.run("migrate")

    assert (1, 0, 0) == (failed.code, retried.code, passed.code), failed.output
    assert "nothing goes to the trash in this run" in failed.stderr
    assert "B/5.txt" in kept
    assert_same(box, share)
    assert {"5.txt"} == in_trash(box)


def test_own_name_is_given_back(program: Program, box: Sandbox, share: Path) -> None:
    """A folder and a file took over names, in other letters, of what went to the trash at the end of the same pass: the
    next one gives them their own, by a call each, and the one after it has nothing to do."""
    (share / "B/5.txt").unlink()
    (share / "B/5.TXT").mkdir()
    shutil.rmtree(share / "A/x")
    (share / "A/X").write_bytes(b"no folder any more")
    calls_of(program, box)
    before = ids(box)
    aside = {path for path in before if "~" in path}
    assert 2 == len(aside)

    calls = calls_of(program, box)

    assert {"PUT /files/:id": 1, "PUT /folders/:id": 1, LIST: 2} == calls
    assert_same(box, share)
    assert sorted(before.values()) == sorted(ids(box).values())
    assert {} == calls_of(program, box)


@pytest.mark.torture
def test_what_box_has_no_answer_for(program: Program, box: Sandbox, share: Path) -> None:
    """Box answers one deletion, one move and one new name with 500 whenever it is asked: all else goes on, and a later
    run does what is left."""
    (share / "B/5.txt").unlink()
    (share / "B/5.TXT").mkdir()
    calls_of(program, box)
    (share / "B/6.txt").unlink()
    (share / "A/4.txt").rename(share / "B/moved.txt")
    (share / "A/new.txt").write_bytes(b"new")
    for route in ("PUT /files/:id", "PUT /folders/:id", DELETE_FILE):
        box.faults.next(route).status(500).times(None)

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert "kept in Box, where they were changed or refused" in finished.stdout
    assert {"All/A/new.txt", "All/B/moved.txt", "All/B/6.txt"} <= set(box.files())
    box.faults.clear()
    calls_of(program, box)
    assert_same(box, share)
    assert {} == calls_of(program, box)


TREES = {"trees": [{"source": "A"}, {"source": "B"}], "changes": TRASH}


def in_status(program: Program) -> tuple[int, int]:
    """How much that is gone is in Box still, and how much is in the trash."""
    gone = program.status()["gone"]
    return gone["in_box"], gone["trashed"]


def test_moved_to_a_tree_that_the_run_did_not_walk(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """Box has it in A alone until a pass of B has sent it: it stays so long. What is nowhere else goes at once."""
    program = program_on(tmp_path / "run", box, share, None, **TREES)
    assert 0 == program.run("migrate").code
    (share / "A/x/deep/1.txt").rename(share / "B/new.txt")  # its folder is gone as well
    shutil.rmtree(share / "A/x")

    finished = program.run("migrate", "--tree", "A")

    assert 0 == finished.code, finished.output
    assert "1 file gone from one tree may be in another" in finished.stderr
    trashed, held = "2 put into Box's trash", "1 held back, since they may be in another tree, 2 still in Box"
    assert f"5 entries are gone from the share: {trashed}, {held}" in finished.stdout
    assert 1 == finished.stdout.count("gone from the share"), finished.stdout  # and not by the table as well
    assert {"A", "A/x", "A/x/deep", "A/x/deep/1.txt", "A/4.txt", "B", "B/5.txt", "B/6.txt"} == set(ids(box))
    assert (3, 2) == in_status(program)
    assert 0 == program.run("migrate", "--tree", "B").code
    assert (3, 2) == in_status(program)
    again = program.run("migrate", "--tree", "A")
    assert 0 == again.code, again.output
    assert (0, 5) == in_status(program)
    assert "gone from the share: 5 in Box's trash" in again.stdout
    assert {"A", "A/4.txt", "B", "B/5.txt", "B/6.txt", "B/new.txt"} == set(ids(box))


def put_into_b(share: Path, *, to: str = "B/new.txt") -> None:
    """Somebody moves a file from A to B, and goes on writing in it there."""
    (share / "A/4.txt").rename(share / to)
    (share / to).write_bytes(b"four and more")


def close_tree(program: Program, name: str) -> None:
    """Hand it over."""
    with closing(Checkpoint.open(f"sqlite:///{program.folder}/state.db")) as checkpoint:
        closed = [tree.id for tree in checkpoint.trees(1) if tree.name == name]
        assert 1 == checkpoint.close_trees(1, closed, who="ann@example.com", detail={})


@pytest.mark.torture
def test_moved_to_a_tree_that_is_closed(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """Nobody walks it any more; it stays where it is until somebody opens the tree again."""
    program = program_on(tmp_path / "run", box, share, None, **TREES)
    assert 0 == program.run("migrate").code
    close_tree(program, "B")
    put_into_b(share)
    (share / "A/x/3.txt").unlink()

    assert 0 == program.run("migrate", "--tree", "A").code
    assert (1, 1) == in_status(program)
    assert "A/4.txt" in ids(box)
    reopened = program.run("migrate", "--reopen", "--why", "Ann moved a file")

    assert 0 == reopened.code, reopened.output
    assert (0, 2) == in_status(program)
    assert "B/new.txt" in ids(box)


@pytest.mark.torture
@pytest.mark.parametrize("which", ["whole", "--tree"])
def test_moved_to_where_nobody_can_look(tmp_path: Path, box: Sandbox, share: Path, which: str) -> None:
    """A folder of B that cannot be listed may hold it: nothing goes, chosen or not."""
    program = program_on(tmp_path / "run", box, share, None, **TREES)
    program = UnprivilegedProgram(program.folder, program.plan, program.environment)
    assert 0 == program.run("migrate").code
    (share / "B/locked").mkdir()
    put_into_b(share, to="B/locked/new.txt")
    (share / "B/locked").chmod(0o000)
    try:
        finished = program.run("migrate", *(("--tree", "A") if which == "--tree" else ()))
        assert (1 if which == "whole" else 0) == finished.code, finished.output
        assert "nothing goes to the trash in this run" in finished.stderr
        assert "A/4.txt" in ids(box)
    finally:
        (share / "B/locked").chmod(0o755)
    assert 0 == program.run("migrate").code
    assert {"A/4.txt", "B/locked/new.txt"} & set(ids(box)) == {"B/locked/new.txt"}


@pytest.mark.torture
def test_moved_to_a_tree_that_is_away(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """The folder of B is not in the share for a moment. Nothing goes then, so that the cap stops nobody either."""
    capped = TREES | {"changes": TRASH | {"max_delete": 0}}
    program = program_on(tmp_path / "run", box, share, None, **capped)
    assert 0 == program.run("migrate").code
    put_into_b(share)
    (share / "B").rename(share.parent / "B")

    finished = program.run("migrate", "--tree", "A")

    assert 0 == finished.code, finished.output
    assert "B cannot be looked through" in finished.stderr
    assert "A/4.txt" in ids(box)


@pytest.mark.torture
def test_moved_and_refused_and_waived(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """Somebody lets B complete without it: what Box has of it in A is all that it has."""
    program = program_on(tmp_path / "run", box, share, None, **TREES)
    assert 0 == program.run("migrate").code
    put_into_b(share)
    refusal = box.faults.next("POST /files/content").about("new.txt")
    refusal.status(403, error="access_denied_insufficient_permissions").times(None)
    assert 1 == program.run("migrate").code
    assert 0 == program.run("waive", "B/new.txt", "--why", "Box refuses it").code

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert "A/4.txt" in ids(box)
    assert (1, 0) == in_status(program)


@pytest.mark.torture
def test_moved_and_left_out_by_the_filters_of_a_run(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """Such a run follows no deletion at all."""
    program = program_on(tmp_path / "run", box, share, None, **TREES)
    assert 0 == program.run("migrate").code
    put_into_b(share, to="B/new.doc")

    assert 1 == program.run("migrate", "--include", "*.txt").code

    assert "A/4.txt" in ids(box)
