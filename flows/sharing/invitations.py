"""Letting people in: uploaders out, people in, link made; each step once, whatever a kill leaves behind. No flow here.

P4: nobody is let in before the tree is complete; a folder that contains another tree's waits for that one, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.box.destination import BoxDestination
from connectors.box.types import Invitee, SharedLink
from connectors.errors import (
    AuthenticationFailed,
    ConnectorError,
    FatalError,
    ItemError,
    PermissionMissing,
    Rejected,
    Stopped,
)
from flows.plan.model import MigrationPlan, TreePlan
from flows.plan.references import reveal
from flows.sharing.uploaders import TreeEditors
from state.checkpoint import Checkpoint
from state.records import CollaborationRecord, CollaboratorSpec, TreeRecord
from state.statuses import CollaborationStatus, IncompleteReason, TreeState

#: Box took it; nobody is asked twice, not even who declined.
SETTLED = (CollaborationStatus.ACCEPTED, CollaborationStatus.PENDING, CollaborationStatus.REJECTED)

#: No invitation went out, and so no mail.
NOT_INVITED = (ItemError, AuthenticationFailed, PermissionMissing, Stopped)

#: Refusals that are named in the detail of a tree.
NAMED_REFUSALS = 3


@dataclass(frozen=True)
class Sharing:
    """What letting people in needs of a plan that is open."""

    plan: MigrationPlan
    plan_id: int
    checkpoint: Checkpoint
    box: BoxDestination
    editors: TreeEditors

    def tree_plan(self, tree: TreeRecord) -> TreePlan:
        """What the plan says of this tree."""
        for planned in self.plan.trees:
            if planned.source == tree.source:
                return planned
        return TreePlan(source=tree.source, folder=tree.folder)

    def specs(self, tree: TreeRecord) -> list[CollaboratorSpec]:
        """The people of this tree as the checkpoint keeps them."""
        return [collaborator_spec(person) for person in self.tree_plan(tree).collaborators]


def collaborator_spec(person: Any) -> CollaboratorSpec:
    """The plan's collaborator as the checkpoint keeps it."""
    return CollaboratorSpec(
        role=person.role.value,
        login=person.login,
        user_id=person.user_id,
        group=person.group,
        group_id=person.group_id,
        app_user=person.app_user,
        can_view_path=person.can_view_path,
        is_access_only=person.is_access_only,
        expires_at=person.expires_at,
    )


def share_tree(sharing: Sharing, tree: TreeRecord) -> None:
    """Uploaders out, people in, deepest folder first, then the link; the tree is complete when all of that is done.

    A tree that is not verified, as the checkpoint has it now, is left as it is.
    """
    tree = sharing.checkpoint.tree(tree.id)
    if not tree.verified:
        return
    if tree.box_folder_id is not None:
        sharing.editors.remove(tree.id, tree.box_folder_id)
    waiting = [] if tree.state is TreeState.COMPLETE else unfinished_below(sharing, tree)
    if waiting:
        detail = ", ".join(below.name for below in waiting[:NAMED_REFUSALS])
        _incomplete(sharing, tree, IncompleteReason.TREE_BELOW, detail)
        return
    refused = _let_people_in(sharing, tree)
    if refused:
        _incomplete(sharing, tree, IncompleteReason.COLLABORATION_FAILED, "; ".join(refused[:NAMED_REFUSALS]))
        return
    link_refused = publish(sharing, tree)
    if link_refused is not None:
        _incomplete(sharing, tree, IncompleteReason.SHARED_LINK_FAILED, link_refused)
        return
    sharing.checkpoint.set_tree_state(tree.id, TreeState.COMPLETE)
    for above in _waiting_above(sharing, tree):
        share_tree(sharing, above)


def unfinished_below(sharing: Sharing, tree: TreeRecord) -> list[TreeRecord]:
    """Trees of the plan whose folder lies inside this one's and that are not complete: its people would see them."""
    return [
        other
        for other in sharing.checkpoint.trees(sharing.plan_id)
        if lies_below(other, tree) and other.state is not TreeState.COMPLETE
    ]


def lies_below(tree: TreeRecord, above: TreeRecord) -> bool:
    """True when the folder of `tree` is inside that of `above`."""
    return tree.folder.casefold().startswith(above.folder.casefold() + "/")


def deepest_first(trees: Sequence[TreeRecord]) -> list[TreeRecord]:
    """Box lets a deeper folder give more than the one above only when it is shared first."""
    return sorted(trees, key=lambda tree: (-tree.folder.count("/"), tree.id))


