"""Files that changed names with each other, were renamed and edited at once, and empty folders: by id, not by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from connectors.entry import EntryKind
from flows.transfer.moved_folders import ASIDE
from state.checkpoint import Checkpoint
from state.reports.events import events
from state.reports.lines import item_lines
from state.statuses import EventKind
from tests.acceptance.changing import assert_same, ids, program_on
from tests.acceptance.proof import sums_add_up
from tests.acceptance.renaming import (
    LOOK,
    MAKE,
    MOVE,
    RENAME,
    SEND,
    VERSION,
    calls_of,
    migrate,
    moved_once,
    small_share,
    turned,
)
from tests.acceptance.shares import digest
from tests.program import Program
from tests.torture.victims import Victims


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share with old dates."""
    return small_share(tmp_path / "share")


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program, after a first complete pass."""
    return moved_once(tmp_path / "run", box, share)


@pytest.mark.parametrize(
    "names",
    [pytest.param(("a.txt", "b.txt"), marks=pytest.mark.torture), ("a.txt", "b.txt", "c.txt")],
)
def test_files_in_a_circle(program: Program, box: Sandbox, share: Path, names: tuple[str, ...]) -> None:
    """One call each and one more, no bytes and no version: every content keeps its id; the next pass is silent."""
    before = ids(box)
    turned(share / "A", *names)

    assert {RENAME: len(names) + 1} == calls_of(program, box)

    after = ids(box)
    for old, new in zip(names, (*names[1:], names[0]), strict=True):
        assert before[f"A/{old}"] == after[f"A/{new}"]
    assert {1} == set(assert_same(box, share).values())
    assert {} == calls_of(program, box)
    assert 0 == sums_add_up(program)["totals"]["items"]["gone"]


@pytest.mark.torture
def test_a_log_that_is_put_aside(program: Program, box: Sandbox, share: Path) -> None:
    """Each file has the next name and the first one is new: two calls for names, one new file."""
    before = ids(box)
    (share / "A/c.txt").rename(share / "A/d.txt")
    (share / "A/b.txt").rename(share / "A/c.txt")
    (share / "A/b.txt").write_bytes(b"new")

    assert {RENAME: 2, SEND: 1} == calls_of(program, box)

    assert (before["A/b.txt"], before["A/c.txt"]) == (ids(box)["A/c.txt"], ids(box)["A/d.txt"])
    assert {1} == set(assert_same(box, share).values())


@pytest.mark.torture
def test_swapped_and_edited(program: Program, box: Sandbox, share: Path) -> None:
    """The names go with the files, then the one that was edited gets a version."""
    before = ids(box)
    turned(share / "A", "a.txt", "b.txt")
    with (share / "A/b.txt").open("ab") as file:
        file.write(b" edited")

    assert {RENAME: 3, VERSION: 1} == calls_of(program, box)

    assert before["A/a.txt"] == ids(box)["A/b.txt"]
    versions = assert_same(box, share)
    assert (2, 1) == (versions["A/b.txt"], versions["A/a.txt"])


@pytest.mark.torture
def test_saved_as_many_programs_do_is_a_version(program: Program, box: Sandbox, share: Path) -> None:
    """A new file takes the old one's place, which is kept aside as a backup, then not: the name keeps its versions."""
    before = ids(box)
    (share / "A/new.tmp").write_bytes(b"saved")
    (share / "A/new.tmp").rename(share / "A/a.txt")

    assert {VERSION: 1} == calls_of(program, box)

    assert before == ids(box)
    assert 2 == assert_same(box, share)["A/a.txt"]


@pytest.mark.parametrize("old", ["a.txt", pytest.param("b.txt", marks=pytest.mark.torture)])
def test_ids_that_were_given_out_again_are_no_swap(
    program: Program, box: Sandbox, share: Path, old: str
) -> None:
    """Both files were deleted, others have their names, and their ids the other way round on many a file system."""
    before = ids(box)
    other = {"a.txt": "b.txt", "b.txt": "a.txt"}[old]
    (share / "A" / old).unlink()
    (share / "A" / other).unlink()
    (share / "A" / other).write_bytes(b"first of the new ones")
    (share / "A" / old).write_bytes(b"the second")

    assert {VERSION: 2} == calls_of(program, box)

    assert before == ids(box)
    assert_same(box, share)


