"""What was moved or renamed in the share is moved in Box, by one call and with its ids; what only looks so is not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from connectors.box.sandbox import Sandbox
from tests.acceptance.changing import assert_same, calls_of, ids, program_on
from tests.acceptance.proof import report_items, sums_add_up
from tests.program import Program
from tests.servers.fixtures import empty
from tests.servers.samba import Samba
from tests.trees import Tree, build_tree

MOVE, RENAME = "PUT /folders/:id", "PUT /files/:id"
MAKE, SEND, VERSION, LIST = (
    "POST /folders",
    "POST /files/content",
    "POST /files/:id/content",
    "GET /folders/:id/items",
)

TREE: Tree = {
    "A": {"x": {"deep": {"1.txt": b"one", "2.txt": b"two"}, "3.txt": b"three"}, "4.txt": b"four"},
    "M": {"y": {"5.txt": b"five", "6.txt": b"six"}, "11.txt": b"eleven"},
    "Z": {"7.txt": b"seven"},
}
#: Dates of long ago: what is read is settled at once, and no clock is too coarse.
LONG_AGO = 1_500_000_000


#: Over Samba `make test` has one story, the torture all.
ON_SAMBA = pytest.param("smb", marks=pytest.mark.torture)


@pytest.fixture(params=["file", ON_SAMBA])
def samba_or_none(request: pytest.FixtureRequest) -> Samba | None:
    """The server, where the share is to be reached by it."""
    return request.getfixturevalue("samba") if request.param == "smb" else None


@pytest.fixture
def share(tmp_path: Path, samba_or_none: Samba | None) -> Iterator[Path]:
    """The share's folder."""
    if samba_or_none is None:
        root = tmp_path / "share"
        root.mkdir()
    else:
        root = empty(samba_or_none.root) / "share"
        root.mkdir()
        root.chmod(0o777)
    build_tree(root, TREE)
    for number, path in enumerate(sorted(root.rglob("*.txt"))):
        os.utime(path, (LONG_AGO + number, LONG_AGO + number + 0.5))
    yield root
    if samba_or_none is not None:
        empty(samba_or_none.root)


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path, samba_or_none: Samba | None) -> Program:
    """The program, after a first complete pass."""
    program = program_on(tmp_path / "run", box, share, samba_or_none)
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    return program


def renamed(paths: dict[str, str], old: str, new: str) -> dict[str, str]:
    """The ids by path, after one folder or file got another path."""
    return {
        new + path[len(old) :] if path == old or path.startswith(f"{old}/") else path: box_id
        for path, box_id in paths.items()
    }


@pytest.mark.torture
@pytest.mark.parametrize(
    ("old", "new"),
    [("A/x", "A/other"), ("A/x", "A/X"), ("A/x", "Z/x"), ("M/y", "A/x/y"), ("A/x/deep", "Z/shallow")],
)
def test_folder(program: Program, box: Sandbox, share: Path, old: str, new: str) -> None:
    """One call, whatever is in it: nothing is made or sent, every id and version stays, and the next pass is silent."""
    before = ids(box)
    (share / old).rename(share / new)

    calls = calls_of(program, box)

    assert 1 == calls.pop(MOVE)
    assert calls.pop(LIST, 0) <= 4
    assert {} == calls
    assert renamed(before, old, new) == ids(box)
    assert {1} == set(assert_same(box, share).values())
    assert {} == calls_of(program, box)
    assert 0 == sums_add_up(program)["totals"]["items"]["gone"]


@pytest.mark.torture
def test_into_a_folder_of_the_same_pass(program: Program, box: Sandbox, share: Path) -> None:
    """The new folder is made, the old one moves into it."""
    before = ids(box)
    (share / "B/new").mkdir(parents=True)
    (share / "A/x").rename(share / "B/new/x")

    calls = calls_of(program, box)

    assert (1, 2) == (calls[MOVE], calls[MAKE])
    assert SEND not in calls
    assert renamed(before, "A/x", "B/new/x").items() <= ids(box).items()
    assert_same(box, share)


@pytest.mark.torture
def test_everything_swaps(program: Program, box: Sandbox, share: Path) -> None:
    """Two files of one folder and two of two folders, then two folders of two parents: ids and versions stay."""
    before = ids(box)
    for one, other in (("A/x/deep/1.txt", "A/x/deep/2.txt"), ("A/4.txt", "Z/7.txt")):
        swap(share, one, other)
    assert {RENAME: 6} == {route: count for route, count in calls_of(program, box).items() if route != LIST}
    swap(share, "A/x", "M/y")
    assert {MOVE: 3} == {route: count for route, count in calls_of(program, box).items() if route != LIST}

    after = ids(box)
    assert (before["A/4.txt"], before["Z/7.txt"]) == (after["Z/7.txt"], after["A/4.txt"])
    assert (before["A/x"], before["M/y"]) == (after["M/y"], after["A/x"])
    assert before["A/x/deep/1.txt"] == after["M/y/deep/2.txt"]
    assert {1} == set(assert_same(box, share).values())
    assert {} == calls_of(program, box)


