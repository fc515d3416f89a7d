"""A tree that is verified gets its people: uploaders out, people in, link made; each step once, whatever a kill leaves.

P4: nobody is let in before the tree is complete; a folder that contains another tree's waits for that one, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.errors import ItemError
from flows.sharing.access import Access
from flows.sharing.invitations import let_in
from flows.sharing.links import publish
from state.records import TreeRecord
from state.statuses import CollaborationStatus, IncompleteReason, TreeState

#: Box took it; nobody is asked twice, not even who declined.
SETTLED = (CollaborationStatus.ACCEPTED, CollaborationStatus.PENDING, CollaborationStatus.REJECTED)

#: Refusals that are named in the detail of a tree.
NAMED_REFUSALS = 3


def share_tree(access: Access, tree: TreeRecord) -> tuple[IncompleteReason, str] | None:
    """Take uploaders out, let people in, make the link; return what the tree lacks to be complete, None for nothing."""
    if (refusal := _take_uploaders_out(access, tree)) is not None:
        return IncompleteReason.COLLABORATION_FAILED, refusal
    waiting = [] if tree.state is TreeState.COMPLETE else unfinished_below(access, tree)
    if waiting:
        return IncompleteReason.TREE_BELOW, ", ".join(below.name for below in waiting)
    if refused := _let_people_in(access, tree):
        return IncompleteReason.COLLABORATION_FAILED, "; ".join(refused[:NAMED_REFUSALS])
    if (refusal := publish(access, tree)) is not None:
        return IncompleteReason.SHARED_LINK_FAILED, refusal
    return None


def _take_uploaders_out(access: Access, tree: TreeRecord) -> str | None:
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
    return access.checkpoint.incomplete_trees(access.nesting.below(tree), limit=NAMED_REFUSALS)


def deepest_first(trees: Sequence[TreeRecord]) -> list[TreeRecord]:
    """Sort trees for sharing: Box lets a deeper folder give more than the one above only when it is shared first."""
    return sorted(trees, key=lambda tree: (-tree.folder.count("/"), tree.id))


def waiting_above(access: Access, tree: TreeRecord) -> list[TreeRecord]:
    """Return the trees that waited for this one alone.

    What a pass has not looked at yet may have changed, and completes later.
    """
    above = [access.checkpoint.tree(tree_id) for tree_id in access.nesting.above(tree)]
    waiting = [
        each for each in above if each.verified and each.incomplete_reason is IncompleteReason.TREE_BELOW
    ]
    pass_id = access.checkpoint.current_pass(access.plan_id) if waiting else None
    return [each for each in waiting if pass_id is None or access.checkpoint.walk_is_done(pass_id, each.id)]


def _let_people_in(access: Access, tree: TreeRecord) -> list[str]:
    """Let the plan's people in and return what Box refused, one line each."""
    refused = []
    for record in access.checkpoint.ensure_collaborations(tree.id, access.specs(tree)):
        if record.status not in SETTLED and (problem := let_in(access, tree, record)) is not None:
            refused.append(f"{record.spec.key}: {problem}")
    return refused
