"""waive_items as a flow of Prefect's: what the command of this name runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import waive

waive_items = flow(flow_run_name="{plan.name}-waive", persist_result=False)(waive.waive_items)
