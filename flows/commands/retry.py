"""retry_failures: give everything that failed all its tries again, whatever the reason, and move it.

Requires: the plan's environment variables or blocks on the machine that runs it.
"""

from __future__ import annotations

from typing import Any

from flows.orchestration.runs import retry_share
from flows.plan.model import MigrationPlan


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
