"""create_identities and retire_identities as flows of Prefect's: what the command runs, too."""

from __future__ import annotations

from prefect import flow

from flows.commands import identities

create_identities = flow(flow_run_name="{plan.name}-identities-create", persist_result=False)(
    identities.create_identities
)

retire_identities = flow(flow_run_name="{plan.name}-identities-retire", persist_result=False)(
    identities.retire_identities
)
