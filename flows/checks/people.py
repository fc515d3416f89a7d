"""Rows about those who will be let in: people, groups and app users of the plan, as Box knows them now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from connectors.box.destination import BoxDestination
from connectors.box.types import Account, BoxFolder
from connectors.errors import DestinationGone, ItemError, PermissionMissing
from flows.checks.rows import Row, ok, problem, said, warning
from flows.plan.model import MigrationPlan
from flows.plan.people import COLLABORATOR_KEYS, CollaboratorPlan
from flows.sharing.access import has_ended
from flows.sharing.invitations import app_user_key
from flows.words import counted
from state.people_records import CollaborationRecord
from state.statuses import CollaborationStatus

#: People who are looked up, at most: each is a call.
LOOKED_UP = 200

NO_LOOKUP = "the app may not look users up (see “scope: manage users”)"


def people_rows(
    plan: MigrationPlan,
    box: BoxDestination,
    account: Account,
    landing: BoxFolder | None = None,
    records: Sequence[CollaborationRecord] = (),
) -> Iterator[Row]:
    """Each person once: exists, active, of this enterprise, would be created or invited, still pending.

    `landing`: where the trees arrive, which may be closed to other enterprises; None for the account's own root.
    """
    name = "collaborators"
    people = _distinct(plan, lambda person: person.login or person.user_id or person.app_user)
    if not people:
        yield ok(name, "the plan lets no person in")
        return
    rows: list[Row] = []
    try:
        found = (_person(box, account, person, landing) for person in people[:LOOKED_UP])
        rows = [row for row in found if row is not None]
    except PermissionMissing:
        yield warning(
            name,
            f"{counted(len(people), 'person', 'people')} in the plan; {NO_LOOKUP}",
            "Inviting by login works without it; compare the logins with the Admin Console yourself.",
        )
        return
    yield from rows
    yield from _pending(records)
    good = len(people[:LOOKED_UP]) - len(rows)
    beyond = f"; {len(people) - LOOKED_UP:,} more were not looked up" if len(people) > LOOKED_UP else ""
    yield ok(name, f"{good} of {counted(len(people), 'person', 'people')} known to Box and active{beyond}")


def ended_rows(plan: MigrationPlan) -> Iterator[Row]:
    """Whom, and which links, the plan gives access until a day that is over: they are left out."""
    ended = [
        f"{who} ({tree.source})"
        for tree in plan.trees
        for person in tree.collaborators
        if has_ended(person.expires_at)
        for who in [next(str(getattr(person, key)) for key in COLLABORATOR_KEYS if getattr(person, key))]
    ]
    links = [
        tree.source
        for tree in plan.trees
        if tree.shared_link is not None and has_ended(tree.shared_link.expires_at)
    ]
    if ended:
        yield warning(
            "access that is over",
            f"expires_at lies in the past for {counted(len(ended), 'collaborator')}: {', '.join(ended[:10])}",
            "They are not let in, and their trees complete without them. Correct expires_at, or take them out.",
        )
    if links:
        yield warning(
            "links that are over",
            f"expires_at lies in the past for the link of {', '.join(links[:10])}",
            "No link is made. Correct expires_at, or take shared_link out.",
        )


def people_ids(plan: MigrationPlan, box: BoxDestination) -> list[str]:
    """Ids of a user that calls could be made on behalf of: the plan's first who is active and of this enterprise."""
    if plan.box.identities:
        return plan.box.identities[:1]
    ours = box.whoami().enterprise_id
    for person in _distinct(plan, lambda each: each.login or each.user_id)[:5]:
        try:
            found = (
                box.accounts.find_user(person.login)
                if person.login
                else box.accounts.user(str(person.user_id))
            )
        except (PermissionMissing, ItemError):
            return []
        # Anybody else is refused whatever the app may do.
        if found is not None and found.status == "active" and found.enterprise_id == ours:
            return [found.id]
    return []


def _person(
    box: BoxDestination, account: Account, person: CollaboratorPlan, landing: BoxFolder | None
) -> Row | None:
    """What is to be said about one of them; None when all is well."""
    if person.app_user:
        return _app_user(box, person.app_user)
    name = f"collaborator {person.login or person.user_id}"
    try:
        found = (
            box.accounts.find_user(person.login) if person.login else box.accounts.user(str(person.user_id))
        )
    except DestinationGone:
        return problem(name, "Box has no user with this id", "Correct the plan, or name the login.")
    except ItemError as exc:
        return _not_looked_up(name, exc)
    if found is None:
        return _unknown(name, str(person.login), landing)
    if found.status != "active":
        return problem(
            name,
            f"the user is {found.status} and could not sign in",
            "An admin activates the user, or correct the plan.",
        )
    return None if found.enterprise_id == account.enterprise_id else _external(name, landing)


