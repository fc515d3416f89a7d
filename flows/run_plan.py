"""run_plan: the flow for a person in front of the UI: a saved plan, the trees, the mode, nothing else to fill in.

Requires: a saved plan (block Migration Plan), which `boxhaul deploy PLAN` makes, with the credentials that it names.
"""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow

from flows.analysis.forecast import forecast_words, seconds_at_least
from flows.migrate import move_share
from flows.orchestration.endings import ended
from flows.orchestration.tasks import run, task_runner, walk_share
from flows.orchestration.watching import watched
from flows.plan.blocks import MigrationPlanBlock
from flows.plan.model import MigrationPlan
from flows.retry import retry_share
from flows.transfer.beginning import begin
from flows.transfer.migration import Migration, open_migration
from state.statuses import PassState

Mode = Literal["migrate", "retry failures", "dry run"]


@flow(flow_run_name="{plan.plan.name}-{mode}", task_runner=task_runner(), persist_result=False)
def run_plan(
    plan: MigrationPlanBlock,
    trees: list[str] = [],  # noqa: B006  read by the form
    mode: Mode = "migrate",
) -> dict[str, Any]:
    """Move a saved plan now. Running it again goes on where the last run stopped, whatever stopped it.

    Args:
        plan: The saved plan.
        trees: Names of the trees to move; none for all of the plan.
        mode: migrate sends what is new; retry failures also what failed before; dry run only looks and sends nothing.
    """
    if mode == "retry failures":
        summary: dict[str, Any] = retry_share(plan.plan, trees=trees)
    elif mode == "dry run":
        summary = look_share(plan.plan, trees=trees)
    else:
        summary = move_share(plan.plan, trees=trees)
    return summary


def look_share(plan: MigrationPlan, *, trees: list[str]) -> Any:
    """Walk the share and say what would be sent and how long Box's limits would make it last. Sends nothing."""
    with open_migration(plan) as migration, watched(migration):
        unfinished = migration.checkpoint.current_pass(migration.plan_id) is not None
        with migration.stop.telling_the_cause():
            begin(migration, kind="dry run", only=trees)
            migration.walking.set()
            run(walk_share, migration)
            migration.stop.raise_if_stopped()
        summary = _forecast(migration)
        if not unfinished:
            # A pass of its own: the next migration walks again, since days may pass until then.
            migration.checkpoint.end_pass(migration.pass_id, PassState.INCOMPLETE, summary=summary)
        return ended(summary, reason="Dry run", message=forecast_words(summary))


def _forecast(migration: Migration) -> dict[str, Any]:
    trees, files, size = [], 0, 0
    for tree in migration.refresh_trees():
        counts = migration.checkpoint.tree_report(tree.id).files
        files += counts.pending
        size += counts.bytes_total - counts.bytes_uploaded
        trees.append({"name": tree.name, "state": tree.state.value, "files_to_send": counts.pending})
    return {
        "plan": migration.plan.name,
        "pass": migration.pass_id,
        "complete": False,
        "trees": trees,
        "files_to_send": files,
        "bytes_to_send": size,
        "seconds_at_least": seconds_at_least(files, migration.plan.box),
    }
