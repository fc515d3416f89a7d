"""Which part of a large file comes next."""

from __future__ import annotations

import pytest

from connectors.box.upload.part_order import parts_in_order


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (0, []),
        (1, [(0, 1)]),
        (8, [(0, 8)]),
        (9, [(0, 8), (8, 1)]),
        (24, [(0, 8), (8, 8), (16, 8)]),
    ],
)
def test_parts_follow_each_other_from_the_start(size: int, parts: list[tuple[int, int]]) -> None:
    """Every byte is in one part, the lowest offset comes first, and only the last part is shorter."""
    assert parts == list(parts_in_order(size, 8))