def swap(share: Path, one: str, other: str) -> None:
    """Each gets the other's place."""
    (share / one).rename(share / "aside")
    (share / other).rename(share / one)
    (share / "aside").rename(share / other)


def test_two_folders_swap_their_names(program: Program, box: Sandbox, share: Path) -> None:
    """Three calls: one steps aside for a moment."""
    before = ids(box)
    (share / "A").rename(share / "aside")
    (share / "M").rename(share / "A")
    (share / "aside").rename(share / "M")

    calls = calls_of(program, box)

    assert {MOVE: 3} == {route: count for route, count in calls.items() if route != LIST}
    assert before["A"] == ids(box)["M"]
    assert before["M"] == ids(box)["A"]
    assert_same(box, share)


def test_another_folder_takes_the_old_name(program: Program, box: Sandbox, share: Path) -> None:
    """As when a year is put aside: the old folder moves, the new one is new."""
    before = ids(box)
    (share / "A/x").rename(share / "A/x of last year")
    build_tree(share / "A", {"x": {"3.txt": b"another", "new.txt": b"new"}})

    calls = calls_of(program, box)

    assert (1, 1, 2) == (calls[MOVE], calls[MAKE], calls[SEND])
    assert before["A/x/3.txt"] == ids(box)["A/x of last year/3.txt"]
    assert {1} == set(assert_same(box, share).values())


@pytest.mark.torture
def test_parent_into_its_child(program: Program, box: Sandbox, share: Path) -> None:
    """What was above is below: nothing is lost in a circle."""
    before = ids(box)
    (share / "A/x").rename(share / "x")
    (share / "A").rename(share / "x/A")

    calls = calls_of(program, box)

    assert {MOVE: 2} == {route: count for route, count in calls.items() if route != LIST}
    assert before["A/x/3.txt"] == ids(box)["x/3.txt"]
    assert before["A/4.txt"] == ids(box)["x/A/4.txt"]
    assert_same(box, share)


@pytest.mark.torture
@pytest.mark.parametrize("new", ["A/x/four.txt", "A/4 b.txt", "A/4.TXT", "M/4.txt"])
def test_file(program: Program, box: Sandbox, share: Path, new: str) -> None:
    """One call, no bytes and no version; its line in the report has the id that it had."""
    before = ids(box)
    (share / "A/4.txt").rename(share / new)

    calls = calls_of(program, box)

    assert {RENAME: 1} == {route: count for route, count in calls.items() if route != LIST}
    assert renamed(before, "A/4.txt", new) == ids(box)
    assert {1} == set(assert_same(box, share).values())
    lines = report_items(program)
    assert ("uploaded", before["A/4.txt"]) == (lines[new]["status"], lines[new]["box_id"])
    assert ("gone", "moved") == (lines["A/4.txt"]["status"], lines["A/4.txt"]["reason"])
    assert {} == calls_of(program, box)


@pytest.mark.parametrize("samba_or_none", ["file", "smb"], indirect=True)
def test_folder_and_what_is_in_it(program: Program, box: Sandbox, share: Path) -> None:
    """Renamed and edited in one go: the folder moves, then the file in it gets a version."""
    before = ids(box)
    (share / "A/x").rename(share / "Z/other")
    (share / "Z/other/3.txt").write_bytes(b"edited")
    (share / "Z/other/deep/2.txt").rename(share / "Z/2.txt")

    calls = calls_of(program, box)

    assert (1, 1, 1) == (calls[MOVE], calls[RENAME], calls[VERSION])
    assert SEND not in calls
    assert before["A/x/deep/2.txt"] == ids(box)["Z/2.txt"]
    assert 2 == assert_same(box, share)["Z/other/3.txt"]


def test_all_files_of_a_folder(program: Program, box: Sandbox, share: Path) -> None:
    """No disk is away: whether its files are seen before or after it, it stays as an empty folder, at once."""
    before = ids(box)
    (share / "M/y/deeper/still").mkdir(parents=True)
    moved = {
        "M/y/5.txt": "Z/5.txt",
        "M/y/6.txt": "Z/66.txt",
        "A/x/deep/1.txt": "M/y/deeper/still/1.txt",
        "A/x/deep/2.txt": "M/y/deeper/still/2.txt",
    }
    for old, new in moved.items():
        (share / old).rename(share / new)
    (share / "M/y/deeper").rename(share / "M/deeper")
    moved = {old: new.replace("M/y/deeper", "M/deeper") for old, new in moved.items()}

    calls = calls_of(program, box)

    assert 4 == calls[RENAME]
    assert not {SEND, VERSION} & set(calls)
    after = ids(box)
    assert {new: before[old] for old, new in moved.items()}.items() <= after.items()
    assert {1} == set(assert_same(box, share).values())
    (share / "Z/66.txt").rename(share / "66.txt")  # of three, one is left: nothing special
    assert {RENAME: 1} == {route: n for route, n in calls_of(program, box).items() if route != LIST}


