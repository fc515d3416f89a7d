"""Entry and Fingerprint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.entry import Entry, EntryKind, Fingerprint

BASE = Fingerprint(size=10, modified_ns=1, changed_ns=2, file_id="a")


def test_the_name_is_the_last_part_of_the_path() -> None:
    """Also at the root, where there is only one."""
    assert "c.txt" == Entry(path="a/b/c.txt", kind=EntryKind.FILE).name
    assert "c.txt" == Entry(path="c.txt", kind=EntryKind.FILE).name
    assert "" == Entry(path="", kind=EntryKind.FOLDER).name


def test_a_fingerprint_equals_itself() -> None:
    """Nothing changed means the same content."""
    assert BASE.same_content_as(BASE)


@pytest.mark.parametrize(
    "change",
    [{"size": 11}, {"modified_ns": 9}, {"changed_ns": 9}, {"file_id": "b"}],
    ids=lambda c: next(iter(c)),
)
def test_any_known_difference_is_a_change(change: dict[str, object]) -> None:
    """Size, either time or the id: each is enough."""
    assert not BASE.same_content_as(replace(BASE, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("unknown", ["modified_ns", "changed_ns", "file_id"])
def test_what_one_side_does_not_know_is_not_compared(unknown: str) -> None:
    """A source without ids or change times does not make everything look changed."""
    assert BASE.same_content_as(replace(BASE, **{unknown: None}))  # type: ignore[arg-type]


def test_an_entry_hands_out_its_fingerprint() -> None:
    """With exactly the four values that matter."""
    entry = Entry(
        path="a", kind=EntryKind.FILE, size=10, modified_ns=1, created_ns=0, changed_ns=2, file_id="a"
    )

    assert BASE == entry.fingerprint


SECOND = 10**9
NOW = 1_700_000_000 * SECOND + 123


@pytest.mark.parametrize(
    ("times", "settles"),
    [
        ({"modified_ns": 1_699_999_999 * SECOND}, NOW + 2 * SECOND),
        ({"modified_ns": 5 * SECOND}, NOW + 2 * SECOND),  # a clock that is years behind proves no more
        ({"modified_ns": 1_900_000_000 * SECOND}, NOW + 2 * SECOND),
        ({"modified_ns": 5 * SECOND, "changed_ns": 7}, None),
        ({"modified_ns": 7, "changed_ns": 5 * SECOND}, NOW + 2 * SECOND),
        ({"modified_ns": NOW - 51_000_000}, None),
        ({"modified_ns": NOW - 49_000_000}, NOW + 50_000_000),
        ({"modified_ns": NOW + 49_000_000}, NOW + 50_000_000),
        ({"modified_ns": None}, 2**63 - 1),  # no time proves nothing, ever
        ({"modified_ns": 5 * SECOND, "file_id": "etag:abc"}, None),
        ({"modified_ns": 5 * SECOND, "file_id": "abc"}, NOW + 2 * SECOND),
    ],
)
def test_a_time_proves_nothing_within_its_granularity(times: dict[str, object], settles: int | None) -> None:
    """A fingerprint first seen now proves something two seconds later where its times are whole seconds."""
    assert settles == Fingerprint(**{"size": 1, **times}).settles_ns(NOW)  # type: ignore[arg-type]
