"""unwaive_items as a flow of Prefect's: what the command of this name runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import unwaive

unwaive_items = flow(flow_run_name="{plan.name}-unwaive", persist_result=False)(unwaive.unwaive_items)
