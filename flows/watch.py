"""watch_box as a flow of Prefect's: what the command of this name runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import watch

watch_box = flow(flow_run_name="{plan.name}-watch", persist_result=False)(watch.watch_box)
