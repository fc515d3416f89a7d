"""run_plan: the flow for a person in front of the UI: a saved plan, the trees, the mode, nothing else to fill in.

Requires: a saved plan (block Migration Plan), which `boxhaul deploy PLAN` makes, with the credentials that it names.
"""

from __future__ import annotations

from typing import Any, Literal

from prefect import flow

from flows.orchestration.runs import run_saved_plan
from flows.orchestration.tasks import task_runner
from flows.plan.blocks import MigrationPlanBlock

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
    summary: dict[str, Any] = run_saved_plan(plan.plan, trees=trees, mode=mode)
    return summary
