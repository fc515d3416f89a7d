"""Uploader app users of a plan: made, listed and retired. They share the uploading as the plan's `box.identities`.

What Box says: its limits are per user and its staff have advised to spread a load over several; its licence warns of
tools meant to get around controls. So they are off by default, and a person decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from connectors.errors import DestinationGone
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.run.leases import register
from flows.sharing.access import Access, open_access

#: More than this many at once is a slip of the finger: 50 send 17 million files a day.
MAX_AT_ONCE = 50


def create_uploaders(plan: MigrationPlan, count: int) -> dict[str, Any]:
    """Make so many app users that upload for this plan, and remember them in the checkpoint.

    One that a killed run made without writing it down is found by its external id and taken over.
    """
    if not 1 <= count <= MAX_AT_ONCE:
        raise PlanError(f"identities: create 1 to {MAX_AT_ONCE} at a time, not {count}")
    with open_access(plan, begins=True) as access:
        made = [_make_next(access) for _ in range(count)]
    return {"plan": plan.name, "created": made, "identities": _planned_after(plan, made)}


def list_uploaders(plan: MigrationPlan) -> dict[str, Any]:
    """Return every uploader of this plan as Box has it now, and the app users of the plan file not made here."""
    with open_access(plan, begins=True) as access:
        known = {record.box_user_id: record for record in access.checkpoint.uploaders(access.plan_id)}
        return {
            "plan": plan.name,
            "identities": [
                {
                    "id": user_id,
                    "login": known[user_id].login if user_id in known else None,
                    "name": known[user_id].name if user_id in known else None,
                    "in_plan": user_id in plan.box.identities,
                    "status": _status_of(access, user_id),
                }
                for user_id in [*known, *(each for each in plan.box.identities if each not in known)]
            ],
        }


def retire_uploaders(plan: MigrationPlan, ids: Sequence[str] = ()) -> dict[str, Any]:
    """Take these uploaders (all, when none is named) out of every tree's folder and deactivate them.

    Box keeps what they uploaded: it belongs to the owner of the folder. LeaseHeld while a run uses one of them.
    """
    with open_access(plan, begins=True) as access:
        known = [record.box_user_id for record in access.checkpoint.uploaders(access.plan_id)]
        unknown = [each for each in ids if each not in known]
        if unknown:
            raise PlanError(
                f"identities: {', '.join(unknown)} was not made for this plan; see: boxhaul identities PLAN list"
            )
        leaving = list(ids) or known
        _refuse_used(access, leaving)
        for tree in access.checkpoint.trees(access.plan_id):
            if tree.box_folder_id is not None:
                with suppress(
                    DestinationGone
                ):  # deleted, or hidden: who is deactivated reaches nothing there
                    access.editors.remove(tree.id, tree.box_folder_id, leaving)
        for user_id in leaving:
            _deactivate(access, user_id)
            access.checkpoint.record_uploader_retired(access.plan_id, user_id)
    left = [each for each in plan.box.identities if each not in leaving]
    return {"plan": plan.name, "retired": leaving, "identities": left}


# --- private ---


def _make_next(access: Access) -> dict[str, Any]:
    number = 1 + max((record.number for record in access.checkpoint.uploaders(access.plan_id)), default=0)
    while (
        found := access.box.accounts.find_app_user(_external_id(access, number))
    ) and found.status != "active":
        number += 1  # retired by an earlier run whose checkpoint is gone
    name = f"Boxhaul uploader {number} ({access.plan.name})"[:100]
    made = found or access.box.accounts.create_app_user(name, _external_id(access, number))
    access.checkpoint.remember_uploader(
        access.plan_id, box_user_id=made.id, number=number, login=made.login, name=made.name
    )
    return {"id": made.id, "login": made.login, "name": made.name}


def _external_id(access: Access, number: int) -> str:
    """Name the app user in Box before it exists, so that a creation without a record of it is found again."""
    plan = access.plan
    whose = f"{plan.name}\n{plan.source.url}\n{plan.box.landing_folder_id}"
    return f"boxhaul-uploader-{hashlib.sha256(whose.encode()).hexdigest()[:24]}-{number}"


def _planned_after(plan: MigrationPlan, made: Sequence[dict[str, Any]]) -> list[str]:
    new = [each["id"] for each in made if each["id"] not in plan.box.identities]
    return [*plan.box.identities, *new]


def _status_of(access: Access, user_id: str) -> str:
    try:
        return access.box.accounts.user(user_id).status
    except DestinationGone:
        return "not in Box"


def _refuse_used(access: Access, ids: Sequence[str]) -> None:
    """Raise LeaseHeld while somebody uses one of them."""
    worker = register(access.checkpoint, access.plan_id, name="identities retire")
    try:
        for user_id in ids:
            access.checkpoint.lease_identity(worker, user_id)
    finally:
        access.checkpoint.release_worker(worker)


def _deactivate(access: Access, user_id: str) -> None:
    try:
        access.box.accounts.deactivate_user(user_id)
    except DestinationGone:
        return  # deleted by an admin: retired all the same
