"""migrate_share as a flow of Prefect's: what the command of this name runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import migrate
from flows.orchestration.tasks import task_runner

migrate_share = flow(flow_run_name="{plan.name}-migrate", task_runner=task_runner(), persist_result=False)(
    migrate.migrate_share
)