def test_hard_link_is_no_move(program: Program, box: Sandbox, share: Path) -> None:
    """A second name of a file that is still there is a second file."""
    before = ids(box)
    os.link(share / "A/4.txt", share / "Z/4.txt")

    calls = calls_of(program, box)

    assert 1 == calls[SEND]
    assert RENAME not in calls
    assert before.items() <= ids(box).items()
    assert_same(box, share)


def test_an_id_that_is_given_out_again_is_no_move(program: Program, box: Sandbox, share: Path) -> None:
    """Deleted, and others made right after, which get the same ids on many file systems: new ones."""
    before = ids(box)
    shutil.rmtree(share / "M/y")
    (share / "A/4.txt").unlink()
    build_tree(share / "M", {"z": {"8.txt": b"eight", "9.txt": b"nine"}})
    (share / "A/10.txt").write_bytes(b"something else")

    calls = calls_of(program, box)

    assert (1, 3) == (calls[MAKE], calls[SEND])
    assert MOVE not in calls
    assert RENAME not in calls
    assert before.items() <= ids(box).items()  # kept: what is gone stays in Box


@pytest.mark.torture
def test_copy_where_the_plan_says_so(program: Program, box: Sandbox, share: Path) -> None:
    """It is sent anew, and Box keeps what it has under the old name."""
    program.write_plan(changes={"moves": "copy"})
    before = ids(box)
    (share / "M/y").rename(share / "M/z")

    calls = calls_of(program, box)

    assert (1, 2) == (calls[MAKE], calls[SEND])
    assert before.items() <= ids(box).items()


@pytest.mark.torture
def test_move_between_trees_is_a_copy(
    tmp_path: Path, box: Sandbox, share: Path, samba_or_none: Samba | None
) -> None:
    """Other people may see the other tree; the report says that it was not moved."""
    trees = [{"source": name} for name in ("A", "M")]
    program = program_on(tmp_path / "trees", box, share, samba_or_none, trees=trees)
    assert 0 == program.run("migrate").code
    before = {path: entry["id"] for path, entry in box.tree().items()}
    (share / "M/y").rename(share / "A/y")

    calls = calls_of(program, box)

    assert (1, 2) == (calls[MAKE], calls[SEND])
    assert MOVE not in calls
    assert before.items() <= {path: entry["id"] for path, entry in box.tree().items()}.items()


@pytest.mark.torture
@pytest.mark.parametrize(
    ("route", "old", "new"),
    [(MOVE, "A/x", "Z/other"), (RENAME, "A/4.txt", "Z/four.txt")],
)
@pytest.mark.parametrize("killed", [False, True])
def test_lost_answer(
    program: Program, box: Sandbox, share: Path, route: str, old: str, new: str, killed: bool
) -> None:
    """Box did it and nobody heard: the same run, or the next one after a kill, finds it where it is to be (P3)."""
    before = ids(box)
    (share / old).rename(share / new)
    fault = box.faults.next(route).reset("after_effect")
    if killed:
        fault.times(None)
        box.calls.reset()
        assert program.kill_when(lambda: box.calls.by_route[route] > 0 and new in ids(box))
        box.faults.clear()

    calls = calls_of(program, box)

    assert SEND not in calls
    assert MAKE not in calls
    assert renamed(before, old, new) == ids(box)
    assert {1} == set(assert_same(box, share).values())
    assert {} == calls_of(program, box)


@pytest.mark.torture
def test_moved_in_box_meanwhile(program: Program, box: Sandbox, share: Path) -> None:
    """Somebody put the folder elsewhere in Box: that is never undone; the share's folder is sent anew."""
    before = ids(box)
    answer = requests.put(
        f"{box.url}/2.0/folders/{before['M/y']}",
        json={"name": "a person's name"},
        headers={"Authorization": f"Bearer {box.token()}"},
        timeout=10,
    )
    assert 200 == answer.status_code
    (share / "M/y").rename(share / "M/z")

    calls = calls_of(program, box)

    assert (1, 2) == (calls[MAKE], calls[SEND])
    assert before["M/y"] == ids(box)["M/a person's name"]
