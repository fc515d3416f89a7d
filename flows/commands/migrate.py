"""migrate_share: walk, send, verify, collaborate; each tree that completes is shared at once.

Requires: the plan's environment variables or blocks on the machine that runs it.
"""

from __future__ import annotations

from typing import Any

from flows.orchestration.runs import move_share
from flows.plan.filters import FilterPlan
from flows.plan.model import MigrationPlan
from flows.reporting.waivers import reopen_reason


def migrate_share(
    plan: MigrationPlan,
    trees: list[str] = [],  # noqa: B006  read by the form
    window: str = "",
    workers: int = 0,
    check: bool = True,
    new_checkpoint: bool = False,
    checksum: bool = False,
    since: str = "",
    reopen: str = "",
    filters: FilterPlan | None = None,
) -> dict[str, Any]:
    """Move what the plan says: walk, send, verify, and let people in as each tree completes.

    Running it again goes on where the last run stopped, whatever stopped it.

    Args:
        plan: What moves from where to where.
        trees: Names of the trees to move; none for all of the plan.
        window: Hours in which files may be sent: `Mon-Fri 20:00-06:00, Sat-Sun Europe/Berlin`; empty: any time.
        workers: How many more processes send, each as one of the plan's identities; 0: this one sends alone.
        check: Begin only when space, sizes, scopes and roles suffice; off to insist.
        new_checkpoint: Begin anew where the checkpoint speaks of another Box, share or tree; what it says is kept.
        checksum: Read every file again, whatever its size and times say, and send only what differs from Box.
        since: A quick pass: look only at files that changed since `7d`, `12h` or a date. Completes no new tree.
        filters: Send only what these let through; the rest stays pending, and its trees are not complete.
        reopen: Why trees that a cutover closed are moved again, in a few words; empty: they are not.
    """
    summary: dict[str, Any] = move_share(
        plan,
        trees=trees,
        window=window,
        workers=workers,
        check=check,
        new_checkpoint=new_checkpoint,
        checksum=checksum,
        since=since,
        filters=filters,
        reopen=reopen_reason(reopen),
    )
    return summary
