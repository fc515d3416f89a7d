"""Sums over a plan: its trees together, failures by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from state.checkpoint import Checkpoint
from state.records import Counts, TreeReport
from state.statements.sums import add_counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """Several trees together."""

    #: Every entry: files, folders, and what is neither.
    items: Counts
    #: Files alone.
    files: Counts
    #: How many entries FAILED for which reason, the most frequent first.
    failures_by_reason: dict[str, int]


def add_up(reports: Sequence[TreeReport]) -> Sums:
    """The one place where trees are summed: terminal, status, pages of runs and report have their numbers from here."""
    failures: Counter[str] = Counter()
    for report in reports:
        failures.update(report.failures_by_reason)
    return Sums(
        items=add_counts([report.items for report in reports]),
        files=add_counts([report.files for report in reports]),
        failures_by_reason=dict(sorted(failures.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def failures_by_reason(checkpoint: Checkpoint, plan_id: int) -> dict[str, int]:
    """How many FAILED for which reason in the whole plan, the most frequent first."""
    trees = [tree.id for tree in checkpoint.trees(plan_id)]
    return add_up(checkpoint.tree_reports(trees)).failures_by_reason
