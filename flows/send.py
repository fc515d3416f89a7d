"""send_share: one more process that uploads for a migration which another flow run conducts. Walks nothing.

Requires: identities in the plan; a checkpoint on PostgreSQL when the processes are on several machines.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.orchestration.runs import send_for_others
from flows.orchestration.tasks import task_runner
from flows.plan.model import MigrationPlan


@flow(flow_run_name="{plan.name}-send", task_runner=task_runner(), persist_result=False)
def send_share(plan: MigrationPlan, account_id: str = "") -> dict[str, Any]:
    """Upload for a migration that is running, as one of the plan's identities, until nothing is left.

    Several of these may run at once, each with the budget of another identity; they come and go as they like.

    Args:
        plan: The plan that is being moved.
        account_id: Box user id of the service account; it is asked for when left out.
    """
    summary: dict[str, Any] = send_for_others(plan, account_id=account_id)
    return summary
