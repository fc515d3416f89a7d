"""simulate_pass as a flow of Prefect's: what the command of this name runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import simulate

simulate_pass = flow(flow_run_name="{plan.name}-simulation", persist_result=False)(simulate.simulate_pass)
