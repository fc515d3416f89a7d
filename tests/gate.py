"""Which cases of a test `make test` runs, where it has many that cost much; `make torture` runs the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pytest


def leave_to_torture(items: Sequence[pytest.Item]) -> None:
    """Mark all but `count` cases of each test that has the mark `gate(count)`; those that stay lie evenly."""
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("gate") and not item.get_closest_marker("torture"):
            cases[item.nodeid.partition("[")[0]].append(item)
    for several in cases.values():
        mark = several[0].get_closest_marker("gate")
        assert mark is not None
        stay = chosen(len(several), *mark.args)
        for number, item in enumerate(several):
            if number not in stay:
                item.add_marker(pytest.mark.torture)


def chosen(cases: int, count: int) -> set[int]:
    """Return the numbers of so many of the cases, from the middle of each part of equal length."""
    return {(2 * part + 1) * cases // (2 * count) for part in range(count)}
