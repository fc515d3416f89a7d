"""PlanRules: everything in a plan that keeps an entry of the share from moving, as one rule. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from connectors.entry import Entry
from flows.plan.archive import ArchiveRule
from flows.plan.exclude import ExcludeRules
from flows.plan.filters import FilterRules
from flows.plan.model import MigrationPlan


class PlanRules:
    """The plan's exclude patterns, after them its filters, and then what it archives, as of one moment."""

    def __init__(self, plan: MigrationPlan, *, now: datetime | None = None) -> None:
        now = now or datetime.now(UTC)
        self._exclude = ExcludeRules(plan.exclude)
        self._filters = FilterRules(plan.filters, now=now, by_the_day=True) if plan.filters else None
        self._archive = ArchiveRule(plan.archive, now) if plan.archive else None

    def reason(self, entry: Entry) -> str | None:
        """Return "rule: …" when the plan leaves the entry out, else None."""
        found = self._exclude.reason(entry)
        if found is None and self._filters is not None:
            found = self._filters.reason(entry)
        if found is not None or self._archive is None:
            return found
        return self._archive.reason(entry)

    @property
    def digest(self) -> str:
        """64 characters; other rules have another one, and so has the same rule of an age once its limit moved."""
        more = [self._filters.digest] if self._filters is not None else []
        more += [self._archive.limit.isoformat()] if self._archive is not None else []
        if not more:
            return self._exclude.digest
        return hashlib.sha256(" ".join([self._exclude.digest, *more]).encode()).hexdigest()
