"""Rows about what the app may do: each scope by a call that leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.box.destination import BoxDestination
from connectors.box.probes import Permission
from connectors.box.types import BoxFolder
from connectors.errors import (
    ItemError,
    PermissionMissing,
)
from flows.checks.rows import Row, ok, problem, said, warning
from flows.errors import CheckFailed
from flows.plan.model import MigrationPlan

READMISSION = (
    "then an admin opens Admin Console > Integrations > Platform Apps Manager, finds the app and chooses Reauthorize "
    "(a changed scope or access level is in force only after that), and the next login gets it"
)

SCOPES_PLACE = "Developer Console > your app > Configuration > Application Scopes"

ACCESS_PLACE = "Developer Console > your app > Configuration > App Access Level"


def scope_rows(plan: MigrationPlan, box: BoxDestination, landing: BoxFolder | None) -> Iterator[Row]:
    """Each scope by a call that leaves no trace, and whether this plan needs it."""
    yield _writing(plan, box, landing)
    people = [person for tree in plan.trees for person in tree.collaborators]
    yield _scope(
        "scope: manage users",
        box.probes.may_list_users(),
        label="Manage users",
        needed_for="the app users of this plan" if any(person.app_user for person in people) else "",
        useful_for="looking people up before they are invited, raising the quota, making identities",
    )
    yield groups_scope(plan, box)


def groups_scope(plan: MigrationPlan, box: BoxDestination) -> Row:
    """Whether groups can be looked up by name, which is how most plans name them. One call."""
    return _scope(
        "scope: manage groups",
        box.probes.may_list_groups(),
        label="Manage groups",
        needed_for="the groups of this plan" if names_groups(plan) else "",
        useful_for="naming groups instead of their ids",
    )


def names_groups(plan: MigrationPlan) -> bool:
    """True when a collaborator is a group by name."""
    return any(person.group for tree in plan.trees for person in tree.collaborators)


def _writing(plan: MigrationPlan, box: BoxDestination, landing: BoxFolder | None) -> Row:
    name, label = "scope: write files", "Write all files and folders stored in Box"
    if landing is not None and not landing.permissions.get("can_upload", True):
        return warning(name, "not tried: the landing folder takes nothing from us", "See the landing folder.")
    try:
        found = box.probes.may_write(plan.box.landing_folder_id)
    except ItemError as exc:
        return problem(name, said(exc), "See the landing folder.", stops=CheckFailed)
    if found is Permission.GRANTED:
        return ok(name, "a folder could be made (and was deleted again)")
    if found is Permission.NO_SCOPE:
        return problem(
            name,
            "Box refuses to make a folder: insufficient_scope",
            f"{SCOPES_PLACE}: tick “{label}”; {READMISSION}.",
            stops=PermissionMissing,
        )
    return problem(
        name,
        "Box refuses to make a folder although the scope is there",
        "Untick “Global Content Manager” (it makes every plain write fail), check the account's status and its role "
        f"on the landing folder; {READMISSION}.",
        stops=PermissionMissing,
    )


def _scope(name: str, found: Permission, *, label: str, needed_for: str, useful_for: str) -> Row:
    if found is Permission.GRANTED:
        return ok(name, "granted")
    if found is Permission.NO_SCOPE:
        how = f"{SCOPES_PLACE}: tick “{label}”; {READMISSION}."
        missing = "the scope is missing"
    else:
        how = f"{ACCESS_PLACE}: App + Enterprise Access; {READMISSION}."
        missing = "the app's access level stops at its own users"
    if needed_for:
        return problem(name, f"{missing}; needed for {needed_for}", how, stops=PermissionMissing)
    return ok(name, f"{missing}; this plan does not need it ({useful_for})")


def as_user_row(box: BoxDestination, others: Sequence[str]) -> Row:
    """Whether calls may be made on behalf of another user; nothing here depends on it."""
    name = "as-user"
    if not others:
        return ok(name, "not tried: no other user of this enterprise is known; nothing here needs it")
    found = box.probes.may_act_as(others[0])
    if found is Permission.GRANTED:
        return ok(name, "calls may be made on behalf of users; nothing here does")
    return warning(
        name,
        "calls on behalf of users are refused",
        "Nothing in a migration needs it. For other tools: Developer Console > your app > Configuration > Advanced "
        f"Features: “Make API calls using the as-user header”; {READMISSION}.",
    )
