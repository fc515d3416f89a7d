"""retry_failures: give everything that failed all its tries again, whatever the reason, and move it.

Requires: the plan's environment variables or blocks on the machine that runs it.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from connectors.errors import ConnectorError, ItemError, TransientError
from flows.errors import PlanError
from flows.migrate import move_share
from flows.orchestration.tasks import run_log, task_runner
from flows.plan.model import MigrationPlan
from flows.transfer.migration import Migration
from state.statuses import DIFFERENT_IN_BOX, GONE_FROM_BOX


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

    if reason and reason not in (known := known_reasons()):
        raise PlanError(f"reason: nothing fails for {reason!r}; it is one of {', '.join(sorted(known))}")

    def revive(migration: Migration) -> None:
        revived = migration.checkpoint.retry_failures(
            migration.plan_id, reason=reason or None, tree_ids=migration.tree_ids
        )
        run_log().info("%s failed entries are tried again", f"{revived:,}")

    return move_share(plan, trees=trees, check=check, first=revive)


def known_reasons() -> set[str]:
    """Every reason that an entry may fail for, as the report names it."""
    kinds: list[type[ConnectorError]] = [ItemError, TransientError]
    for kind in kinds:  # grows while it is gone through
        kinds += kind.__subclasses__()
    return {kind.reason for kind in kinds} | {GONE_FROM_BOX, DIFFERENT_IN_BOX}
