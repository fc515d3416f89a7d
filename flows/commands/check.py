"""check_plan: every precondition of a plan, in the order in which a person fixes them; nothing is changed."""

from __future__ import annotations

from typing import Any

from flows.checks.checklist import check_everything
from flows.orchestration.endings import checked
from flows.orchestration.traces import traced
from flows.plan.model import MigrationPlan


def check_plan(plan: MigrationPlan, set_space: str = "", notify: bool = False) -> dict[str, Any]:
    """Check every precondition: login, account, scopes, space, sizes, folders, people, source, state, clock, disk.

    Args:
        plan: What moves from where to where.
        set_space: Raise the service account's space first: `500GB`, `2TB` or `unlimited`; empty: leave it.
        notify: Send a test message to whom the plan tells of its runs.
    """
    with traced(plan.name, "check"):
        document = check_everything(plan, set_space=set_space, notify=notify)
    summary: dict[str, Any] = checked(document)
    return summary
