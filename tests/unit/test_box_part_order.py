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
    assert [(*part, None) for part in parts] == list(parts_in_order(size, 8, {}))


def test_a_part_that_box_has_is_read_in_its_turn() -> None:
    """With what Box has of it, so that it is proven and not sent."""
    assert [(0, 8, None), (8, 8, "there"), (16, 1, None)] == list(parts_in_order(17, 8, {8: "there"}))
