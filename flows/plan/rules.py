"""PlanRules: everything in a plan that keeps an entry of the share from moving, as one rule. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from connectors.entry import Entry
from flows.plan.archive import ArchiveRule
from flows.plan.exclude import ExcludeRules
from flows.plan.model import MigrationPlan


class PlanRules:
    """The plan's exclude patterns, and after them what it archives, as of one moment."""

    def __init__(self, plan: MigrationPlan, *, now: datetime | None = None) -> None:
        self._exclude = ExcludeRules(plan.exclude)
        self._archive = ArchiveRule(plan.archive, now or datetime.now(UTC)) if plan.archive else None

    def reason(self, entry: Entry) -> str | None:
        """Return "rule: …" when the plan leaves the entry out, else None."""
        found = self._exclude.reason(entry)
        if found is not None or self._archive is None:
            return found
        return self._archive.reason(entry)

    @property
    def digest(self) -> str:
        """64 characters; other rules have another one, and so has the same rule of archiving once its limit moved."""
        if self._archive is None:
            return self._exclude.digest
        whole = f"{self._exclude.digest} {self._archive.limit.isoformat()}"
        return hashlib.sha256(whole.encode()).hexdigest()
