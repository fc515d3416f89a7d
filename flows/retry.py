"""retry_failures: give everything that failed all its tries again, whatever the reason, and move it.

Requires: the plan's environment variables or blocks on the machine that runs it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from prefect import flow

from connectors.errors import ConnectorError
from flows.config import MigrationPlan
from flows.errors import PlanError
from flows.migrate import move_share
from flows.open_plan import OpenPlan
from flows.tasks import run_log, task_runner
from state.statuses import GONE_FROM_BOX


@flow(flow_run_name="{plan.name}-retry", task_runner=task_runner(), persist_result=False)
def retry_failures(
    plan: MigrationPlan,
    reason: str = "",
    trees: list[str] = [],  # noqa: B006  read by the form
    check: bool = True,
) -> dict[str, Any]:
    """Try again what failed, after somebody has mended what it failed for; then everything else as `migrate-share`.

    Args:
        plan: What moves from where to where.
        reason: Only what failed for this reason, as the report names it, such as `locked`; empty for all.
        trees: Names of the trees to move; none for all of the plan.
        check: Begin only when space, sizes, scopes and roles suffice; off to insist.
    """
    summary: dict[str, Any] = retry_share(plan, reason=reason, trees=trees, check=check)
    return summary


def retry_share(plan: MigrationPlan, *, reason: str = "", trees: list[str], check: bool = True) -> Any:
    """What retry_failures does, for other flows as well. PlanError for a reason that nothing ever fails for."""

    def revive(opened: OpenPlan) -> None:
        revived = opened.checkpoint.retry_failures(opened.plan_id, reason=reason or None)
        if reason and not revived and reason not in known_reasons():
            raise PlanError(f"--reason: nothing fails for {reason!r}; {_failing_now(opened)}")
        run_log().info("%s failed entries are tried again", f"{revived:,}")

    return move_share(plan, trees=trees, check=check, first=revive)


def known_reasons(error: type[ConnectorError] = ConnectorError) -> set[str]:
    """The reason of every error that an entry may fail with."""
    return {error.reason}.union(*(known_reasons(kind) for kind in error.__subclasses__()), {GONE_FROM_BOX})


def _failing_now(opened: OpenPlan) -> str:
    failing: Counter[str] = Counter()
    for tree in opened.trees:
        failing.update(opened.checkpoint.tree_report(tree.id).failures_by_reason)
    if not failing:
        return "nothing has failed"
    return "failed are " + ", ".join(f"{reason} ({count:,})" for reason, count in failing.most_common())
