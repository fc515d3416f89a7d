"""Files that changed names or places with each other in the share, one of which a person has changed in Box."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.person import Person
from flows.transfer.moved_folders import ASIDE
from tests.acceptance.changing import ids
from tests.acceptance.renaming import SEND, calls_of, moved_once, small_share, turned
from tests.acceptance.shares import digest
from tests.program import Program

#: What a person does with a file, by its id and that of another folder.
DEEDS: dict[str, Callable[[Person, str, str], None]] = {
    "trashed": lambda person, file, folder: person.trash(file),
    "renamed": lambda person, file, folder: person.rename(file, "hers.txt"),
    "moved": lambda person, file, folder: person.move(file, folder),
}
PAIR, CIRCLE, FOLDERS = ("A/a.txt", "A/b.txt"), ("A/a.txt", "A/b.txt", "A/c.txt"), ("A/a.txt", "M/5.txt")


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A small local share with old dates."""
    return small_share(tmp_path / "share")


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program, after a first complete pass."""
    return moved_once(tmp_path / "run", box, share)


@pytest.mark.gate(3)
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("deed", sorted(DEEDS))
@pytest.mark.parametrize("places", [PAIR, CIRCLE, FOLDERS])
def test_the_others_keep_their_ids(
    program: Program, box: Sandbox, share: Path, places: tuple[str, ...], deed: str, number: int
) -> None:
    """One was moved, renamed or deleted in Box: it is a person's now, and sent anew; the pass after that is silent."""
    before = ids(box)
    hers = places[number % len(places)]
    DEEDS[deed](box.person(), before[hers], before["A/empty"])
    left = {path: box_id for path, box_id in ids(box).items() if box_id == before[hers]}
    turned(share, *places)

    calls = calls_of(program, box)

    assert 1 == calls[SEND]
    after = ids(box)
    assert left.items() <= after.items()
    assert not [path for path in after if ASIDE in path]
    for old, new in zip(places, (*places[1:], places[0]), strict=True):
        assert digest(share / new) == box.files()[f"All/{new}"].sha1
        assert (old == hers) is (before[old] != after[new]), (old, new)
    assert {1} == {box.files()[f"All/{place}"].versions for place in places}
    assert {} == calls_of(program, box)
