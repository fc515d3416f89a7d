"""Rows about the landing folder: whose it is, what we may do there, and who sees the trees arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.box.destination import BoxDestination
from connectors.box.types import Account, BoxFolder, Collaboration
from connectors.errors import (
    ItemError,
    LandingFolderMissing,
    PermissionMissing,
)
from flows.checks.rows import Row, ok, problem, said, warning
from flows.checks.space import Payer
from flows.plan.model import MigrationPlan
from flows.plan.people import Role
from flows.words import size_words

#: Landing folders of others: colleagues that are named.
NAMED_PEOPLE = 3

#: The role that may invite where a folder's settings keep editors from it.
CO_OWNER = "co-owner"
#: The role that may not give more than itself.
EDITOR = "editor"


def landing_rows(
    plan: MigrationPlan, box: BoxDestination, account: Account, payer: Payer, landing: BoxFolder | None
) -> Iterator[Row]:
    """Where trees arrive: the account's own root or folder, or a folder of somebody else."""
    name = "landing folder"
    if landing is None:
        yield ok(name, "the service account's own root; each tree becomes a folder in it")
        return
    grants = _grants(box, landing)
    problems = list(landing_permissions(plan, landing))
    if not problems and not payer.is_us and _role(grants, account) != CO_OWNER:
        problems = list(_invitation_rows(plan, payer, landing))
    if not payer.is_us:
        problems += _beyond_an_editor(plan, payer, landing, _role(grants, account))
    yield from problems
    if not problems and payer.is_us:
        yield ok(name, f"“{landing.name}” ({landing.id}), owned by the service account")
    elif not problems:
        yield ok(
            name,
            f"“{landing.name}” ({landing.id}) belongs to {payer.login}; our role: {_role(grants, account)}; "
            f"{_quota_words(payer)}",
            "Everything uploaded will belong to its owner and count against the owner's quota.",
        )
    yield from _seen_by_others(name, account, grants)


def landing_permissions(plan: MigrationPlan, landing: BoxFolder) -> Iterator[Row]:
    """What we may not do there; known without a further call."""
    name = "landing folder"
    may = landing.permissions
    owner = landing.owner_login or "its owner"
    if not may.get("can_upload", True):
        yield problem(
            name,
            f"the service account may not upload into “{landing.name}” ({landing.id})",
            f"{owner} invites the service account as editor (or co-owner).",
            stops=PermissionMissing,
        )
    if _invites(plan) and not may.get("can_invite_collaborator", True):
        yield problem(
            name,
            f"the service account may not invite anybody into “{landing.name}” ({landing.id})",
            f"{owner} makes it editor with the right to invite, or co-owner.",
            stops=PermissionMissing,
        )


def _invites(plan: MigrationPlan) -> bool:
    return bool(plan.box.identities) or any(tree.collaborators for tree in plan.trees)


def _invitation_rows(plan: MigrationPlan, payer: Payer, landing: BoxFolder) -> Iterator[Row]:
    """A setting of the folder keeps invitations from editors: the trees arrive, and their people stay outside."""
    if _invites(plan) and not landing.others_may_invite:
        yield problem(
            "landing folder",
            f"in “{landing.name}” ({landing.id}) only the owner, {payer.login}, and co-owners may invite people",
            f"{payer.login} makes the service account co-owner, or lets editors invite in the folder's settings.",
        )


def _beyond_an_editor(plan: MigrationPlan, payer: Payer, landing: BoxFolder, role: str) -> Iterator[Row]:
    """An editor makes nobody co-owner, and shows nobody the folders above: Box refuses each of those invitations."""
    people = [person for tree in plan.trees for person in tree.collaborators]
    beyond = {
        person.login or person.group or person.app_user or person.user_id or person.group_id or ""
        for person in people
        if person.role is Role.CO_OWNER or person.can_view_path
    }
    if role == EDITOR and beyond:
        names = sorted(beyond)
        more = " and others" if len(names) > NAMED_PEOPLE else ""
        yield problem(
            "landing folder",
            f"the service account is editor of “{landing.name}” ({landing.id}): it cannot make co-owners or give "
            f"can_view_path, which the plan says of {', '.join(names[:NAMED_PEOPLE])}{more}",
            f"{payer.login} makes the service account co-owner, or give them less in the plan.",
        )


def landing_missing(error: LandingFolderMissing) -> Row:
    """The plan's landing folder is not there, or hidden from the service account."""
    return problem(
        "landing folder",
        said(error),
        "Correct landing_folder_id, or let the folder's owner invite the service account's login as editor.",
        stops=LandingFolderMissing,
    )


def _grants(box: BoxDestination, landing: BoxFolder) -> list[Collaboration]:
    try:
        return box.collaborations(landing.id)
    except (PermissionMissing, ItemError):
        return []  # the owner hides collaborators from one another


def _role(grants: Sequence[Collaboration], account: Account) -> str:
    found = next((grant.role for grant in grants if grant.accessible_by_id == account.id), None)
    return found or "by a group, or from a folder above"


def _quota_words(payer: Payer) -> str:
    owner = payer.account
    if owner is None:
        return "its owner's quota cannot be seen"
    amount = "unlimited" if owner.space_amount < 0 else size_words(owner.space_amount)
    return f"its owner has {amount}, {size_words(owner.space_used)} used"


def _seen_by_others(name: str, account: Account, grants: Sequence[Collaboration]) -> Iterator[Row]:
    """People on the landing folder see every tree while it is still being filled; Box cannot hide it from them."""
    others = [
        grant.accessible_by_login or grant.accessible_by_name or grant.invite_email or grant.id
        for grant in grants
        if grant.accessible_by_id != account.id
    ]
    if others:
        yield warning(
            name,
            f"{', '.join(others[:NAMED_PEOPLE])}{' and others' if len(others) > NAMED_PEOPLE else ''} can see it, and "
            "so will see trees before they are complete",
            "Land in a folder that nobody else sees, and let people in through the plan.",
        )
