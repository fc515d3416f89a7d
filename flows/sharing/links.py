"""The shared link of a tree's folder."""

from __future__ import annotations

from typing import Any

from connectors.box.types import SharedLink
from connectors.errors import ConnectorError, FatalError, Stopped
from flows.plan.references import reveal
from flows.sharing.access import Access, has_ended
from state.records import TreeRecord


def is_to_be_published(access: Access, tree: TreeRecord) -> bool:
    """Tell whether the plan wants a link for this tree that is not made yet, or another one than is made."""
    wanted = _wanted(access, tree)
    known = tree.shared_link or {}
    return wanted is not None and {name: known.get(name) for name in wanted} != wanted


def publish(access: Access, tree: TreeRecord, *, again: bool = False) -> str | None:
    """Make the plan's link for this tree, unless it is made; return the reason when Box refuses it.

    `again`: set it even when it is made as the plan says, since a password cannot be compared.
    """
    planned_tree = access.tree_plan(tree)
    planned = planned_tree.shared_link if planned_tree is not None else None
    wanted = _wanted(access, tree)
    if planned is None or wanted is None or tree.box_folder_id is None:
        return None
    if not again and not is_to_be_published(access, tree):
        return None
    expires_at = planned.expires_at
    link = SharedLink(access=planned.access.value, expires_at=expires_at)
    password = reveal(planned.password, key=f"trees.{tree.name}.shared_link.password")
    try:
        made = access.box.share_folder(tree.box_folder_id, link, password)
    except (FatalError, Stopped):
        raise
    except ConnectorError as exc:
        return str(exc)
    access.checkpoint.record_shared_link(tree.id, {"url": made.url, **wanted})
    return None


def _wanted(access: Access, tree: TreeRecord) -> dict[str, Any] | None:
    """Return the plan's link as the checkpoint keeps it; None where there is to be none."""
    planned_tree = access.tree_plan(tree)
    planned = planned_tree.shared_link if planned_tree is not None else None
    if planned is None or tree.box_folder_id is None or has_ended(planned.expires_at):
        return None
    return {
        "access": planned.access.value,
        "expires_at": planned.expires_at.isoformat() if planned.expires_at else None,
        "password": planned.password is not None,
    }