@pytest.mark.gate(1)
@pytest.mark.parametrize(
    "crash", [f"{when}|{RENAME}|{number}" for when in ("before", "after") for number in (1, 2, 3)]
)
@pytest.mark.parametrize("then", ["as it was", "swapped back", "deleted"])
def test_killed_in_a_swap(program: Program, box: Sandbox, share: Path, crash: str, then: str) -> None:
    """The next run finishes it, whatever the names are by then: nothing is sent, and no name aside is left."""
    before = ids(box)
    turned(share / "A", "a.txt", "b.txt")
    with Victims() as victims:
        assert -9 == victims.run(program, "migrate", crash=crash).code
    if then == "swapped back":
        turned(share / "A", "a.txt", "b.txt")
    elif then == "deleted":
        (share / "A/b.txt").unlink()

    calls = calls_of(program, box)

    assert "deleted" == then or set(calls) <= {RENAME, LOOK}, calls
    after = ids(box)
    assert not [path for path in after if ASIDE in path]
    assert set(before.values()) == set(after.values())
    if then == "as it was":
        assert (before["A/a.txt"], before["A/b.txt"]) == (after["A/b.txt"], after["A/a.txt"])
    elif then == "swapped back":
        assert before == after
    assert digest(share / "A/a.txt") == box.files()["All/A/a.txt"].sha1
    if then != "deleted":
        assert {1} == set(assert_same(box, share).values())
    assert {} == calls_of(program, box)


@pytest.mark.torture
@pytest.mark.parametrize(
    "crash", [f"{when}|{RENAME}|{number}" for when in ("before", "after") for number in (1, 2, 3)]
)
@pytest.mark.parametrize(
    "again", [f"{when}|{RENAME}|{number}" for when in ("before", "after") for number in (1, 2)]
)
def test_killed_again_while_a_name_is_given_back(
    program: Program, box: Sandbox, share: Path, crash: str, again: str
) -> None:
    """What stepped aside is gone from the share: the third run brings it back, and knows its name in Box."""
    before = ids(box)
    turned(share / "A", "a.txt", "b.txt")
    for each in (crash, again):
        with Victims() as victims:
            victims.run(program, "migrate", crash=each)
        (share / "A/b.txt").unlink(missing_ok=True)

    calls_of(program, box)

    after = {box_id: path for path, box_id in ids(box).items()}
    assert not [path for path in after.values() if ASIDE in path]
    assert set(before.values()) == set(after)
    assert digest(share / "A/a.txt") == box.files()["All/A/a.txt"].sha1
    with Checkpoint.open(f"sqlite:///{program.folder}/state.db") as checkpoint:
        lines = [line for line in item_lines(checkpoint, 1) if line.kind is EntryKind.FILE]
    assert {line.box_id: line.box_name for line in lines} == {
        line.box_id: after[line.box_id or ""].rpartition("/")[2] for line in lines
    }
    assert {} == calls_of(program, box)


@pytest.mark.torture
def test_refused_in_the_middle(program: Program, box: Sandbox, share: Path) -> None:
    """One of the two is locked in Box: nothing is left aside, and no content is lost."""
    turned(share / "A", "a.txt", "b.txt")
    refusal = box.faults.next(RENAME).nth(2)
    refusal.status(403, error="access_denied_item_locked")

    calls_of(program, box)

    assert not [path for path in ids(box) if ASIDE in path]
    assert_same(box, share)