def _not_looked_up(name: str, error: ItemError) -> Row:
    """Box refuses to look this one up: the others are looked at all the same (P11)."""
    return warning(
        name,
        f"Box does not look it up: {said(error)}",
        "Compare the name with the Admin Console, and correct the plan.",
    )


def _unknown(name: str, login: str, landing: BoxFolder | None) -> Row:
    if landing is not None and landing.enterprise_only:
        return warning(
            name,
            f"no user of Box that we can see has the login {login}, and “{landing.name}” ({landing.id}), where the "
            "trees arrive, takes in people of its own enterprise alone",
            "An admin makes it a managed user, or the folder's owner allows external collaborators in its settings. "
            "A typing error looks the same: check the address.",
        )
    return warning(
        name,
        f"no user of Box that we can see has the login {login}",
        "Inviting it sends an invitation that stays pending until it is accepted; in the enterprise's own domain Box "
        "may create a managed user, which takes a licence. A typing error looks the same: check the address.",
    )


def _external(name: str, landing: BoxFolder | None) -> Row:
    if landing is not None and landing.enterprise_only:
        return problem(
            name,
            f"a user of another enterprise, and “{landing.name}” ({landing.id}), where the trees arrive, takes in "
            "people of its own enterprise alone",
            "The folder's owner allows external collaborators in its settings, or take the person out of the plan.",
        )
    return warning(
        name,
        "a user of another enterprise: the invitation stays pending until it is accepted",
        "Make sure that external collaboration with this domain is allowed, and tell the person to accept.",
    )


def _app_user(box: BoxDestination, app_user: str) -> Row | None:
    name = f"app user {app_user}"
    try:
        found = box.accounts.find_app_user(app_user_key(app_user))
    except ItemError as exc:
        return _not_looked_up(name, exc)
    if found is None:
        return ok(name, "is made when the first of its trees is complete")
    if found.status != "active":
        return problem(name, f"is {found.status}", "Activate it in Box, or choose another name.")
    return None


def _pending(records: Sequence[CollaborationRecord]) -> Iterator[Row]:
    waiting = sorted(
        {
            record.spec.key.partition(":")[2]
            for record in records
            if record.status is CollaborationStatus.PENDING
        }
    )
    if waiting:
        yield warning(
            "collaborators pending",
            f"invited and not accepted yet: {', '.join(waiting[:20])}",
            "Remind them; boxhaul collaborate PLAN shows who has accepted since.",
        )


# --- groups ---


def group_rows(plan: MigrationPlan, box: BoxDestination) -> Iterator[Row]:
    """Each group once: there, to be made, or missing."""
    name = "groups"
    groups = _distinct(plan, lambda person: person.group or person.group_id)
    if not groups:
        yield ok(name, "the plan names no group")
        return
    try:
        rows = [row for group in groups[:LOOKED_UP] if (row := _group(box, group)) is not None]
    except PermissionMissing as exc:
        yield problem(
            name,
            f"the app may not look groups up: {said(exc)}",
            "See “scope: manage groups”, or name the groups by group_id.",
            stops=PermissionMissing,
        )
        return
    yield from rows
    yield ok(name, f"{len(groups) - len(rows)} of {counted(len(groups), 'group')} found")


def _group(box: BoxDestination, group: CollaboratorPlan) -> Row | None:
    name = f"group {group.group or group.group_id}"
    try:
        found = (
            box.accounts.find_group(group.group) if group.group else box.accounts.group(str(group.group_id))
        )
    except DestinationGone:
        found = None
    except ItemError as exc:
        return _not_looked_up(name, exc)
    if found is not None:
        return None
    if group.create:
        return ok(name, "is made, empty, when the first of its trees is complete")
    return problem(
        name,
        "Box has no such group",
        "Create it in the Admin Console, correct the plan, or add create: true to it in the plan.",
    )


def _distinct(plan: MigrationPlan, key: Callable[[CollaboratorPlan], str | None]) -> list[CollaboratorPlan]:
    """The plan's collaborators that have this key, each once, in the plan's order."""
    found: dict[str, CollaboratorPlan] = {}
    for tree in plan.trees:
        for person in tree.collaborators:
            value = key(person)
            if value:
                found.setdefault(value.casefold(), person)
    return list(found.values())
