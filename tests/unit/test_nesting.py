"""Nesting: which trees lie inside the folders of others, compared with looking at every pair."""

from __future__ import annotations

import random
import unicodedata

from flows.sharing.nesting import Nesting
from state.records import TreeRecord
from state.statuses import TreeState


def tree(number: int, folder: str) -> TreeRecord:
    """A tree that is nothing but its folder."""
    return TreeRecord(
        id=number,
        name=folder,
        source=f"{number}",
        folder=folder,
        root_folder_id=number,
        box_folder_id=None,
        state=TreeState.MOVING,
        incomplete_reason=None,
        detail=None,
        verified=False,
        shared_link=None,
    )


def is_inside(inner: TreeRecord, outer: TreeRecord) -> bool:
    """True when one folder is in the other, as Box compares them."""
    inside, around = (
        [unicodedata.normalize("NFKD", name).casefold() for name in each.folder.split("/")]
        for each in (inner, outer)
    )
    return len(inside) > len(around) and inside[: len(around)] == around


def test_nesting_is_what_every_pair_says() -> None:
    """Folders drawn at random, deep and side by side, in either case, "A" beside "A old"."""
    rng = random.Random(61)
    for _ in range(200):
        names = ["A", "a", "A old", "B", "Straße", "STRASSE", "Ａ", "1", "①"]
        folders = ["/".join(rng.choices(names, k=rng.randint(1, 4))) for _ in range(rng.randint(1, 12))]
        trees = [tree(number, folder) for number, folder in enumerate(folders)]
        nesting = Nesting(trees)
        for each in trees:
            assert {other.id for other in trees if is_inside(other, each)} == set(nesting.below(each))
            assert {other.id for other in trees if is_inside(each, other)} == set(nesting.above(each))


def test_what_lies_around_a_path_comes_deepest_first() -> None:
    """The folder itself counts, and one that is called alike does not."""
    nesting = Nesting([tree(1, "Home"), tree(2, "Home/ann"), tree(3, "Home/ann b"), tree(4, "Other")])
    assert [2, 1] == nesting.around("home/ANN")
    assert [1] == nesting.around("Home/ann c")
    assert [] == nesting.around("")
