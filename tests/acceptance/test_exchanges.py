"""Files of several folders that have each other's places: they keep their ids, and no byte is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.transfer.moved_folders import ASIDE
from tests.acceptance.changing import assert_same, ids
from tests.acceptance.proof import sums_add_up
from tests.acceptance.renaming import LOOK, RENAME, SEND, VERSION, calls_of, moved_once, small_share, turned
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
    "places",
    [
        pytest.param(("A/a.txt", "M/5.txt"), marks=pytest.mark.torture),
        ("A/a.txt", "M/x/z.txt", "A/x/in x.txt"),
    ],
)
def test_files_of_several_folders_in_a_circle(
    program: Program, box: Sandbox, share: Path, places: tuple[str, ...]
) -> None:
    """One call each and one more, no bytes and no version: every content keeps its id; the next pass is silent."""
    before = ids(box)
    turned(share, *places)

    assert {RENAME: len(places) + 1} == calls_of(program, box)

    after = ids(box)
    for old, new in zip(places, (*places[1:], places[0]), strict=True):
        assert before[old] == after[new]
    assert {1} == set(assert_same(box, share).values())
    assert {} == calls_of(program, box)
    assert 0 == sums_add_up(program)["totals"]["items"]["gone"]


@pytest.mark.torture
@pytest.mark.parametrize(
    "crash", [f"{when}|{RENAME}|{number}" for when in ("before", "after") for number in (1, 2, 3)]
)
@pytest.mark.parametrize("then", ["as it was", "put back", "deleted"])
def test_killed_in_an_exchange(program: Program, box: Sandbox, share: Path, crash: str, then: str) -> None:
    """The next run finishes it, whatever the places are by then: no bytes are sent, nothing is lost or left aside."""
    before = ids(box)
    turned(share, "A/a.txt", "M/5.txt")
    with Victims() as victims:
        assert -9 == victims.run(program, "migrate", crash=crash).code
    if then == "put back":
        turned(share, "A/a.txt", "M/5.txt")
    elif then == "deleted":
        (share / "M/5.txt").unlink()

    calls = calls_of(program, box)

    after = ids(box)
    assert not [path for path in after if ASIDE in path]
    assert not {SEND, VERSION} & set(calls) or then == "deleted", calls
    if then == "as it was":
        assert (before["A/a.txt"], before["M/5.txt"]) == (after["M/5.txt"], after["A/a.txt"])
    elif then == "put back":
        assert before == after
    assert set(before.values()) == set(after.values())
    if then != "deleted":
        assert {1} == set(assert_same(box, share).values())
    assert digest(share / "A/a.txt") == box.files()["All/A/a.txt"].sha1
    assert {} == calls_of(program, box)


@pytest.mark.torture
@pytest.mark.parametrize(
    "crash", [f"{when}|{RENAME}|{number}" for number in (1, 2, 3, 4) for when in ("before", "after")]
)
def test_killed_in_an_exchange_of_three(program: Program, box: Sandbox, share: Path, crash: str) -> None:
    """The next run finishes it where it ended, with no byte: each content keeps its id, and Box has nothing else."""
    before, places = ids(box), ("A/a.txt", "M/x/z.txt", "A/x/in x.txt")
    turned(share, *places)
    with Victims() as victims:
        assert -9 == victims.run(program, "migrate", crash=crash).code

    assert set(calls_of(program, box)) <= {RENAME, LOOK}

    after = ids(box)
    for old, new in zip(places, (*places[1:], places[0]), strict=True):
        assert before[old] == after[new]
    assert {1} == set(assert_same(box, share).values())
    assert {} == calls_of(program, box)


@pytest.mark.torture
@pytest.mark.parametrize("number", [1, 2, 3])
def test_exchange_that_box_refuses(program: Program, box: Sandbox, share: Path, number: int) -> None:
    """One is locked in Box: nothing is left aside, and each place holds what the share has there."""
    turned(share, "A/a.txt", "M/5.txt")
    box.faults.next(RENAME).nth(number).status(403, error="access_denied_item_locked")

    calls_of(program, box)

    assert not [path for path in ids(box) if ASIDE in path]
    assert_same(box, share)
    assert {} == calls_of(program, box)


@pytest.mark.torture
def test_exchange_and_edit(program: Program, box: Sandbox, share: Path) -> None:
    """One was written to as well: by names, as it is not certain any more who it is; no content is lost."""
    turned(share, "A/a.txt", "M/5.txt")
    with (share / "M/5.txt").open("ab") as file:
        file.write(b" edited")

    calls_of(program, box)

    assert_same(box, share)
