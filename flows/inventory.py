"""inventory_share as a flow of Prefect's: what the command of this name runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import inventory

inventory_share = flow(flow_run_name="{plan.name}-inventory", persist_result=False)(inventory.inventory_share)
