"""Since: the moment of a quick pass, as it is written, and what is looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from connectors.entry import Entry, EntryKind
from flows.errors import PlanError
from flows.plan.since import since
from flows.transfer.quick import QuickLook, quick_words
from state.diff import Change, ChangeKind

NOW = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7d", NOW - timedelta(days=7)),
        ("12h", NOW - timedelta(hours=12)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T18:00+01:00", datetime(2026, 11, 20, 18, tzinfo=timezone(timedelta(hours=1)))),
        (" ", None),
    ],
)
def test_moments(text: str, moment: datetime | None) -> None:
    """Spans are counted back from now, dates without a zone are UTC."""
    assert moment == since(text, NOW)


@pytest.mark.parametrize("text", ["7", "0d", "-1d", "7 days", "yesterday", "2026-13-01", "2026-11-30"])
def test_what_is_no_moment(text: str) -> None:
    """One line that names what was written."""
    with pytest.raises(PlanError, match=f"since: '{text}'"):
        since(text, NOW)


def change(
    kind: ChangeKind, *, modified: int | None = 0, changed: int | None = None, folder: bool = False
) -> Change:
    """A change of an entry with these times, in seconds since the moment."""
    start = int(NOW.timestamp())
    entry = Entry(
        path="x",
        kind=EntryKind.FOLDER if folder else EntryKind.FILE,
        modified_ns=None if modified is None else (start + modified) * 10**9,
        changed_ns=None if changed is None else (start + changed) * 10**9,
    )
    gone = kind is ChangeKind.MISSING
    return Change(kind=kind, name="x", entry=None if gone else entry, known=None, box_name="x")


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        (change(ChangeKind.NEW, modified=1), True),
        (change(ChangeKind.NEW, modified=-1), False),
        (change(ChangeKind.CHANGED, modified=-1), False),
        (change(ChangeKind.CHANGED, modified=-9, changed=1), True),
        (change(ChangeKind.NEW, modified=None), True),
        (change(ChangeKind.NEW, modified=-9, folder=True), True),
        (change(ChangeKind.EXCLUDED, modified=-9), True),
        (change(ChangeKind.FAILED, modified=-9), True),
        (change(ChangeKind.MISSING), False),
    ],
)
def test_what_is_looked_at(found: Change, chosen: bool) -> None:
    """Files that are not older, by either time; and whatever is no question of age."""
    look = QuickLook(NOW)

    assert [found] * chosen == look.chosen([found])

    assert {"since": "2026-11-29T12:30:00+00:00", "left": int(not chosen)} == look.document()


def test_words_say_that_it_was_no_whole_pass() -> None:
    """With how much waits for one."""
    words = quick_words({"since": "2026-11-22T00:00:00+00:00", "left": 1})

    assert "since 2026-11-22 00:00 UTC" in words
    assert "1 older or moved entry waits" in words
