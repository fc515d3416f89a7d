"""Box's clock, as its answers tell it."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from connectors.box.client.clock import Heard, skew_seconds

#: Whole, as a Date header is.
NOON = 1_800_000_000


def heard(by_box: float, asked_at: float, heard_at: float) -> Heard:
    """An answer that Box wrote at this moment of its clock."""
    date = format_datetime(datetime.fromtimestamp(int(by_box), UTC), usegmt=True)
    return Heard({"date": date}, asked_at, heard_at)


def test_an_answer_that_comes_late_is_no_wrong_clock() -> None:
    """A busy machine reads an answer seconds after Box wrote it; both clocks agree all the same."""
    assert 0.0 == skew_seconds(heard(NOON + 0.9, NOON + 0.8, NOON + 7.0), None)
    assert 0.0 == skew_seconds(heard(NOON + 6.5, NOON, NOON + 7.0), None)


def test_what_is_known_stays_while_answers_allow_it() -> None:
    """An upload of minutes says little about the clock: what a quick answer told is not given up for it."""
    quick = skew_seconds(heard(NOON + 3600, NOON, NOON + 0.1), None)
    assert quick is not None
    assert 3599 <= quick <= 3601
    assert quick == skew_seconds(heard(NOON + 3900, NOON + 100, NOON + 400), quick)
    assert quick == skew_seconds(Heard({}, 0.0, 0.0), quick)
    assert skew_seconds(Heard({"date": "noon"}, 0.0, 1.0), None) is None


@given(st.integers(-100_000, 100_000), st.floats(0, 60), st.floats(0, 60), st.none() | st.integers(-9, 9))
def test_it_is_never_further_off_than_the_answer_was_long(
    true: int, there: float, back: float, believed: int | None
) -> None:
    """Whatever was believed: one answer corrects it, but for the time that it took and the part of a second."""
    asked_at = NOON + 0.25
    found = skew_seconds(heard(asked_at + there + true, asked_at, asked_at + there + back), believed)
    assert found is not None
    assert abs(found - true) <= max(there, back) + 1.0
