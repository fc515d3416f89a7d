"""Which of the failed entries are listed where there is no room for all."""

from __future__ import annotations

from collections import Counter

from connectors.entry import EntryKind
from flows.orchestration.log_lines import failure_words
from flows.reporting.failures import first_by_reason
from state.records import ItemLine
from state.statuses import ItemStatus


def failed(path: str, reason: str, detail: str | None = None) -> ItemLine:
    """A file that failed."""
    return ItemLine(
        tree="Legal",
        path=path,
        kind=EntryKind.FILE,
        status=ItemStatus.FAILED,
        reason=reason,
        detail=detail,
        size=1,
        sha1=None,
        box_id=None,
        box_version_id=None,
        box_name=path,
        renamed=False,
        modified_ns=None,
        uploaded_at=None,
        attempts=3,
    )


def test_a_rare_reason_is_not_hidden_by_a_frequent_one() -> None:
    """The room is shared; the most frequent reason is first, each reason together and in its order."""
    lines = [failed(f"{number}", "locked") for number in range(500)] + [
        failed("a", "too_large"),
        failed("b", "too_large"),
    ]

    listed = first_by_reason(lines, limit=100)

    assert {"locked": 98, "too_large": 2} == Counter(line.reason for line in listed)
    assert ["locked"] * 98 + ["too_large"] * 2 == [line.reason for line in listed]
    assert [f"{number}" for number in range(98)] == [line.path for line in listed[:98]]


def test_all_are_listed_where_there_is_room() -> None:
    """And none where nothing failed."""
    assert 3 == len(first_by_reason([failed(name, "locked") for name in "abc"], limit=100))
    assert [] == first_by_reason([], limit=100)


def test_a_failure_is_one_line_without_control_characters() -> None:
    """Path, reason as the report has it, and what happened."""
    words = failure_words(failed("Legal/a\nb.txt", "locked", "held by another client"))

    assert words == "failed: Legal/a\\x0ab.txt (locked: held by another client)"
