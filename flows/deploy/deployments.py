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
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import DeploymentSchedule, StateType
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


#: Name now → name in 0.1.0, whose list had three of one name. `boxhaul deploy` puts the one in the other's place.
FORMER_NAMES = {
    "check-plan/check": "check-plan/on-demand",
    "retry-failures/retry": "retry-failures/on-demand",
}

#: The runs of a deployment that is gone could neither begin nor be started again; these are over.
OVER = [StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED, StateType.CRASHED]


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


def _former_name(deployment: dict[str, Any]) -> str | None:
    """The full name that an earlier version gave it; None where it is the same."""
    name, dash, suffix = deployment["name"].partition("-")
    former = FORMER_NAMES.get(f"{flow_name(deployment['entrypoint'])}/{name}")
    return f"{former}{dash}{suffix}" if former is not None else None


def _known(client: SyncPrefectClient, name: str | None) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(name) if name is not None else None
    except ObjectNotFound:
        return None


def _of_plan(known: DeploymentResponse | None, plan: MigrationPlan) -> DeploymentResponse | None:
    return known if known is not None and plan_tag(plan) in (known.tags or []) else None


def refuse_another_plan(client: SyncPrefectClient, document: dict[str, Any], plan: MigrationPlan) -> None:
    for deployment in document["deployments"]:
        known = _known(client, _full_name(deployment))
        tags = known.tags or [] if known is not None else []
        others = [tag for tag in tags if tag.startswith("plan:") and tag != plan_tag(plan)]
        if others:
            raise PlanError(
                f"the deployment {_full_name(deployment)} belongs to {others[0]};"
                f" for another plan on this server use --suffix {block_name(plan.name)}"
            )


def keep_all_that_people_set(
    client: SyncPrefectClient, document: dict[str, Any], plan: MigrationPlan
) -> None:
    for deployment in document["deployments"]:
        if (known := _known(client, _full_name(deployment))) is not None:
            keep_what_people_set(deployment, known)
        elif (former := _of_plan(_known(client, _former_name(deployment)), plan)) is not None:
            keep_what_people_set(deployment, former)
            deployment["schedules"] = [schedule_entry(each) for each in former.schedules]


def schedule_entry(known: DeploymentSchedule) -> dict[str, Any]:
    """A schedule as prefect.yaml has it."""
    entry = known.schedule.model_dump(mode="json", exclude_none=True)
    entry |= {"active": known.active, "parameters": known.parameters}
    return entry | ({"slug": known.slug} if known.slug else {})


def remove_former(client: SyncPrefectClient, document: dict[str, Any], plan: MigrationPlan) -> Iterator[str]:
    """Take away this plan's deployments that have another name now; one whose runs are not over stays until then."""
    for deployment in document["deployments"]:
        name = _former_name(deployment)
        former = _of_plan(_known(client, name), plan)
        if former is None:
            continue
        if has_runs(client, former):
            yield f"deployment: {name} stays until its runs are over; deploy again then"
            continue
        client.delete_deployment(former.id)
        yield f"deployment: {name} is {_full_name(deployment)} now"


def has_runs(client: SyncPrefectClient, known: DeploymentResponse) -> bool:
    """Tell whether a run of it is on its way that no schedule has planned."""
    runs = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[known.id])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=OVER))),
    )
    return any(
        not (run.auto_scheduled and run.state is not None and run.state.is_scheduled()) for run in runs
    )


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
