"""Box's collaborations compared with the plan, tree by tree, and made to agree; what the plan does not name is kept.

Trees that are not complete wait (P4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from connectors.box import collaborations
from connectors.box.types import Collaboration, Invitee
from flows.plan.model import MigrationPlan
from flows.sharing.access import Access, budget_held, open_access
from flows.sharing.invitations import app_user_key, let_in
from flows.sharing.links import publish
from flows.sharing.trees import deepest_first, share_tree, unfinished_below
from state.records import CollaborationRecord, CollaboratorSpec, TreeRecord
from state.statuses import CollaborationStatus, EventKind, TreeState


@dataclass(frozen=True, kw_only=True)
class Action:
    """One person or group of one tree: what is, or was, to be done."""

    who: str
    role: str
    #: invite, change, none, failed; remove (by --prune), kept (in Box, no longer in the plan), outsider.
    action: str
    #: accepted, pending, rejected; None while there is no collaboration.
    status: str | None = None
    detail: str | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def agree_with_plan(plan: MigrationPlan, *, prune: bool, dry_run: bool) -> dict[str, Any]:
    """Compare the people of every tree with the plan, the deepest folder first, and make them agree.

    Return plan, dry_run, complete, and each tree with its people. Safe to repeat. `prune` takes away what an earlier
    version of the plan gave and this one does not; `dry_run` changes nothing.
    """
    with open_access(plan) as access, budget_held(access):
        trees = deepest_first(access.checkpoint.trees(access.plan_id))
        shown = [_agree_on_tree(access, tree, prune=prune, dry_run=dry_run) for tree in trees]
    complete = all(tree["state"] == TreeState.COMPLETE.value for tree in shown)
    failed = any(each["action"] == "failed" for tree in shown for each in tree["people"])
    return {
        "plan": plan.name,
        "dry_run": dry_run,
        "complete": bool(shown) and complete and not failed,
        "trees": shown,
    }


def _agree_on_tree(access: Access, tree: TreeRecord, *, prune: bool, dry_run: bool) -> dict[str, Any]:
    """Return what was done for one tree, or would be."""
    waiting = _why_it_waits(access, tree)
    if waiting is not None or tree.box_folder_id is None:
        return {"name": tree.name, "state": tree.state.value, "waiting": waiting, "people": []}
    grants = access.box.collaborations(tree.box_folder_id)
    if dry_run:
        actions = [_compare(access, tree, spec, grants) for spec in access.specs(tree)]
        unwanted = _unwanted(access, tree, grants)
        actions += [_removal(record, grant, prune=prune) for record, grant in unwanted]
        actions += _outsiders(access, tree, grants)
    else:
        outsiders = _outsiders(access, tree, grants)
        actions = [*_apply(access, tree, grants, prune=prune), *outsiders]
    return {
        "name": tree.name,
        "state": access.checkpoint.tree(tree.id).state.value,
        "waiting": None,
        "people": [each.document() for each in actions],
    }


def _why_it_waits(access: Access, tree: TreeRecord) -> str | None:
    """Return why nobody is let in yet: the tree, or one inside its folder, is not complete (P4)."""
    if not tree.verified:
        reason = tree.incomplete_reason.value if tree.incomplete_reason else tree.state.value
        return f"not complete and verified yet: {reason}"
    below = [] if tree.state is TreeState.COMPLETE else unfinished_below(access, tree)
    return f"{below[0].name} inside its folder is not complete" if below else None


# --- what the plan wants ---


def _compare(
    access: Access, tree: TreeRecord, spec: CollaboratorSpec, grants: Sequence[Collaboration]
) -> Action:
    who = _who(spec)
    found = _grant_of(access, tree, spec, grants)
    if found is None:
        return Action(who=who, role=spec.role, action="invite")
    if found.item_id not in (None, tree.box_folder_id):
        enough = collaborations.covers(found.role, spec.role)
        detail = "by a folder above" if enough else f"Box gives nobody more than a folder above: {found.role}"
        action = "none" if enough else "failed"
        return Action(who=who, role=found.role, action=action, status=found.status, detail=detail)
    changes = _changes(spec, found)
    return Action(
        who=who,
        role=spec.role,
        action="change" if changes else "none",
        status=found.status,
        detail=changes or _apart(spec, found),
    )


def _changes(spec: CollaboratorSpec, found: Collaboration) -> str | None:
    """Return what differs and can be changed in place, so that nobody is mailed again."""
    changes = [f"{found.role} to {spec.role}"] if found.role != spec.role else []
    if found.can_view_path != spec.can_view_path:
        changes.append(f"can_view_path to {spec.can_view_path}")
    if spec.expires_at is not None and found.expires_at != spec.expires_at:
        changes.append(f"expires_at to {spec.expires_at.isoformat()}")
    return ", ".join(changes) or None


def _apart(spec: CollaboratorSpec, found: Collaboration) -> str | None:
    if found.is_access_only == spec.is_access_only:
        return None
    return "Box sets is_access_only only when it invites: remove the collaboration in Box, then run again"


def _apply(access: Access, tree: TreeRecord, grants: Sequence[Collaboration], *, prune: bool) -> list[Action]:
    """Make Box agree; then the tree is complete, if that was all that it lacked."""
    records = access.checkpoint.ensure_collaborations(tree.id, access.specs(tree))
    actions = [_bring_about(access, tree, record, grants) for record in records]
    for record, grant in _unwanted(access, tree, grants):
        if prune:
            _remove(access, tree, record, grant)
        actions.append(_removal(record, grant, prune=prune))
    if tree.state is TreeState.COMPLETE:
        _publish_again(access, tree, actions)
    elif not any(each.action == "failed" for each in actions):
        share_tree(access, tree)
    return actions


def _remove(access: Access, tree: TreeRecord, record: CollaborationRecord, grant: Collaboration) -> None:
    access.box.remove_collaboration(grant.id)
    access.checkpoint.forget_collaboration(record.id)
    detail = {"who": _who(record.spec), "role": grant.role}
    access.checkpoint.record_event(access.plan_id, EventKind.COLLABORATION_REMOVED, detail, tree_id=tree.id)


def _bring_about(
    access: Access, tree: TreeRecord, record: CollaborationRecord, grants: Sequence[Collaboration]
) -> Action:
    action = _compare(access, tree, record.spec, grants)
    if action.action in ("none", "failed"):
        _write_down(access, record, action, _grant_of(access, tree, record.spec, grants))
        return action
    problem = let_in(access, tree, record)
    made = next(
        each for each in access.checkpoint.all_collaborations(tree.id) if each.spec.key == record.spec.key
    )
    if problem is not None:
        return Action(who=action.who, role=action.role, action="failed", detail=problem)
    return Action(
        who=action.who, role=action.role, action=action.action, status=made.status, detail=action.detail
    )


def _write_down(
    access: Access, record: CollaborationRecord, action: Action, grant: Collaboration | None
) -> None:
    """Write down what Box says now: somebody who was pending may have accepted, or declined."""
    failed = action.action == "failed" or action.status is None
    status = CollaborationStatus.FAILED if failed else CollaborationStatus(str(action.status))
    access.checkpoint.record_collaboration(
        record.id,
        status=status,
        box_collaboration_id=(grant.id or None) if grant else record.box_collaboration_id,
        detail=action.detail if action.action == "failed" else None,
    )


def _publish_again(access: Access, tree: TreeRecord, actions: list[Action]) -> None:
    """Bring a changed link or password to Box."""
    problem = publish(access, tree, again=True)
    if problem is not None:
        actions.append(Action(who="shared link", role="", action="failed", detail=problem))


# --- what the plan no longer wants ---


def _unwanted(
    access: Access, tree: TreeRecord, grants: Sequence[Collaboration]
) -> list[tuple[CollaborationRecord, Collaboration]]:
    """Return the collaborations on this very folder that an earlier version of the plan made."""
    wanted = {spec.key for spec in access.specs(tree)}
    matched = _matched(access, tree, grants)
    here = {grant.id: grant for grant in grants if grant.item_id in (None, tree.box_folder_id)}
    return [
        (record, here[record.box_collaboration_id])
        for record in access.checkpoint.all_collaborations(tree.id)
        if record.spec.key not in wanted
        and record.box_collaboration_id in here
        and record.box_collaboration_id not in matched
    ]


def _matched(access: Access, tree: TreeRecord, grants: Sequence[Collaboration]) -> set[str]:
    """Return the grants of those whom the plan names, by whatever name: a login may have become an id."""
    found = (_grant_of(access, tree, spec, grants) for spec in access.specs(tree))
    return {grant.id for grant in found if grant is not None}


def _removal(record: CollaborationRecord, grant: Collaboration, *, prune: bool) -> Action:
    return Action(
        who=_who(record.spec),
        role=grant.role,
        action="remove" if prune else "kept",
        status=grant.status,
        detail=None if prune else "not in the plan any more; --prune takes it away",
    )


def _outsiders(access: Access, tree: TreeRecord, grants: Sequence[Collaboration]) -> list[Action]:
    """Return those whom somebody else let in: they are told, never touched."""
    ours = {record.box_collaboration_id for record in access.checkpoint.all_collaborations(tree.id)}
    ours |= _matched(access, tree, grants)
    uploaders = {*access.plan.box.identities, *access.checkpoint.tree_editors(tree.id)}
    return [
        Action(
            who=grant.accessible_by_login or grant.accessible_by_name or grant.invite_email or grant.id,
            role=grant.role,
            action="outsider",
            status=grant.status,
            detail="let in by somebody else; left as it is",
        )
        for grant in grants
        if grant.item_id in (None, tree.box_folder_id)
        and grant.id not in ours
        and grant.accessible_by_id not in uploaders
    ]


# --- who is who ---


def _grant_of(
    access: Access, tree: TreeRecord, spec: CollaboratorSpec, grants: Sequence[Collaboration]
) -> Collaboration | None:
    invitee = _invitee(access, spec)
    return None if invitee is None else collaborations.among(grants, tree.box_folder_id or "", invitee)


def _invitee(access: Access, spec: CollaboratorSpec) -> Invitee | None:
    """Return whom Box's list is searched for; None for an app user that is still to be made."""
    if spec.app_user is None:
        return Invitee(login=spec.login, user_id=spec.user_id, group=spec.group, group_id=spec.group_id)
    found = access.box.find_app_user(app_user_key(spec.app_user))
    return Invitee(user_id=found.id) if found else None


def _who(spec: CollaboratorSpec) -> str:
    named = (spec.login, spec.group, spec.app_user)
    plain = next((name for name in named if name is not None), None)
    return plain or (f"user {spec.user_id}" if spec.user_id else f"group {spec.group_id}")
