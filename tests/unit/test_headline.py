"""The report's headline says what is true, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from flows.reporting.headline import verdict


def tree(name: str, state: str = "complete", **changes: Any) -> dict[str, Any]:
    """A tree of the status document, as far as the headline looks at it."""
    return {
        "name": name,
        "state": state,
        "in_plan": True,
        "let_in": 0,
        "shared_link": None,
        "collaborators": [],
        "still_in": [],
        **changes,
    }


def said(
    *trees: dict[str, Any],
    not_begun: tuple[str, ...] = (),
    in_box: int = 0,
    uncovered: int = 0,
    **proofs: str,
) -> str:
    """The headline of these trees; proofs by tree, a listing where nothing else is said."""
    document = {"trees": list(trees), "not_begun": list(not_begun)}
    listings = {each["name"]: "listing" for each in trees}
    found = verdict(document, listings | proofs, excluded_in_box=in_box, uncovered=uncovered)
    assert found.complete == found.text.startswith("Complete: ")
    return found.text


def test_complete() -> None:
    """Every tree of the plan is proven and open to its people."""
    assert (
        "Complete: every entry is accounted for, Box's listing agrees, and the people of the plan are in."
        == said(tree("A", let_in=1), tree("B"))
    )


@pytest.mark.parametrize(
    ("uncovered", "told"),
    [
        (1, "are in. 1 entry of the share is in no tree of the plan."),
        (1200, "are in. 1,200 entries of the share are in no tree of the plan."),
    ],
)
def test_what_no_tree_covers_is_told(uncovered: int, told: str) -> None:
    """Every entry of the plan's trees is accounted for, and of the others it says that there are some."""
    assert said(tree("A"), uncovered=uncovered).endswith(told)


def test_people_who_have_not_come_are_told() -> None:
    """An invitation that waits, or was declined, lets nobody in."""
    people = [{"status": status} for status in ("accepted", "pending", "pending", "rejected")]

    assert "the people of the plan are in (2 still to accept, 1 declined)." in said(
        tree("A", collaborators=people)
    )


def test_people_of_an_earlier_plan_who_are_still_in_are_told() -> None:
    """Somebody whom the plan does not name any more and nobody took out is named with role and tree."""
    person = {"login": "eve@example.com", "role": "editor", "status": "accepted"}

    assert said(tree("A", still_in=[person])).endswith(
        " Still let in, though not in the plan any more: eve@example.com (editor, A)."
    )


def test_receipts_are_no_listing() -> None:
    """Where no listing was made, none agrees."""
    assert "Box's receipt for each file agrees (no listing was made)" in said(tree("A"), A="receipts")
    assert "Box's listing agrees (for 1 of 2 trees its receipts: no listing was made there)" in said(
        tree("A"), tree("B"), B="receipts"
    )


@pytest.mark.parametrize("opened", [{"let_in": 2}, {"shared_link": {"url": "x"}}])
def test_incomplete_trees_that_people_see_are_named(opened: dict[str, Any]) -> None:
    """By an earlier pass, or before Box refused the link or the next person: "nobody was let in" is not true there."""
    assert "Not complete: 1 of 2 trees; nobody was let in there." == said(tree("A"), tree("B", "incomplete"))
    assert "Not complete: 1 of 1 tree; already open to people: A." == said(tree("A", "incomplete", **opened))
    assert "Not complete: 2 of 2 trees; already open to people: A; nobody was let in elsewhere." == said(
        tree("A", "incomplete", **opened), tree("B", "moving")
    )
    many = [tree(name, "moving", **opened) for name in "ABCDE"]
    assert "Not complete: 5 of 5 trees; already open to people: A, B, C and 2 more." == said(*many)


def test_trees_that_the_plan_names_no_more_are_left_out() -> None:
    """A mistyped tree that ran once holds nothing up, and is not passed over in silence."""
    text = said(tree("Ee", "incomplete", in_plan=False), tree("E"))

    assert text.startswith("Complete: ")
    assert text.endswith(" Left out: 1 tree that the plan does not name any more.")
    assert said(tree("Ee", in_plan=False)).startswith("Not complete: no tree was begun.")


def test_trees_that_no_run_has_begun_count() -> None:
    """A run of one tree does not complete a plan of two."""
    assert "Not complete: 1 of 2 trees; nobody was let in there." == said(tree("A"), not_begun=("B",))
    assert said(tree("A", "moving", let_in=1), not_begun=("B",)).endswith("nobody was let in elsewhere.")


def test_what_is_excluded_and_in_box_all_the_same_is_told() -> None:
    """Nothing is deleted in Box, whatever a rule says later."""
    assert said(tree("A"), in_box=1).endswith(" 1 entry that is excluded now is in Box all the same.")
    assert said(tree("A"), in_box=2).endswith(" 2 entries that are excluded now are in Box all the same.")


def test_names_are_fit_for_people() -> None:
    """A tree's name comes from the share."""
    assert "people: A\\x1b." in said(tree("A\x1b", "moving", let_in=1))
