"""The flows that make and retire uploader app users, and what the command prints. The work is in identities.py.

Requires: the plan's checkpoint and Box, and "Manage users" with App + Enterprise Access; the share is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from prefect import flow

from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.sharing import uploaders as identities
from flows.words import printable


@flow(flow_run_name="{plan.name}-identities-create", persist_result=False)
def create_identities(plan: MigrationPlan, count: int) -> dict[str, Any]:
    """Make app users that share the uploading, and remember them in the checkpoint.

    Args:
        plan: What moves from where to where.
        count: How many more; each may send 240 files a minute.
    """
    return identities.create_identities(plan, count)


@flow(flow_run_name="{plan.name}-identities-retire", persist_result=False)
def retire_identities(plan: MigrationPlan, ids: list[str] = []) -> dict[str, Any]:  # noqa: B006  read by the form
    """Take uploaders out of every tree's folder and deactivate them; what they uploaded stays with its owner.

    Args:
        plan: What moves from where to where.
        ids: Box user ids; none: all that were made for this plan.
    """
    return identities.retire_identities(plan, ids)


def identities_command(
    plan: MigrationPlan, action: str, values: Sequence[str], run: Callable[..., dict[str, Any]]
) -> dict[str, Any]:
    """Do what `boxhaul identities` was asked for; `run` runs a flow. PlanError for anything else."""
    if action == "list" and not values:
        return identities.list_identities(plan)
    if action == "create" and len(values) == 1 and values[0].isdigit():
        return run(create_identities, plan, int(values[0]))
    if action == "retire":
        return run(retire_identities, plan, list(values))
    raise PlanError("identities: say create N, list, or retire [ID ...]")


def identities_text(document: dict[str, Any]) -> str:
    """What was done, and the lines that belong into the plan."""
    if "created" in document:
        lines = [f"created {each['id']}  {each['login']}  {each['name']}" for each in document["created"]]
        return "\n".join([*map(printable, lines), "", "Put this into the plan:", *_plan_lines(document)])
    if "retired" in document:
        lines = [f"retired {each}" for each in document["retired"]] or ["nobody to retire"]
        return "\n".join([*lines, "", "The plan keeps:", *_plan_lines(document)])
    lines = [_line(each) for each in document["identities"]]
    return "\n".join(map(printable, lines)) or "no identities: the service account uploads alone"


def _line(identity: dict[str, Any]) -> str:
    planned = "in the plan" if identity["in_plan"] else "not in the plan"
    return f"{identity['id']}  {identity['status']}  {planned}  {identity['name'] or ''}"


def _plan_lines(document: dict[str, Any]) -> list[str]:
    ids = ", ".join(f'"{each}"' for each in document["identities"])
    return ["box:", f"  identities: [{ids}]"]
