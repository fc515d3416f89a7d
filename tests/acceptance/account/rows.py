"""Rows of `boxhaul check`, as the tests look at them."""

from __future__ import annotations

from collections.abc import Callable

SetPeople = Callable[..., None]


def assert_row(row: dict[str, str], state: str, *told: str) -> None:
    """The row stands so, and says these words."""
    text = f"{row['found']} {row['what_to_do']}"
    assert state == row["state"], text
    for words in told:
        assert words in text
    if state != "ok":
        assert row["what_to_do"]
