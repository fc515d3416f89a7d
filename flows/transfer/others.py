"""The trees of the plan that a run did not move (`--tree`): a run that is complete is not the whole plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flows.transfer.migration import Migration
from flows.words import counted, printable
from state.records import TreeRecord
from state.statuses import TreeState

#: Trees that are named; `status` has them all.
NAMED_TREES = 3


def other_trees(migration: Migration, moved: Sequence[TreeRecord]) -> list[dict[str, Any]]:
    """Return those that the plan names, this run did not move, and that are not complete: name, state and reason."""
    ids = {tree.id for tree in moved}
    return [
        {
            "name": tree.name,
            "state": tree.state.value,
            "incomplete_reason": tree.incomplete_reason.value if tree.incomplete_reason else None,
        }
        for tree in migration.checkpoint.trees(migration.plan_id)
        if tree.id not in ids and tree.state is not TreeState.COMPLETE and _is_in_plan(migration, tree)
    ]


def others_words(summary: Mapping[str, Any]) -> str:
    """Say which and how many they are; "" where there is none."""
    others = summary.get("others_not_complete", ())
    if not others:
        return ""
    named = ", ".join(
        f"{tree['name']} ({tree['incomplete_reason'] or tree['state']})" for tree in others[:NAMED_TREES]
    )
    more = f" and {len(others) - NAMED_TREES:,} more" if len(others) > NAMED_TREES else ""
    trees = counted(len(others), "other tree")
    return printable(f"the plan is not complete: {trees} that this run did not move: {named}{more}")


def _is_in_plan(migration: Migration, tree: TreeRecord) -> bool:
    return not migration.plan.trees or migration.access.tree_plan(tree) is not None
