"""What a plan that archives by last access needs: a source that keeps it. Asks the machine alone."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.source import AccessTimes, Source
from flows.checks.rows import Row, ok, problem, warning
from flows.errors import CheckFailed
from flows.plan.archive import TouchedBy
from flows.plan.model import MigrationPlan

NAME = "access times"


def access_rows(plan: MigrationPlan, source: Source) -> Iterator[Row]:
    """Nothing for a plan that does not look at them. Without them every file would seem to be read by nobody."""
    if plan.archive is None or plan.archive.by is not TouchedBy.ACCESSED:
        return
    kept = source.access_times()
    if kept is AccessTimes.NONE:
        yield problem(
            NAME,
            "the share is mounted with noatime: nobody writes down when a file was read, and archive: {by: accessed}"
            " would move what is in use",
            "Say archive: {by: modified}, or mount it with relatime and wait for as long as the plan's span.",
            stops=CheckFailed,
        )
    elif kept is AccessTimes.DAILY:
        yield warning(
            NAME,
            "the share is mounted with relatime: when a file was read last is right to a day",
            "Nothing, where the plan's span is longer than that.",
        )
    elif kept is AccessTimes.UNKNOWN:
        yield warning(
            NAME,
            "the server does not say whether it writes down when a file was read; many do not",
            "Ask who runs it (Windows: fsutil behavior query disablelastaccess); if it does not, say modified.",
        )
    else:
        yield ok(NAME, "kept by the share")
