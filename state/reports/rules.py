"""Which exclude rules of a plan have excluded something."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import func, select

from state.checkpoint import Checkpoint
from state.database.models import Folder, Item
from state.statuses import ItemStatus


def excluded_by_reason(checkpoint: Checkpoint, plan_id: int) -> dict[str, int]:
    """Return how many entries of the plan's trees are excluded for which reason. Reads every row of them once."""
    found: Counter[str] = Counter()
    for tree in checkpoint.trees(plan_id):
        for table in (Item, Folder):
            query = select(table.reason, func.count()).group_by(table.reason)
            query = query.where(table.tree_id == tree.id, table.status == ItemStatus.EXCLUDED)
            with checkpoint.database.reading() as connection:
                found.update({reason: count for reason, count in connection.execute(query) if reason})
    return dict(found)
