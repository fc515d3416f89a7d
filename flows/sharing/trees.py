"""Steps that share a tree which is verified: uploaders out, people in; each once, whatever a kill leaves.

Their order, and when a tree is complete (P4), is in flows/transfer/completing.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.errors import ItemError
from flows.sharing.access import Access
from flows.sharing.invitations import let_in
from state.records import TreeRecord
from state.statuses import CollaborationStatus, IncompleteReason, TreeState

#: In, or invited by mail.
LET_IN = (CollaborationStatus.ACCEPTED, CollaborationStatus.PENDING)
#: Box took it; nobody is asked twice, not even who declined.
SETTLED = (*LET_IN, CollaborationStatus.REJECTED)

#: Trees that are named as those which another waits for.
NAMED_TREES = 3


def take_uploaders_out(access: Access, tree: TreeRecord) -> str | None:
    """Return the reason when Box refuses it: that is this tree's failure, and the others go on (P11)."""
    if tree.box_folder_id is None:
        return None
    try:
        access.editors.remove(tree.id, tree.box_folder_id)
    except ItemError as exc:
        return f"uploaders stay in: {exc}"
    return None


def unfinished_below(access: Access, tree: TreeRecord) -> list[TreeRecord]:
    """Return trees inside this one's folder that are not complete, the last few: its people would see them."""
    below = access.nesting.below(tree)
    if access.foreseen:
        below = [tree_id for tree_id in below if tree_id not in access.foreseen]
    return access.checkpoint.incomplete_trees(below, limit=NAMED_TREES)


def deepest_first(trees: Sequence[TreeRecord]) -> list[TreeRecord]:
    """Sort trees for sharing: Box lets a deeper folder give more than the one above only when it is shared first."""
    return sorted(trees, key=lambda tree: (-tree.folder.count("/"), tree.id))


def waiting_above(access: Access, tree: TreeRecord, *, held: bool = False) -> list[TreeRecord]:
    """Return the trees that waited for this one alone. `held`: those that are verified as well, and no more.

    What a pass has not looked at yet may have changed, and completes later.
    """
    above = [access.checkpoint.tree(tree_id) for tree_id in access.nesting.above(tree)]
    waiting = [
        each
        for each in above
        if each.verified
        and (
            each.incomplete_reason is IncompleteReason.TREE_BELOW
            or (held and each.state is TreeState.VERIFIED)
        )
    ]
    pass_id = access.checkpoint.current_pass(access.plan_id) if waiting else None
    return [each for each in waiting if pass_id is None or access.checkpoint.walk_is_done(pass_id, each.id)]


def lets_people_in(access: Access, tree: TreeRecord) -> bool:
    """Tell whether somebody of the plan is not in yet. Whose role alone changed is in."""
    records = access.checkpoint.ensure_collaborations(tree.id, access.specs(tree))
    return any(record.status not in SETTLED and record.box_collaboration_id is None for record in records)


def let_people_in(access: Access, tree: TreeRecord) -> list[str]:
    """Let the plan's people in and return what Box refused, one line each."""
    refused = []
    for record in access.checkpoint.ensure_collaborations(tree.id, access.specs(tree)):
        if record.status not in SETTLED and (problem := let_in(access, tree, record)) is not None:
            refused.append(f"{record.spec.key}: {problem}")
    return refused
