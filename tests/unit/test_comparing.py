"""One folder's listing against the checkpoint: what differs, by its kind, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connectors.box.types import BoxChild
from connectors.entry import EntryKind
from flows.reconciliation.comparing import compare_listing
from state.kept_records import KeptChild

DATE = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


def kept(name: str = "a", **values: object) -> KeptChild:
    """A file that was sent."""
    record = KeptChild(
        name=name,
        kind=EntryKind.FILE,
        box_name=name,
        box_id="1",
        required=True,
        size=9,
        sha1="s",
        version_id="7",
        modified_ns=int(DATE.timestamp()) * 10**9 + 999,
    )
    return replace(record, **values)  # type: ignore[arg-type]


def listed(name: str = "a", **values: object) -> BoxChild:
    """As Box lists it."""
    record = BoxChild(
        type="file", id="1", name=name, size=9, sha1="s", etag="0", modified=DATE, version_id="7"
    )
    return replace(record, **values)  # type: ignore[arg-type]


def found(kept_: list[KeptChild], listed_: list[BoxChild], *, dates: bool = True) -> list[str]:
    """The kinds of what differs."""
    return [suspect.kind.value for suspect in compare_listing(kept_, listed_, dates=dates)]


@pytest.mark.parametrize(
    ("there", "kinds"),
    [
        (listed(), []),
        (listed("b"), ["renamed"]),
        (listed(size=8, sha1="t"), ["truncated"]),
        (listed(sha1="t"), ["altered"]),
        (listed(size=10, sha1="t"), ["altered"]),
        (listed(modified=None), ["wrong_date"]),
        (listed(modified=DATE.replace(second=6)), ["wrong_date"]),
        (listed("b", sha1="t"), ["renamed", "altered"]),
        (listed(version_id="8"), []),
    ],
)
def test_a_file_that_is_listed(there: BoxChild, kinds: list[str]) -> None:
    """Name, size, sha1 and date count; another version of the same bytes does not."""
    assert kinds == found([kept()], [there])


def test_dates_may_be_left_out() -> None:
    """On request."""
    assert [] == found([kept()], [listed(modified=None)], dates=False)


def test_what_need_not_be_there_is_neither_missing_nor_extra() -> None:
    """Excluded since, or gone from the source: Box may have it, whatever it holds now."""
    optional = kept(required=False)
    assert [] == found([optional], [])
    assert [] == found([optional], [listed(sha1="t")])


def test_missing_and_what_has_its_name_are_one() -> None:
    """A folder under the name, in whatever letters Box takes for the same."""
    folder = BoxChild(type="folder", id="2", name="A", size=0, sha1=None, etag="0", modified=None)

    [suspect] = compare_listing([kept()], [folder])

    assert (kept(), folder) == (suspect.kept, suspect.listed)


def test_second_folder_of_a_name() -> None:
    """Only where the first one is there."""
    known = kept(kind=EntryKind.FOLDER, sha1=None, modified_ns=None)
    first = BoxChild(type="folder", id="1", name="a", size=0, sha1=None, etag="0", modified=None)
    second = replace(first, id="2")

    assert ["duplicate_folder"] == found([known], [first, second])
    assert ["extra_in_box"] == found([], [second])
