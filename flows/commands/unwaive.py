"""unwaive_items: take a waiver back; what it covered is tried again in the next run.

Requires: nothing but the plan's checkpoint; neither the share nor Box is asked.
"""

from __future__ import annotations

from typing import Any

from flows.plan.model import MigrationPlan
from flows.reporting.waivers import unwaive_path


def unwaive_items(plan: MigrationPlan, path: str, who: str = "") -> dict[str, Any]:
    """Take back what was waived at this path and below. The next run tries it again.

    Args:
        plan: What moves from where to where.
        path: A file or folder as the report names it; everything below a folder counts.
        who: Who decides; by default the account that runs this.
    """
    return unwaive_path(plan, path, who=who)
