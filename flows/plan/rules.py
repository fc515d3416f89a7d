"""PlanRules: everything in a plan that keeps an entry of the share from moving, as one rule. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from connectors.entry import Entry
from flows.plan.archive import ArchiveRule
from flows.plan.exclude import ExcludeRules
from flows.plan.filters import FilterRules
from flows.plan.model import MigrationPlan
from flows.plan.sample import SampleRule


class PlanRules:
    """The plan's exclude patterns, its filters, what it archives as of one moment, and the sample of a rehearsal: in
    this order."""

    def __init__(self, plan: MigrationPlan, *, now: datetime | None = None) -> None:
        now = now or datetime.now(UTC)
        self._exclude = ExcludeRules(plan.exclude)
        self._filters = FilterRules(plan.filters, now=now, by_the_day=True) if plan.filters else None
        self._archive = ArchiveRule(plan.archive, now) if plan.archive else None
        self._sample = SampleRule(plan.sample) if plan.sample else None

    def reason(self, entry: Entry) -> str | None:
        """Return "rule: …" when the plan leaves the entry out, else None."""
        found = self._exclude.reason(entry)
        for rule in (self._filters, self._archive, self._sample):
            if found is None and rule is not None:
                found = rule.reason(entry)
        return found

    @property
    def digest(self) -> str:
        """64 characters; other rules have another one, and so has the same rule of an age once its limit moved."""
        more = [self._filters.digest] if self._filters is not None else []
        more += [self._archive.limit.isoformat()] if self._archive is not None else []
        more += [self._sample.digest] if self._sample is not None else []
        if not more:
            return self._exclude.digest
        return hashlib.sha256(" ".join([self._exclude.digest, *more]).encode()).hexdigest()
