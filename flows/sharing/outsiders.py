"""Outsiders: who has access to a folder and is nobody whom the plan lets in."""

from __future__ import annotations

from collections.abc import Collection

from connectors.box.types import Collaboration
from connectors.errors import ItemError, PermissionMissing
from flows.sharing.access import Access
from flows.sharing.invitations import app_user_key
from state.records import TreeRecord


def is_in_plan(access: Access, our_user_ids: Collection[str], tree: TreeRecord, grant: Collaboration) -> bool:
    """Tell whether a grant is of somebody whom the plan lets into this tree, or of one of our own accounts.

    Compared are ids and logins, which Box gives once. Anybody may give himself a display name, and a group of another
    enterprise may be called like one of the plan.
    """
    if grant.accessible_by_type == "group":
        return grant.accessible_by_id is not None and grant.accessible_by_id in _group_ids(access, tree)
    if grant.accessible_by_id in our_user_ids or grant.id in _made_for_the_plan(access, tree):
        return True
    people = access.people(tree)
    logins = {person.login.casefold() for person in people if person.login}
    if logins & {(grant.accessible_by_login or "").casefold(), (grant.invite_email or "").casefold()}:
        return True
    return grant.accessible_by_id is not None and (
        grant.accessible_by_id in {person.user_id for person in people}
        or grant.accessible_by_id in _app_user_ids(access, tree)
    )


def _made_for_the_plan(access: Access, tree: TreeRecord) -> set[str]:
    """Return the collaborations that this plan made for those whom it still names, whatever they are called now."""
    wanted = {spec.key for spec in access.specs(tree)}
    records = access.checkpoint.all_collaborations(tree.id)
    return {
        each.box_collaboration_id
        for each in records
        if each.box_collaboration_id is not None and each.spec.key in wanted
    }


def _group_ids(access: Access, tree: TreeRecord) -> set[str]:
    """Return the ids of the plan's groups; one that cannot be looked up is nobody's."""
    ids = {person.group_id for person in access.people(tree) if person.group_id}
    for person in access.people(tree):
        if person.group is None:
            continue
        try:
            found = access.box.accounts.find_group(person.group)
        except (ItemError, PermissionMissing):
            continue
        if found is not None:
            ids.add(found.id)
    return ids


def _app_user_ids(access: Access, tree: TreeRecord) -> set[str]:
    """Return the ids of the plan's app users; one that cannot be looked up is nobody's."""
    ids = set()
    for person in access.people(tree):
        if person.app_user is None:
            continue
        try:
            found = access.box.accounts.find_app_user(app_user_key(person.app_user))
        except (ItemError, PermissionMissing):
            continue
        if found is not None:
            ids.add(found.id)
    return ids
