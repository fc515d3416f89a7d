"""Folders that changed places, and in which others did, too: every content keeps its id, whatever is listed first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from connectors.sources.resilient import ResilientSource
from flows.transfer import walking
from tests.acceptance.changing import assert_same, ids
from tests.acceptance.renaming import VERSION, calls_of, moved_once, small_share, turned
from tests.program import Program
from tests.trees import build_tree


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Two folders with the same names in them, and other contents."""
    share = small_share(tmp_path / "share")
    for name in ("p", "q"):
        texts = {f"{number}.txt": f"{name} {number} ".encode() * (number + 1) for number in range(2)}
        build_tree(share / "A", {name: {"s": dict(texts), "t": {"0.txt": b"t of " + name.encode()}}})
    return share


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program, after a first complete pass."""
    return moved_once(tmp_path / "run", box, share)


@pytest.fixture
def deepest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listings come in any order, and each may be written down at once."""
    monkeypatch.setattr(walking, "SECONDS_AT_ONCE", 0.0)
    ordered = ResilientSource.list_folders

    def reversed_(self: ResilientSource, paths: Iterable[str]) -> Iterator[Any]:
        found = sorted(ordered(self, paths), key=lambda each: -each[0].count("/"))
        yield from found

    monkeypatch.setattr(ResilientSource, "list_folders", reversed_)


@pytest.mark.parametrize("inside", [("s", "t"), ("s/0.txt", "s/1.txt"), ("s/0.txt", "t/0.txt")])
@pytest.mark.usefixtures("deepest_first")
def test_swap_in_a_swap(program: Program, box: Sandbox, share: Path, inside: tuple[str, str]) -> None:
    """A folder changed places with its neighbour, and two in it with each other: no byte is sent, no version made."""
    before = ids(box)
    turned(share / "A/p", *inside)
    turned(share / "A", "p", "q")
    calls = calls_of(program, box)
    after = ids(box)
    there = {name: f"A/q/{inside[1 - number]}" for number, name in enumerate(inside)}

    assert VERSION not in calls, calls
    assert {before[f"A/p/{old}"]: new for old, new in there.items()} == {
        after[new]: new for new in there.values()
    }
    assert (before["A/p"], before["A/q"]) == (after["A/q"], after["A/p"])
    assert {1} == set(assert_same(box, share).values())
    assert {} == calls_of(program, box)
