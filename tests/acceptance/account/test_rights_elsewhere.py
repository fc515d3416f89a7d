"""Rights that others gave: on folders above the tree's, still waiting for an answer. None of them is ours to touch."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.account.conftest import Account

GUEST = "guest@elsewhere.org"


@pytest.fixture
def above(account: Account, box: Sandbox) -> dict[str, str]:
    """A landing folder with two pending invitations that a person gave: by login and status, who → its id."""
    hands = box.person()
    landing = hands.make_folder("Landing")
    account.change_box(landing_folder_id=landing)
    return {
        GUEST: hands.invite(landing, GUEST, "viewer"),
        "other@elsewhere.org": hands.invite(landing, "other@elsewhere.org", "co-owner"),
    }


def grants_above(box: Sandbox) -> dict[str, tuple[str, str, str]]:
    """What is granted on the landing folder itself: who → (id, role, status)."""
    return {
        grant["login"]: (grant["id"], grant["role"], grant["status"])
        for grant in box.collaborations()
        if grant["path"] == "Landing"
    }


def grants_below(box: Sandbox) -> dict[str, str]:
    """What is granted on the tree's own folder: who → role."""
    return {
        grant["login"]: grant["role"]
        for grant in box.collaborations()
        if grant["path"] == "Landing/Accounting"
    }


@pytest.mark.parametrize("role", ["editor", "viewer", "uploader"])
@pytest.mark.parametrize("higher_below", [True, False])
@pytest.mark.gate(2)
def test_a_pending_invitation_above_stays_as_it_is(
    account: Account, box: Sandbox, people: Any, above: dict[str, str], role: str, higher_below: bool
) -> None:
    """Whatever the plan asks for below it, an invitation to the landing folder is neither raised, lowered nor ended."""
    box.settings.accept_higher_role_below = higher_below
    before = grants_above(box)
    people({"login": GUEST, "role": role}, {"login": "ann@example.com", "role": "editor"})
    account.migrate()
    after_run = grants_above(box)
    account.collaborate(prune=True)

    assert above == {who: grant_id for who, (grant_id, _, _) in before.items()}
    assert before == after_run == grants_above(box)
    assert "editor" == grants_below(box)["ann@example.com"]
    assert grants_below(box).get(GUEST, role) == role


def test_nobody_from_above_is_pruned(
    account: Account, box: Sandbox, people: Any, above: dict[str, str]
) -> None:
    """`--prune` takes away what the plan gave on the tree's folder, and nothing that was given above it."""
    people({"login": "ann@example.com"}, {"login": "new@elsewhere.org"})
    assert account.migrate()["complete"]
    before = grants_above(box)
    people({"login": "ann@example.com"})
    account.collaborate(prune=True)

    assert before == grants_above(box)
    assert ["ann@example.com"] == list(grants_below(box))


def test_an_invitation_of_the_trees_own_is_found_again(
    account: Account, box: Sandbox, people: Any, above: dict[str, str]
) -> None:
    """A pending invitation that the plan made has no item in Box's answers, and is known by its id all the same."""
    people({"login": "new@elsewhere.org", "role": "viewer"})
    assert account.migrate()["complete"]
    people({"login": "new@elsewhere.org", "role": "editor"})
    account.collaborate()
    mails = len(box.mails)
    again = account.collaborate()

    assert {"new@elsewhere.org": "editor"} == grants_below(box)
    assert mails == len(box.mails)
    assert "none" == again["new@elsewhere.org"]
    assert {"viewer", "co-owner"} == {role for _, role, _ in grants_above(box).values()}
    assert set(above) == set(grants_above(box))
