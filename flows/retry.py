"""retry_failures: give everything that failed all its tries again, whatever the reason, and move it.

Requires: the plan's environment variables or blocks on the machine that runs it.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.config import MigrationPlan
from flows.migrate import move_share
from flows.open_plan import OpenPlan
from flows.tasks import run_log, task_runner


@flow(flow_run_name="{plan.name}-retry", task_runner=task_runner(), persist_result=False)
def retry_failures(
    plan: MigrationPlan,
    reason: str = "",
    trees: list[str] = [],  # noqa: B006  read by the form
) -> dict[str, Any]:
    """Try again what failed, after somebody has mended what it failed for; then everything else as `migrate-share`.

    Args:
        plan: What moves from where to where.
        reason: Only what failed for this reason, as the report names it, such as `locked`; empty for all.
        trees: Names of the trees to move; none for all of the plan.
    """
    summary: dict[str, Any] = retry_share(plan, reason=reason, trees=trees)
    return summary


def retry_share(plan: MigrationPlan, *, reason: str = "", trees: list[str]) -> Any:
    """What retry_failures does, for other flows as well."""

    def revive(opened: OpenPlan) -> None:
        revived = opened.checkpoint.retry_failures(opened.plan_id, reason=reason or None)
        run_log().info("%s failed entries are tried again", f"{revived:,}")

    return move_share(plan, trees=trees, first=revive)
