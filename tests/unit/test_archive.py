"""What a plan archives: the limit of a span, and which files it keeps from moving."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from connectors.entry import Entry, EntryKind, Fault
from flows.plan.archive import ArchivePlan, limit_of
from flows.plan.model import MigrationPlan
from flows.plan.rules import PlanRules

NOW = datetime(2026, 3, 31, 1, 30, tzinfo=timezone(timedelta(hours=9)))


@pytest.mark.parametrize(
    ("span", "limit"),
    [
        ("1d", "2026-03-29"), ("2w", "2026-03-16"), ("1m", "2026-02-01"), ("3m", "2025-12-01"),
        ("15m", "2024-12-01"), ("2y", "2024-03-01"), ("2026y", "0001-01-01"), ("9999y", "0001-01-01"),
    ],
)  # fmt: skip
def test_limit(span: str, limit: str) -> None:
    """Days and weeks are counted from today, months and years from the first of this month; today is UTC's."""
    assert datetime.fromisoformat(limit).replace(tzinfo=UTC) == limit_of(span, NOW)


@pytest.mark.parametrize("span", ["", "2", "0y", "-1y", "2 y", "2h", "1.5y", "99999d", "2y\n"])
def test_span_that_is_none(span: str) -> None:
    """Anything else is refused with the plan."""
    with pytest.raises(ValueError, match="untouched"):
        ArchivePlan(untouched=span)


def plan(**changes: object) -> MigrationPlan:
    """A plan that archives."""
    box = {"auth": {"method": "jwt", "config_file": "box.json"}}
    document = {"name": "p", "source": {"url": "file:///srv"}, "box": box, "archive": {"untouched": "2y"}}
    return MigrationPlan.model_validate(document | changes)


def reason(entry: Entry) -> str | None:
    """Why the plan leaves an entry out."""
    return PlanRules(plan(), now=NOW).reason(entry)


def test_which_files_stay() -> None:
    """What was modified since the limit, or nobody knows when; folders and what cannot be looked at are not judged."""
    limit = int(datetime(2024, 3, 1, tzinfo=UTC).timestamp()) * 10**9
    old = Entry(path="a", kind=EntryKind.FILE, modified_ns=limit - 1)
    young = Entry(path="b", kind=EntryKind.FILE, modified_ns=limit)
    undated = Entry(path="c", kind=EntryKind.FILE)
    folder = Entry(path="d", kind=EntryKind.FOLDER, modified_ns=limit + 1)
    broken = Entry(path="e", kind=EntryKind.FILE, fault=Fault("denied", "no"))
    excluded = Entry(path="Thumbs.db", kind=EntryKind.FILE, modified_ns=limit - 1)

    assert [None, "rule: archive, modified within 2y"] == [reason(old), reason(young)]
    assert "rule: archive, the share does not say when it was modified" == reason(undated)
    assert [None, None, "rule: Thumbs.db"] == [reason(folder), reason(broken), reason(excluded)]


def test_rules_are_others_once_the_limit_moved() -> None:
    """In one month they are the same rules, so that a walk goes on; in the next one, and without, they are not."""
    digests = {PlanRules(plan(), now=NOW + timedelta(days=days)).digest for days in (-1, 0, 31)}
    without = PlanRules(plan(archive=None), now=NOW).digest

    assert 2 == len(digests)
    assert without not in digests
