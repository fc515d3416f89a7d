"""check_plan as a flow of Prefect's: what the command of this name runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import check

check_plan = flow(flow_run_name="{plan.name}-check", persist_result=False)(check.check_plan)
