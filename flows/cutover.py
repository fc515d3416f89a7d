"""cutover_share as a flow of Prefect's: what the command of this name runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import cutover
from flows.orchestration.tasks import task_runner

cutover_share = flow(flow_run_name="{plan.name}-cutover", task_runner=task_runner(), persist_result=False)(
    cutover.cutover_share
)
