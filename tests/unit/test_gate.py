"""The choice of cases that `make test` runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.gate import chosen


@given(st.integers(1, 300), st.integers(1, 70))
def test_so_many_cases_stay_and_lie_evenly(cases: int, count: int) -> None:
    """As many as asked, or all there are; no gap between two of them is longer than a part and the next."""
    stay = sorted(chosen(cases, count))

    assert min(cases, count) == len(stay)
    assert set(stay) <= set(range(cases))
    gaps = [later - earlier for earlier, later in zip([-1, *stay], [*stay, cases], strict=True)]
    assert max(gaps) <= 2 * cases / count + 1
