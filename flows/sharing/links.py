"""The shared link of a tree's folder."""

from __future__ import annotations

from connectors.box.types import SharedLink
from connectors.errors import ConnectorError, FatalError, Stopped
from flows.plan.references import reveal
from flows.sharing.access import Access, has_ended
from state.records import TreeRecord


def publish(access: Access, tree: TreeRecord, *, again: bool = False) -> str | None:
    """Make the plan's link for this tree, unless it is made; return the reason when Box refuses it.

    `again`: set it even when it is made as the plan says, since a password cannot be compared.
    """
    planned_tree = access.tree_plan(tree)
    planned = planned_tree.shared_link if planned_tree is not None else None
    if planned is None or tree.box_folder_id is None or has_ended(planned.expires_at):
        return None
    expires_at = planned.expires_at
    wanted = {
        "access": planned.access.value,
        "expires_at": expires_at.isoformat() if expires_at else None,
        "password": planned.password is not None,
    }
    known = tree.shared_link or {}
    if not again and {name: known.get(name) for name in wanted} == wanted:
        return None
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
