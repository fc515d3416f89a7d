"""watch_box: tell what people do in Box with what was moved, from Box's own events, and what waits in the share.

Requires: the plan's checkpoint and Box; where the share cannot be reached, Box alone is watched. "Manage enterprise
properties", to see everybody's doings.
"""

from __future__ import annotations

from typing import Any

from flows.orchestration.observing import watch
from flows.orchestration.traces import traced
from flows.plan.model import MigrationPlan


def watch_box(
    plan: MigrationPlan, once: bool = True, every: float = 10.0, share: bool = True
) -> dict[str, Any]:
    """Tell what people edit, rename, move, delete and restore in the plan's trees, whom they let in, and who downloads;
    and what was created, changed, renamed, moved and deleted in the share since the last pass.

    What this program does itself is not told. It goes on where the last watch stopped.

    Args:
        plan: What moves from where to where.
        once: Tell what there is by now and end; off: go on until the run is cancelled.
        every: Seconds between two looks, at least one.
        share: Look at the share, too; off: at Box alone.
    """
    with traced(plan.name, "watch"):
        return watch(plan, once=once, every_seconds=every, share=share)
