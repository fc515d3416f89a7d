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
from flows.words import size_words

#: Landing folders of others: colleagues that are named.
NAMED_PEOPLE = 3


def landing_rows(
    plan: MigrationPlan, box: BoxDestination, account: Account, payer: Payer, landing: BoxFolder | None
) -> Iterator[Row]:
    """Where trees arrive: the account's own root or folder, or a folder of somebody else."""
    name = "landing folder"
    if landing is None:
        yield ok(name, "the service account's own root; each tree becomes a folder in it")
        return
    problems = list(landing_permissions(plan, landing))
    yield from problems
    grants = _grants(box, landing)
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
    people = [person for tree in plan.trees for person in tree.collaborators]
    inviting = bool(people or plan.box.identities)
    if inviting and not may.get("can_invite_collaborator", True):
        yield problem(
            name,
            f"the service account may not invite anybody into “{landing.name}” ({landing.id})",
            f"{owner} makes it editor with the right to invite, or co-owner.",
            stops=PermissionMissing,
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