def _waiting_above(sharing: Sharing, tree: TreeRecord) -> list[TreeRecord]:
    """Those that waited for this one alone; what a pass has not looked at yet may have changed, and completes later."""
    pass_id = sharing.checkpoint.current_pass(sharing.plan_id)
    return deepest_first(
        [
            other
            for other in sharing.checkpoint.trees(sharing.plan_id)
            if lies_below(tree, other)
            and other.verified
            and other.incomplete_reason is IncompleteReason.TREE_BELOW
            and (pass_id is None or sharing.checkpoint.walk_is_done(pass_id, other.id))
        ]
    )


def _incomplete(sharing: Sharing, tree: TreeRecord, reason: IncompleteReason, detail: str) -> None:
    sharing.checkpoint.set_tree_state(tree.id, TreeState.INCOMPLETE, reason=reason, detail=detail)


# --- people ---


def _let_people_in(sharing: Sharing, tree: TreeRecord) -> list[str]:
    """What Box refused, one line each."""
    refused = []
    for record in sharing.checkpoint.ensure_collaborations(tree.id, sharing.specs(tree)):
        if record.status not in SETTLED and (problem := let_in(sharing, tree, record)) is not None:
            refused.append(f"{record.spec.key}: {problem}")
    return refused


def let_in(sharing: Sharing, tree: TreeRecord, record: CollaborationRecord) -> str | None:
    """Make or change one collaboration and write it down; the reason when Box refuses it. Stopped leaves it to the next
    run, mail included."""
    if tree.box_folder_id is None:
        return "the tree has no folder in Box"
    mail = sharing.plan.transfer.notify and sharing.checkpoint.claim_mail(sharing.plan_id, record.id)
    try:
        made = sharing.box.collaborate(
            tree.box_folder_id,
            invitee_of(sharing, tree, record.spec),
            record.spec.role,
            notify=mail,
            can_view_path=record.spec.can_view_path,
            is_access_only=record.spec.is_access_only,
            expires_at=record.spec.expires_at,
        )
    except ConnectorError as exc:
        if mail and isinstance(exc, NOT_INVITED):
            sharing.checkpoint.release_mail(record.id)
        if isinstance(exc, FatalError | Stopped):
            raise
        sharing.checkpoint.record_collaboration(
            record.id,
            status=CollaborationStatus.FAILED,
            box_collaboration_id=record.box_collaboration_id,
            detail=str(exc),
        )
        return str(exc)
    sharing.checkpoint.record_collaboration(
        record.id, status=CollaborationStatus(made.status), box_collaboration_id=made.id or None
    )
    return None


def invitee_of(sharing: Sharing, tree: TreeRecord, spec: CollaboratorSpec) -> Invitee:
    """Whom Box is to let in; app users, and groups that the plan says so of, are made first. Once is enough."""
    if spec.app_user is not None:
        return Invitee(user_id=_made_app_user(sharing, spec.app_user))
    if spec.group is not None and _may_be_made(sharing, tree, spec.group):
        return Invitee(
            group_id=(sharing.box.find_group(spec.group) or sharing.box.create_group(spec.group)).id
        )
    return Invitee(login=spec.login, user_id=spec.user_id, group=spec.group, group_id=spec.group_id)


def _made_app_user(sharing: Sharing, name: str) -> str:
    key = app_user_key(name)
    found = sharing.box.find_app_user(key) or sharing.box.create_app_user(name, key)
    if found.status != "active":
        raise Rejected(
            f"The app user {name!r} ({found.id}) is {found.status}; activate it, or take another name."
        )
    return found.id


def app_user_key(name: str) -> str:
    """The external id by which an app user that is a collaborator is found again, in every plan."""
    return f"boxhaul-user-{hashlib.sha256(name.casefold().encode()).hexdigest()[:32]}"


def _may_be_made(sharing: Sharing, tree: TreeRecord, group: str) -> bool:
    return any(
        person.create and (person.group or "").casefold() == group.casefold()
        for person in sharing.tree_plan(tree).collaborators
    )


# --- shared links ---


def publish(sharing: Sharing, tree: TreeRecord, *, again: bool = False) -> str | None:
    """Make the plan's link for this tree, unless it is made; the reason when Box refuses it."""
    planned = sharing.tree_plan(tree).shared_link
    if planned is None or tree.box_folder_id is None:
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
        made = sharing.box.share_folder(tree.box_folder_id, link, password)
    except (FatalError, Stopped):
        raise
    except ConnectorError as exc:
        return str(exc)
    sharing.checkpoint.record_shared_link(tree.id, {"url": made.url, **wanted})
    return None
