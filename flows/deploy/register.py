"""deploy_plan: make a plan ready for the Prefect UI: blocks, work pool, deployments, automations. Runs nothing.

Everything it writes to Prefect is written again the next time; what a person switched on stays on.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from prefect.client.orchestration import get_client
from prefect.settings import (
    PREFECT_API_URL,
    temporary_settings,
)

from flows.deploy.automations import register_automations
from flows.deploy.deployments import (
    choose_plan,
    fill_in,
    keep_all_that_people_set,
    prefect_deploy,
    refuse_another_plan,
    remove_former,
)
from flows.deploy.options import DeployOptions
from flows.deploy.saved_plan import blocks_words, save_plan
from flows.deploy.server import (
    LOCAL_API_URL,
    WORK_POOL,
    admitted,
    ensure_server,
    ensure_work_pool,
    prefect_command,
    ui_url,
)
from flows.plan.model import MigrationPlan


def deploy_plan(plan: MigrationPlan, options: DeployOptions) -> Iterator[str]:
    """Register it all; one line for each thing done. PlanError says what to do when the server is not there."""
    url = PREFECT_API_URL.value() or LOCAL_API_URL
    with temporary_settings({PREFECT_API_URL: url}):
        yield from ensure_server(url, options)
        with admitted(url), get_client(sync_client=True) as client:
            yield ensure_work_pool(client)
            saved = save_plan(plan, ui_url(url))
            yield from blocks_words(saved)
            documents = yaml.safe_load(options.prefect_file.read_text(encoding="utf-8"))
            filled = fill_in(documents, saved, suffix=options.suffix)
            refuse_another_plan(client, filled, plan)
            keep_all_that_people_set(client, filled, plan)
            yield from prefect_deploy(filled, url)
            choose_plan(client, filled, saved)
            yield from remove_former(client, filled, plan)
            yield from register_automations(client, options, ui_url(url))
    yield f"worker: keep one running: {prefect_command()} worker start --pool {WORK_POOL}"
    yield f"UI: {ui_url(url)}/deployments"
    yield "first run: there, once the worker runs: run-plan / on-demand, Run, Custom run, Submit"
