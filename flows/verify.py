"""verify_share as a flow of Prefect's: what the command of this name runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import verify

verify_share = flow(flow_run_name="{plan.name}-verify", persist_result=False)(verify.verify_share)
