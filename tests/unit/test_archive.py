"""What a plan archives: the limit of a span, and which files it keeps from moving."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from connectors.entry import Entry, EntryKind, Fault
from connectors.source import AccessTimes
from connectors.sources.local import LocalSource, kept_access_times
from flows.checks.access_times import access_rows
from flows.checks.rows import State
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


def test_by_last_access() -> None:
    """What was read since the limit stays, what was modified since then as well, and what nobody knows of."""
    limit = int(datetime(2024, 3, 1, tzinfo=UTC).timestamp()) * 10**9
    rules = PlanRules(plan(archive={"untouched": "2y", "by": "accessed"}), now=NOW)

    def said(modified: int, accessed: int | None) -> str | None:
        entry = Entry(path="a", kind=EntryKind.FILE, modified_ns=modified, accessed_ns=accessed)
        return rules.reason(entry)

    assert said(limit - 1, limit - 1) is None
    assert "rule: archive, accessed within 2y" == said(limit - 1, limit)
    assert "rule: archive, modified within 2y" == said(limit, limit - 1)
    assert "rule: archive, the share does not say when it was accessed" == said(limit - 1, None)


@pytest.mark.parametrize("url", ["sftp://fs01/data", "s3://bucket/data"])
def test_source_without_access_times(url: str) -> None:
    """One line of the plan's refusal says which it is and what to write."""
    with pytest.raises(ValueError, match="does not tell when a file was read last; say modified"):
        plan(source={"url": url}, archive={"untouched": "2y", "by": "accessed"})


MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 1 8:2 / /srv rw,noatime shared:2 - xfs /dev/sda2 rw
23 1 8:3 / /data rw,nosuid shared:3 - ext4 /dev/sda3 rw
24 1 8:3 /a /again rw,relatime shared:3 - ext4 /dev/sda3 rw
25 1 8:4 / /exact rw shared:3 - ext4 /dev/sda3 rw
"""


@pytest.mark.parametrize(
    ("minor", "kept"),
    [
        (1, AccessTimes.DAILY), (2, AccessTimes.NONE), (3, AccessTimes.DAILY), (4, AccessTimes.EXACT),
        (9, AccessTimes.UNKNOWN),
    ],
)  # fmt: skip
def test_mounts(minor: int, kept: AccessTimes) -> None:
    """The worst of a device's mounts counts."""
    assert kept is kept_access_times(os.makedev(8, minor), MOUNTS)


@pytest.mark.parametrize(
    ("kept", "state"),
    [
        (AccessTimes.NONE, State.PROBLEM), (AccessTimes.DAILY, State.WARNING),
        (AccessTimes.UNKNOWN, State.WARNING), (AccessTimes.EXACT, State.OK),
    ],
)  # fmt: skip
def test_rows(kept: AccessTimes, state: State, tmp_path: Path) -> None:
    """Without access times the run does not begin; with doubtful ones it is told; other plans are not asked."""

    class Mounted(LocalSource):
        def access_times(self) -> AccessTimes:
            return kept

    by_access = plan(archive={"untouched": "2y", "by": "accessed"})
    (row,) = access_rows(by_access, Mounted(tmp_path))

    assert (state, state is State.PROBLEM) == (row.state, row.stops is not None)
    assert [] == list(access_rows(plan(), Mounted(tmp_path)))
