"""The deployments of prefect.yaml for one plan: filled in, compared with what is there, handed to `prefect deploy`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from flows.deploy.saved_plan import SavedPlan, plan_tag
from flows.deploy.server import run_prefect
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.words import block_name

#: Before the module paths of prefect.yaml: nothing in a checkout, "boxhaul." where a wheel is installed.
INSTALLED_BELOW = __package__.rpartition("flows")[0]

#: Flows whose parameter is a saved plan; the others take the plan itself.
TAKES_BLOCK = ("run-plan",)

#: Deployments that serve every plan and are registered without one.
FOR_EVERY_PLAN = ("send-share",)


def fill_in(document: dict[str, Any], saved: SavedPlan, *, suffix: str) -> dict[str, Any]:
    """The deployments of prefect.yaml with this plan as their default; a suffix keeps two plans apart."""
    deployments = []
    for deployment in document["deployments"]:
        flow = flow_name(deployment["entrypoint"])
        filled = {**deployment, "entrypoint": INSTALLED_BELOW + deployment["entrypoint"]}
        if flow not in FOR_EVERY_PLAN:
            takes_block = flow in TAKES_BLOCK
            reference = {"$ref": {"block_document_slug": saved.slug}}
            plan = reference if takes_block else saved.plan.model_dump(mode="json")
            filled["parameters"] = {**deployment.get("parameters", {}), "plan": plan}
            filled["tags"] = [*deployment.get("tags", []), plan_tag(saved.plan)]
            filled["name"] = deployment["name"] + (f"-{suffix}" if suffix else "")
        deployments.append(filled)
    return {
        **{key: value for key, value in document.items() if key != "definitions"},
        "deployments": deployments,
    }


def flow_name(entrypoint: str) -> str:
    """The flow's name as Prefect infers it from the function."""
    return entrypoint.rpartition(".")[2].replace("_", "-")


def _full_name(deployment: dict[str, Any]) -> str:
    return f"{flow_name(deployment['entrypoint'])}/{deployment['name']}"


def _known(client: SyncPrefectClient, deployment: dict[str, Any]) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(_full_name(deployment))
    except ObjectNotFound:
        return None


def refuse_another_plan(client: SyncPrefectClient, document: dict[str, Any], plan: MigrationPlan) -> None:
    for deployment in document["deployments"]:
        known = _known(client, deployment)
        tags = known.tags or [] if known is not None else []
        others = [tag for tag in tags if tag.startswith("plan:") and tag != plan_tag(plan)]
        if others:
            raise PlanError(
                f"the deployment {_full_name(deployment)} belongs to {others[0]};"
                f" for another plan on this server use --suffix {block_name(plan.name)}"
            )


def keep_all_that_people_set(client: SyncPrefectClient, document: dict[str, Any]) -> None:
    for deployment in document["deployments"]:
        known = _known(client, deployment)
        if known is not None:
            keep_what_people_set(deployment, known)


def keep_what_people_set(deployment: dict[str, Any], known: DeploymentResponse) -> None:
    """Carry over what somebody chose in the UI: schedules, the pause, and every parameter but the plan.

    Registering again would set them back to what the file says. A file without schedules leaves them as they are.
    """
    if known.schedules:
        deployment.pop("schedules", None)
    if known.paused:
        deployment["paused"] = True
    module, _, function = deployment["entrypoint"].rpartition(".")
    parameters = getattr(import_module(module), function).parameters.properties
    chosen = {
        name: value for name, value in known.parameters.items() if name in parameters and name != "plan"
    }
    if chosen:
        deployment["parameters"] = {**deployment.get("parameters", {}), **chosen}


def prefect_deploy(document: dict[str, Any], url: str) -> Iterator[str]:
    """Hand the filled-in file to Prefect's own command, so that it means what it means there."""
    with tempfile.TemporaryDirectory(prefix="boxhaul-deploy-") as folder:
        path = Path(folder) / "prefect.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        run_prefect(
            [sys.executable, "-m", "prefect", "deploy", "--prefect-file", str(path), "--all", "--no-prompt"],
            url,
        )
    for deployment in document["deployments"]:
        yield f"deployment: {_full_name(deployment)}"


def choose_plan(client: SyncPrefectClient, document: dict[str, Any], saved: SavedPlan) -> None:
    """The form's picker shows a default only by id, and `prefect deploy` would put in its place what it holds."""
    for deployment in document["deployments"]:
        if flow_name(deployment["entrypoint"]) in TAKES_BLOCK:
            known = client.read_deployment_by_name(_full_name(deployment))
            chosen = {"plan": {"$ref": {"block_document_id": saved.document_id}}}
            client.update_deployment(known.id, DeploymentUpdate(parameters={**known.parameters, **chosen}))
