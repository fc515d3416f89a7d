"""Archiving: a plan that moves only what nobody changed for long enough. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from connectors.entry import Entry, EntryKind
from flows.plan.exclude import rule_reason

_SPAN = r"^([1-9][0-9]{0,3})([dwmy])$"
_MONTHS, _DAYS = {"m": 1, "y": 12}, {"d": 1, "w": 7}


class TouchedBy(StrEnum):
    """What counts as touching a file."""

    #: Its time of modification.
    MODIFIED = "modified"
    #: When it was read last, or modified if that is later.
    ACCESSED = "accessed"


#: Sources that tell when a file was read last.
WITH_ACCESS_TIMES = ("file", "smb")

#: How the reason begins for what stays because somebody read it.
WAS_READ = rule_reason("archive, accessed within")


class ArchivePlan(BaseModel):
    """Move only files that nobody touched for so long; the rest is excluded, with this rule as its reason.

    Folders move whatever they hold. Once `report --removable` was used, say `source: {may_be_empty: true}`: a folder
    that lists nothing of what it had is taken for a disk that is not mounted otherwise.
    """

    model_config = ConfigDict(extra="forbid")

    untouched: Annotated[
        str,
        Field(
            title="Untouched",
            description="How long, in days, weeks, months or years: 90d, 6w, 18m, 2y. Months and years are counted "
            "from the first of the current month, days and weeks from today, both in UTC.",
            pattern=_SPAN,
            examples=["2y"],
        ),
    ]
    by: Annotated[
        TouchedBy,
        Field(
            title="By",
            description="What counts as touching: modified, the file's time of modification; accessed, when it was "
            "read last, too. Only of file:// and smb://, and where the server keeps it.",
        ),
    ] = TouchedBy.MODIFIED


class ArchiveRule:
    """The rule at one moment: files that were touched later than its limit do not move."""

    def __init__(self, plan: ArchivePlan, now: datetime) -> None:
        self._plan = plan
        self.limit = limit_of(plan.untouched, now)
        self._limit_ns = int(self.limit.timestamp()) * 10**9

    def reason(self, entry: Entry) -> str | None:
        """Return why this entry stays: it was touched, or nobody knows when. None for what moves, and for folders."""
        if entry.kind is not EntryKind.FILE or entry.fault is not None:
            return None
        touched = {TouchedBy.MODIFIED: entry.modified_ns}
        if self._plan.by is TouchedBy.ACCESSED:
            touched[TouchedBy.ACCESSED] = entry.accessed_ns
        for by, moment in touched.items():
            if moment is None:
                return rule_reason(f"archive, the share does not say when it was {by.value}")
            if moment >= self._limit_ns:
                return rule_reason(f"archive, {by.value} within {self._plan.untouched}")
        return None


def limit_of(span: str, now: datetime) -> datetime:
    """Return the moment before which a file was touched last to count as untouched, so that it moves seldom: a walk
    that goes on tomorrow is to find the same rule."""
    found = re.match(_SPAN, span)
    if found is None:
        raise ValueError(f"{span!r} is no span of time")
    number, unit = int(found[1]), found[2]
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit in _DAYS:
        return today - timedelta(days=number * _DAYS[unit])
    year, month = divmod(today.year * 12 + today.month - 1 - number * _MONTHS[unit], 12)
    # A share's times may be older than any year that a calendar has.
    return today.replace(year=max(year, 1), month=month + 1 if year >= 1 else 1, day=1)
