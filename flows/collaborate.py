"""collaborate_share as a flow of Prefect's: what the command of this name runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import collaborate

collaborate_share = flow(flow_run_name="{plan.name}-collaborate", persist_result=False)(
    collaborate.collaborate_share
)