@pytest.mark.torture
def test_edited_in_box_and_swapped_in_the_share(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """Her version goes with its file; what the share has of that file does not go over it unasked."""
    trees = [{"source": "A", "collaborators": [{"login": "ann@example.com", "role": "co-owner"}]}]
    program = program_on(tmp_path / "run", box, share, None, trees=trees)
    assert migrate(program)["complete"]
    ann = box.person(next(user for user in box.core.store.users.values() if user.login == "ann@example.com"))
    ann.accept()
    before = ids(box)
    ann.edit(before["A/a.txt"], b"a week of her work")
    turned(share / "A", "a.txt", "b.txt")
    with (share / "A/b.txt").open("ab") as file:
        file.write(b" edited")

    assert (
        4 == calls_of(program, box, complete=False)[RENAME]
    )  # one was refused, for the etag that it had before

    hers = box.core.store.files[before["A/a.txt"]]
    assert (len(b"a week of her work"), "b.txt") == (hers.size, hers.name)
    assert before["A/b.txt"] == ids(box)["A/a.txt"]


def test_renamed_and_edited(program: Program, box: Sandbox, share: Path) -> None:
    """In one folder and into another: one call for the name, one version for the content."""
    before = ids(box)
    for old, new in (("A/a.txt", "A/a, second draft.txt"), ("A/b.txt", "M/moved.txt")):
        (share / old).rename(share / new)
        with (share / new).open("ab") as file:
            file.write(b" edited")

    assert {RENAME: 2, VERSION: 2} == calls_of(program, box)

    assert before["A/a.txt"] == ids(box)["A/a, second draft.txt"]
    assert before["A/b.txt"] == ids(box)["M/moved.txt"]
    versions = assert_same(box, share)
    assert (2, 2) == (versions["A/a, second draft.txt"], versions["M/moved.txt"])


@pytest.mark.parametrize("new", [pytest.param("A/renamed", marks=pytest.mark.torture), "M/empty"])
def test_empty_folder(program: Program, box: Sandbox, share: Path, new: str) -> None:
    """One call, and it is the same folder."""
    before = ids(box)
    (share / "A/empty").rename(share / new)

    assert {MOVE: 1} == calls_of(program, box)

    assert before["A/empty"] == ids(box)[new]
    assert_same(box, share)
    assert {} == calls_of(program, box)


@pytest.mark.torture
def test_empty_folder_that_has_an_old_ones_id(program: Program, box: Sandbox, share: Path) -> None:
    """Deleted and another one made, which gets the same id on many file systems: a new one."""
    before = ids(box)
    (share / "A/empty").rmdir()
    (share / "A/another").mkdir()

    assert {MAKE: 1} == calls_of(program, box)

    assert before.items() <= ids(box).items()


def swapped(one: Path, other: Path) -> None:
    """Each gets the other's place."""
    one.rename(one.parent / "aside")
    other.rename(one)
    (one.parent / "aside").rename(other)


def test_folders_of_two_parents(program: Program, box: Sandbox, share: Path) -> None:
    """Three calls: one steps aside where it is. Everything below keeps its id."""
    before = ids(box)
    swapped(share / "A/x", share / "M/x")

    assert {MOVE: 3} == calls_of(program, box)

    after = ids(box)
    assert (before["A/x"], before["M/x"]) == (after["M/x"], after["A/x"])
    assert before["A/x/in x.txt"] == after["M/x/in x.txt"]
    assert {1} == set(assert_same(box, share).values())
    assert {} == calls_of(program, box)


@pytest.mark.torture
@pytest.mark.parametrize(
    ("crash", "back"),
    [
        (f"{when}|{MOVE}|{number}", back)
        for when in ("before", "after")
        for number in (1, 2, 3)
        for back in (False, True)
    ],
)
def test_killed_in_a_swap_of_folders(
    program: Program, box: Sandbox, share: Path, crash: str, back: bool
) -> None:
    """The next run finishes it, or undoes it where the share was put right meanwhile."""
    before = ids(box)
    swapped(share / "A/x", share / "M/x")
    with Victims() as victims:
        assert -9 == victims.run(program, "migrate", crash=crash).code
    if back:
        swapped(share / "A/x", share / "M/x")

    assert set(calls_of(program, box)) <= {MOVE}

    after = ids(box)
    assert (before["A/x"], before["M/x"]) == (
        (after["A/x"], after["M/x"]) if back else (after["M/x"], after["A/x"])
    )
    assert {1} == set(assert_same(box, share).values())
    assert {} == calls_of(program, box)


@pytest.mark.torture
def test_a_file_that_went_to_another_tree_is_told(tmp_path: Path, box: Sandbox, share: Path) -> None:
    """It is sent anew, since other people may see that tree, and the report says so; Box keeps what the first had."""
    program = program_on(tmp_path / "run", box, share, None, trees=[{"source": "A"}, {"source": "M"}])
    assert migrate(program)["complete"]
    before = ids(box)
    (share / "A/a.txt").rename(share / "M/a.txt")

    assert {SEND: 1} == calls_of(program, box)

    assert before.items() <= ids(box).items()
    with Checkpoint.open(f"sqlite:///{tmp_path}/run/state.db") as checkpoint:
        told = list(events(checkpoint, 1, kind=EventKind.MOVE_NOT_FOLLOWED))
    assert ["A/a.txt is M/a.txt (it came from another tree, whose people may be others)"] == [
        name for event in told for name in event.detail["names"]
    ]
