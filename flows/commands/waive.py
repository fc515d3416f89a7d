"""waive_items: a person says that what failed at one path need not arrive; who, when and why is written down.

Requires: nothing but the plan's checkpoint; neither the share nor Box is asked.
"""

from __future__ import annotations

from typing import Any

from flows.plan.model import MigrationPlan
from flows.reporting.waivers import waive_path


def waive_items(
    plan: MigrationPlan, path: str, why: str, who: str = "", pending: bool = False
) -> dict[str, Any]:
    """Waive what failed at this path and below. The next run completes the tree without it.

    Args:
        plan: What moves from where to where.
        path: A file or folder as the report names it; everything below a folder counts.
        why: The reason, for the report; what an auditor will read.
        who: Who decides; by default the account that runs this.
        pending: Waive also what was never tried there.
    """
    return waive_path(plan, path, why=why, who=who, pending=pending)
