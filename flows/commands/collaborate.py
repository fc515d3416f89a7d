"""collaborate_share: bring the people of every complete tree to what the plan says, whatever happened in Box since.

Requires: the plan's checkpoint and Box; the share is not asked. Trees that are not complete wait (P4).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from flows.orchestration.notifying import notifying
from flows.orchestration.traces import traced
from flows.plan.model import MigrationPlan
from flows.run.notices import Notices
from flows.sharing.agreement import agree_with_plan
from flows.sharing.telling import people_lines
from flows.transfer.completing import complete_verified_tree


def collaborate_share(plan: MigrationPlan, prune: bool = False, dry_run: bool = False) -> dict[str, Any]:
    """Compare Box's collaborations with the plan, tree by tree, the deepest folder first, and make them agree.

    Args:
        plan: What moves from where to where, and who is let in.
        prune: Take away from Box what an earlier version of the plan gave and this one does not.
        dry_run: Only say what would change.
    """
    telling: AbstractContextManager[Notices | None] = nullcontext()
    if not dry_run:  # whoever only looks reads it himself
        telling = notifying(plan, "collaborate")
    with traced(plan.name, "collaborate"), telling as notices:
        document = agree_with_plan(plan, prune=prune, dry_run=dry_run, complete_tree=complete_verified_tree)
        if notices is not None:
            for tone, line in people_lines(document):
                notices.tell(tone, line)
        return document
