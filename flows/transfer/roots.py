"""Roots: a tree's own folder in Box, and who could see it before."""

from __future__ import annotations

from collections.abc import Collection

from connectors.box.types import Collaboration
from flows.sharing.access import Access
from state.records import TreeRecord


def is_in_plan(access: Access, our_user_ids: Collection[str], tree: TreeRecord, grant: Collaboration) -> bool:
    """Tell whether a grant is of somebody whom the plan lets into this tree, or of one of our own accounts."""
    known = {
        value.casefold()
        for value in (
            grant.accessible_by_login,
            grant.invite_email,
            grant.accessible_by_name,
            grant.accessible_by_id,
        )
        if value
    }
    wanted = {
        value.casefold()
        for person in access.tree_plan(tree).collaborators
        for value in (person.login, person.user_id, person.group, person.group_id, person.app_user)
        if value
    }
    return grant.accessible_by_id in our_user_ids or bool(known & wanted)
