"""retry_failures as a flow of Prefect's: what the command of this name runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import retry
from flows.orchestration.tasks import task_runner

retry_failures = flow(flow_run_name="{plan.name}-retry", task_runner=task_runner(), persist_result=False)(
    retry.retry_failures
)
