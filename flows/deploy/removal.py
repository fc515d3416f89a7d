"""undeploy_plan: take away what `boxhaul deploy` made of one plan, and of what plans share what no other one needs.

Runs and their history, the checkpoint and everything in Box stay. Doing it twice is as good as once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import WorkerStatus
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import Automation
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.deploy.deployments import FOR_EVERY_PLAN, FORMER_NAMES, INSTALLED_BELOW, flow_name, has_runs
from flows.deploy.options import DEPLOYMENTS, DeployOptions
from flows.deploy.saved_plan import account_slug, plan_tag_of
from flows.deploy.server import LOCAL_API_URL, WORK_POOL, admitted, answers
from flows.errors import PlanError
from flows.plan.blocks import MigrationPlanBlock, ShareCredentials
from flows.words import block_name

#: Deployments that a server tells at a time.
PAGE = 200


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What `deploy` would have made of a plan."""

    name: str
    #: Whether its credentials became blocks; where the plan names blocks itself, those are somebody's own.
    box_block: bool
    share_block: bool

    @property
    def tag(self) -> str:
        """The tag of its deployments."""
        return plan_tag_of(self.name)

    @property
    def blocks(self) -> Iterator[tuple[str, str]]:
        """Type and name of each of its blocks; first what others refer to by it."""
        name = block_name(self.name)
        yield MigrationPlanBlock.get_block_type_slug(), name
        if self.box_block:
            yield account_slug(), name
        if self.share_block:
            yield ShareCredentials.get_block_type_slug(), name


@dataclass
class Removal:
    """What became of one thing."""

    line: str
    #: Something of the plan's own stays, and another undeploy is to take it.
    waits: bool = False


def undeploy_plan(deployed: Deployed) -> Iterator[Removal]:
    """Yield a line for each thing that is removed or left. PlanError when no server answers, or it refuses us."""
    url = PREFECT_API_URL.value() or LOCAL_API_URL
    if not answers(url):
        raise PlanError(f"no Prefect server answers at {url}; set PREFECT_API_URL to the address of yours")
    with temporary_settings({PREFECT_API_URL: url}), admitted(url), get_client(sync_client=True) as client:
        removals = list(_deployments(client, deployed))
        yield from removals
        if any(each.waits for each in removals):
            yield Removal("left: its blocks, and what plans share, until then")
            return
        yield from _blocks(client, deployed)
        yield from _shared(client)
    yield Removal("left: runs and their history, the checkpoint, and everything in Box")


def _deployments(client: SyncPrefectClient, deployed: Deployed) -> Iterator[Removal]:
    ours = names_of_deployments()
    for known in _tagged(client, deployed.tag):
        name = _full_name(known)
        if not is_ours(known, ours):
            yield Removal(f"left: deployment {name}, which no deploy made")
        elif has_runs(client, known):
            yield Removal(f"left: deployment {name} until its runs are over; undeploy again then", waits=True)
        else:
            client.delete_deployment(known.id)
            yield Removal(f"removed: deployment {name}")


def _tagged(client: SyncPrefectClient, tag: str) -> list[DeploymentResponse]:
    wanted = DeploymentFilter(tags=DeploymentFilterTags(all_=[tag]))
    found: list[DeploymentResponse] = []
    for page in count():
        several = client.read_deployments(deployment_filter=wanted, limit=PAGE, offset=page * PAGE)
        found += several
        if len(several) < PAGE:
            break
    return sorted(found, key=_full_name)


def _full_name(known: DeploymentResponse) -> str:
    return f"{flow_name(known.entrypoint or '?')}/{known.name}"


def names_of_deployments() -> dict[str, set[str]]:
    """By the module path of a flow, the names of its deployments that ship, those of older versions among them."""
    shipped: Any = yaml.safe_load(DeployOptions().prefect_file.read_text(encoding="utf-8"))
    names: dict[str, set[str]] = {}
    for deployment in shipped["deployments"]:
        full = f"{flow_name(deployment['entrypoint'])}/{deployment['name']}"
        former = FORMER_NAMES.get(full, full).partition("/")[2]
        names.setdefault(deployment["entrypoint"], set()).update({deployment["name"], former})
    return names


def is_ours(known: DeploymentResponse, ours: dict[str, set[str]]) -> bool:
    """True for a name that deploy gives, with or without a suffix."""
    entrypoint = known.entrypoint or ""
    names = ours.get(entrypoint.removeprefix("boxhaul."), set()) | ours.get(
        entrypoint.removeprefix(INSTALLED_BELOW), set()
    )
    return any(known.name == name or known.name.startswith(f"{name}-") for name in names)


def _blocks(client: SyncPrefectClient, deployed: Deployed) -> Iterator[Removal]:
    for kind, name in deployed.blocks:
        with suppress(ObjectNotFound):
            block = client.read_block_document_by_name(name, kind, include_secrets=False)
            if kind == MigrationPlanBlock.get_block_type_slug() and _plan_name(block.data) != deployed.name:
                yield Removal(f"left: block {kind}/{name}, which holds another plan")
                continue
            client.delete_block_document(block.id)
            yield Removal(f"removed: block {kind}/{name}")


def _plan_name(data: dict[str, Any]) -> str | None:
    plan = data.get("plan")
    return plan.get("name") if isinstance(plan, dict) else None


def _shared(client: SyncPrefectClient) -> Iterator[Removal]:
    """What serves every plan goes with the last one."""
    others = sorted(
        {tag for known in _tagged(client, "boxhaul") for tag in known.tags or [] if tag.startswith("plan:")}
    )
    if others:
        yield Removal(f"left: work pool, automations and send-share, which serve {', '.join(others)}")
        return
    for known in _tagged(client, "boxhaul"):
        if flow_name(known.entrypoint or "") in FOR_EVERY_PLAN and not has_runs(client, known):
            client.delete_deployment(known.id)
            yield Removal(f"removed: deployment {_full_name(known)}")
    yield from _automations(client)
    yield from _work_pool(client)


def _automations(client: SyncPrefectClient) -> Iterator[Removal]:
    for entry in yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text(encoding="utf-8")):
        for known in client.read_automations_by_name(entry["name"]):
            if _has_foreign_actions(known, entry):
                yield Removal(f"left: automation {entry['name']}, to which somebody added actions")
                continue
            client.delete_automation(known.id)
            yield Removal(f"removed: automation {entry['name']}")


def _has_foreign_actions(known: Automation, entry: dict[str, Any]) -> bool:
    ours = {entry["do"]["type"]} if "do" in entry else set[str]()
    return any(
        action.type not in ours
        and action.type != "do-nothing"
        and not (isinstance(action, SendNotification) and action.subject == entry["name"])
        for action in known.actions
    )


def _work_pool(client: SyncPrefectClient) -> Iterator[Removal]:
    try:
        pool = client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        return
    using = [known for known in _all_deployments(client) if known.work_pool_name == pool.name]
    workers = [
        each for each in client.read_workers_for_work_pool(pool.name) if each.status is WorkerStatus.ONLINE
    ]
    if using:
        yield Removal(f"left: work pool {WORK_POOL}, which {_full_name(using[0])} uses")
    elif workers:
        yield Removal(
            f"left: work pool {WORK_POOL}, on which {workers[0].name} works; stop it and undeploy again"
        )
    else:
        client.delete_work_pool(pool.name)
        yield Removal(f"removed: work pool {WORK_POOL}")


def _all_deployments(client: SyncPrefectClient) -> Iterator[DeploymentResponse]:
    for page in count():
        several = client.read_deployments(limit=PAGE, offset=page * PAGE)
        yield from several
        if len(several) < PAGE:
            return
