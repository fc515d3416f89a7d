"""People: a tree's own folder in Box, who is in it and who may open it by its link, against checkpoint and plan."""

from __future__ import annotations

from functools import partial

from connectors.box.types import BoxFolder
from connectors.errors import DestinationGone
from flows.reconciliation.comparison import Comparison
from flows.reconciliation.differences import Difference, DifferenceKind
from flows.reconciliation.in_box import OPEN_LINKS
from flows.sharing.agreement import Action, compare_people
from flows.transfer.outcomes import Outcome, failure_of, outcome_of
from state.records import TreeRecord
from state.statuses import TreeState

#: What has to be done for somebody, and what it is called when nobody did it.
_KINDS = {
    "outsider": DifferenceKind.COLLABORATOR_ADDED,
    "invite": DifferenceKind.COLLABORATOR_MISSING,
    "change": DifferenceKind.COLLABORATOR_CHANGED,
    "failed": DifferenceKind.COLLABORATOR_CHANGED,
}


def compare_roots(comparison: Comparison) -> list[TreeRecord]:
    """Compare the trees' own folders, many at once; return the trees of which Box shows the folder."""
    trees = [tree for tree in comparison.trees if tree.box_folder_id is not None]
    comparison.ledger.begin("trees, people and links", len(trees))
    shown: set[int] = set()

    def compare(tree: TreeRecord) -> None:
        if compare_root(comparison, tree):
            shown.add(tree.id)
        comparison.ledger.compared()

    comparison.run(partial(compare, tree) for tree in trees)
    return [tree for tree in trees if tree.id in shown]


def compare_root(comparison: Comparison, tree: TreeRecord) -> bool:
    """Compare the tree's own folder, its people and its link: two calls, and one for each group or app user.

    False when Box does not show the folder: then nothing below it can be compared.
    """
    box, box_id = comparison.access.box, str(tree.box_folder_id)
    try:
        folder = box.folder_info(box_id)
    except DestinationGone as exc:
        trashed = box.folder_is_trashed(box_id)
        kind = DifferenceKind.TRASHED if trashed else DifferenceKind.MISSING_IN_BOX
        detail = f"the tree's own folder, with all that is below it: {exc}"
        comparison.add(Difference(kind=kind, path=tree.source or tree.name, box_id=box_id, detail=detail))
        return False
    _compare_place(comparison, tree, folder)
    _compare_link(comparison, tree, folder)
    try:
        for action in compare_people(comparison.access, tree, in_force=comparison.lets_in):
            _tell_person(comparison, tree, action)
    except Exception as exc:
        if outcome_of(exc) not in (Outcome.FAILED, Outcome.AGAIN):
            raise
        detail = f"its people cannot be listed: {failure_of(exc)[1]}"
        _add(comparison, tree, DifferenceKind.UNREADABLE_IN_BOX, detail)
    return True


def _compare_place(comparison: Comparison, tree: TreeRecord, folder: BoxFolder) -> None:
    """Its name, and whether it still lies directly in the landing folder where that is its place."""
    [root] = comparison.access.checkpoint.folder_chain(tree.root_folder_id)
    if folder.name != root.box_name:
        _add(comparison, tree, DifferenceKind.RENAMED, f"is {folder.name!r} in Box", folder)
    landing = comparison.access.plan.box.landing_folder_id
    if "/" not in tree.folder and folder.parent_id not in (None, landing):
        detail = f"lies in the folder {folder.parent_id}, and the landing folder is {landing}"
        _add(comparison, tree, DifferenceKind.MOVED, detail, folder)


def _compare_link(comparison: Comparison, tree: TreeRecord, folder: BoxFolder) -> None:
    made = (tree.shared_link or {}).get("access")
    if folder.link_access == made:
        return
    if folder.link_access in OPEN_LINKS:
        words = f"the plan made it as {made}" if made else "the plan made none"
        detail = f"a shared link opens it ({folder.link_access}); {words}"
        _add(comparison, tree, DifferenceKind.LINK_OPENED, detail, folder)
    elif made is not None:
        detail = f"the plan made a link ({made}), and Box has {folder.link_access or 'none'}"
        _add(comparison, tree, DifferenceKind.LINK_MISSING, detail, folder)


def _tell_person(comparison: Comparison, tree: TreeRecord, action: Action) -> None:
    """A tree that is not complete has nobody in it yet: then nobody is missing. Where who was let in before is compared
    alone, whoever is not in any more is missing all the same."""
    kind = _KINDS.get(action.action)
    may_lack = tree.state is TreeState.COMPLETE or comparison.lets_in
    if kind is None or not (may_lack or kind is DifferenceKind.COLLABORATOR_ADDED):
        return
    words = [action.who, action.role, *([action.status] if action.status else [])]
    detail = f"{', '.join(words)}{f': {action.detail}' if action.detail else ''}"
    _add(comparison, tree, kind, detail)


def _add(
    comparison: Comparison,
    tree: TreeRecord,
    kind: DifferenceKind,
    detail: str,
    folder: BoxFolder | None = None,
) -> None:
    found = Difference(
        kind=kind,
        path=tree.source or tree.name,
        box_id=tree.box_folder_id,
        detail=detail,
        by=folder.modified_by if folder else None,
        at=folder.modified_at if folder else None,
    )
    comparison.add(found)
