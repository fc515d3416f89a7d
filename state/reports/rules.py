"""Which exclude rules of a plan have excluded something."""

from __future__ import annotations

from sqlalchemy import select

from state.checkpoint import Checkpoint
from state.database.models import Folder, Item
from state.statuses import ItemStatus


def excluded_reasons(checkpoint: Checkpoint, plan_id: int) -> frozenset[str]:
    """Return the reasons of everything that is excluded in the plan's trees. Reads every row of them once."""
    found: set[str] = set()
    for tree in checkpoint.trees(plan_id):
        for table in (Item, Folder):
            query = select(table.reason).distinct()
            query = query.where(table.tree_id == tree.id, table.status == ItemStatus.EXCLUDED)
            with checkpoint.database.reading() as connection:
                found.update(row.reason for row in connection.execute(query) if row.reason)
    return frozenset(found)
