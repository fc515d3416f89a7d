"""Statuses: which steps are allowed."""

from __future__ import annotations

import pytest

from state.errors import IllegalTransition
from state.statuses import ITEM_TRANSITIONS, PERMANENT_REASONS, ItemStatus, require_transition


def test_every_status_has_its_steps() -> None:
    """The table names every status, and no step to itself."""
    assert set(ItemStatus) == set(ITEM_TRANSITIONS)
    assert not [status for status, steps in ITEM_TRANSITIONS.items() if status in steps]


@pytest.mark.parametrize("status", ItemStatus)
def test_nothing_is_stuck(status: ItemStatus) -> None:
    """Every status leads back to PENDING, so that new content always moves; and to MISSING, except MISSING itself."""
    wanted = {ItemStatus.PENDING, ItemStatus.GONE} - {status}

    assert wanted <= ITEM_TRANSITIONS[status]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ItemStatus.UPLOADED, ItemStatus.WAIVED),
        (ItemStatus.EXCLUDED, ItemStatus.FAILED),
        (ItemStatus.EXCLUDED, ItemStatus.WAIVED),
        (ItemStatus.WAIVED, ItemStatus.FAILED),
        (ItemStatus.GONE, ItemStatus.WAIVED),
    ],
)
def test_other_steps_are_refused(before: ItemStatus, after: ItemStatus) -> None:
    """A step that the table lacks raises IllegalTransition, which names both statuses."""
    with pytest.raises(IllegalTransition, match=f"{before}.*{after}"):
        require_transition(before, after)


@pytest.mark.parametrize("status", ItemStatus)
def test_no_step_is_allowed(status: ItemStatus) -> None:
    """Staying is always allowed."""
    require_transition(status, status)


def test_permanent_reasons_are_reason_codes() -> None:
    """The reasons that no new pass retries are codes of the connectors' errors."""
    from connectors import errors

    codes = {getattr(value, "reason", None) for value in vars(errors).values()}

    assert codes >= PERMANENT_REASONS
