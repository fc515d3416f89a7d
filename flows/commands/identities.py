"""create_identities and retire_identities: app users that upload for a plan.

Requires: the plan's checkpoint and Box, and "Manage users" with App + Enterprise Access; the share is not asked.
"""

from __future__ import annotations

from typing import Any

from flows.plan.model import MigrationPlan
from flows.sharing import uploaders


def create_identities(plan: MigrationPlan, count: int) -> dict[str, Any]:
    """Make app users that share the uploading, and remember them in the checkpoint.

    Args:
        plan: What moves from where to where.
        count: How many more; each may send 240 files a minute.
    """
    return uploaders.create_uploaders(plan, count)


def retire_identities(plan: MigrationPlan, ids: list[str] = []) -> dict[str, Any]:  # noqa: B006  read by the form
    """Take uploaders out of every tree's folder and deactivate them; what they uploaded stays with its owner.

    Args:
        plan: What moves from where to where.
        ids: Box user ids; none: all that were made for this plan.
    """
    return uploaders.retire_uploaders(plan, ids)
