"""collaborate_share: bring the people of every complete tree to what the plan says, whatever happened in Box since.

Requires: the plan's checkpoint and Box; the share is not asked. Trees that are not complete wait (P4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from prefect import flow
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from connectors.box import collaborations
from connectors.box.types import Collaboration, Invitee
from flows.errors import PlanError
from flows.plan.model import MigrationPlan
from flows.sharing.invitations import (
    Sharing,
    app_user_key,
    deepest_first,
    let_in,
    publish,
    share_tree,
    unfinished_below,
)
from flows.sharing.uploaders import TreeEditors
from flows.transfer.migration import LEASE_SECONDS, lease_budget, open_box, worker_name
from flows.words import printable
from state.checkpoint import Checkpoint
from state.records import CollaborationRecord, CollaboratorSpec, TreeRecord
from state.statuses import CollaborationStatus, TreeState


@dataclass(frozen=True, kw_only=True)
class Action:
    """One person or group of one tree: what is, or was, to be done."""

    who: str
    role: str
    #: invite, change, none, failed; remove (by --prune), kept (in Box, no longer in the plan), stranger.
    action: str
    #: accepted, pending, rejected; None while there is no collaboration.
    status: str | None = None
    detail: str | None = None

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "who": self.who,
            "role": self.role,
            "action": self.action,
            "status": self.status,
            "detail": self.detail,
        }


@flow(flow_run_name="{plan.name}-collaborate", persist_result=False)
def collaborate_share(plan: MigrationPlan, prune: bool = False, dry_run: bool = False) -> dict[str, Any]:
    """Compare Box's collaborations with the plan, tree by tree, the deepest folder first, and make them agree.

    Args:
        plan: What moves from where to where, and who is let in.
        prune: Take away from Box what an earlier version of the plan gave and this one does not.
        dry_run: Only say what would change.
    """
    with open_sharing(plan) as sharing:
        trees = deepest_first(sharing.checkpoint.trees(sharing.plan_id))
        shown = [_collaborate(sharing, tree, prune=prune, dry_run=dry_run) for tree in trees]
    complete = all(tree["state"] == TreeState.COMPLETE.value for tree in shown)
    failed = any(each["action"] == "failed" for tree in shown for each in tree["people"])
    return {
        "plan": plan.name,
        "dry_run": dry_run,
        "complete": bool(shown) and complete and not failed,
        "trees": shown,
    }


@contextmanager
def open_sharing(plan: MigrationPlan) -> Iterator[Sharing]:
    """Checkpoint and Box of a plan that has begun, with the service account's budget held alone."""
    with ExitStack() as stack:
        checkpoint = stack.enter_context(closing(Checkpoint.open(plan.resolved_state_url())))
        plan_id = checkpoint.find_plan(plan.name)
        if plan_id is None:
            raise PlanError(f"nothing is known of the plan {plan.name} yet; run: boxhaul migrate")
        worker = checkpoint.register_worker(plan_id, name=worker_name(), lease_seconds=10 * LEASE_SECONDS)
        stack.callback(checkpoint.release_worker, worker)
        box = stack.enter_context(open_box(plan))
        account = box.whoami()
        lease_budget(checkpoint, worker, box, account.id)
        stack.callback(checkpoint.release_identity, worker, account.id)
        yield Sharing(plan, plan_id, checkpoint, box, TreeEditors(checkpoint, box))
        checkpoint.add_call_counts(plan_id, box.call_counts())


def _collaborate(sharing: Sharing, tree: TreeRecord, *, prune: bool, dry_run: bool) -> dict[str, Any]:
    """One tree: what was done, or would be."""
    waiting = _why_it_waits(sharing, tree)
    if waiting is not None or tree.box_folder_id is None:
        return {"name": tree.name, "state": tree.state.value, "waiting": waiting, "people": []}
    grants = sharing.box.collaborations(tree.box_folder_id)
    if dry_run:
        actions = [_compare(sharing, tree, spec, grants) for spec in sharing.specs(tree)]
        unwanted = _unwanted(sharing, tree, grants)
        actions += [_removal(record, grant, prune=prune) for record, grant in unwanted]
        actions += _strangers(sharing, tree, grants)
    else:
        strangers = _strangers(sharing, tree, grants)
        actions = [*_apply(sharing, tree, grants, prune=prune), *strangers]
    return {
        "name": tree.name,
        "state": sharing.checkpoint.tree(tree.id).state.value,
        "waiting": None,
        "people": [each.document() for each in actions],
    }


def _why_it_waits(sharing: Sharing, tree: TreeRecord) -> str | None:
    """People come when the tree is complete and verified, and no tree inside its folder is unfinished (P4)."""
    if not tree.verified:
        reason = tree.incomplete_reason.value if tree.incomplete_reason else tree.state.value
        return f"not complete and verified yet: {reason}"
    below = [] if tree.state is TreeState.COMPLETE else unfinished_below(sharing, tree)
    return f"{below[0].name} inside its folder is not complete" if below else None


# --- what the plan wants ---


def _compare(
    sharing: Sharing, tree: TreeRecord, spec: CollaboratorSpec, grants: Sequence[Collaboration]
) -> Action:
    who = _who(spec)
    found = _grant_of(sharing, tree, spec, grants)
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
    """What differs and can be changed in place, so that nobody is mailed again."""
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


def _apply(
    sharing: Sharing, tree: TreeRecord, grants: Sequence[Collaboration], *, prune: bool
) -> list[Action]:
    """Do it; then the tree is complete, if that was all that it lacked."""
    records = sharing.checkpoint.ensure_collaborations(tree.id, sharing.specs(tree))
    actions = [_bring_about(sharing, tree, record, grants) for record in records]
    for record, grant in _unwanted(sharing, tree, grants):
        if prune:
            _remove(sharing, tree, record, grant)
        actions.append(_removal(record, grant, prune=prune))
    if tree.state is TreeState.COMPLETE:
        _publish_again(sharing, tree, actions)
    elif not any(each.action == "failed" for each in actions):
        share_tree(sharing, tree)
    return actions


def _remove(sharing: Sharing, tree: TreeRecord, record: CollaborationRecord, grant: Collaboration) -> None:
    sharing.box.remove_collaboration(grant.id)
    sharing.checkpoint.forget_collaboration(record.id)
    detail = {"who": _who(record.spec), "role": grant.role}
    sharing.checkpoint.record_event(sharing.plan_id, "collaboration_removed", detail, tree_id=tree.id)


def _bring_about(
    sharing: Sharing, tree: TreeRecord, record: CollaborationRecord, grants: Sequence[Collaboration]
) -> Action:
    action = _compare(sharing, tree, record.spec, grants)
    if action.action in ("none", "failed"):
        _write_down(sharing, record, action, _grant_of(sharing, tree, record.spec, grants))
        return action
    problem = let_in(sharing, tree, record)
    made = next(
        each for each in sharing.checkpoint.all_collaborations(tree.id) if each.spec.key == record.spec.key
    )
    if problem is not None:
        return Action(who=action.who, role=action.role, action="failed", detail=problem)
    return Action(
        who=action.who, role=action.role, action=action.action, status=made.status, detail=action.detail
    )


def _write_down(
    sharing: Sharing, record: CollaborationRecord, action: Action, grant: Collaboration | None
) -> None:
    """What Box says now: somebody who was pending may have accepted, or declined."""
    failed = action.action == "failed" or action.status is None
    status = CollaborationStatus.FAILED if failed else CollaborationStatus(str(action.status))
    sharing.checkpoint.record_collaboration(
        record.id,
        status=status,
        box_collaboration_id=(grant.id or None) if grant else record.box_collaboration_id,
        detail=action.detail if action.action == "failed" else None,
    )


def _publish_again(sharing: Sharing, tree: TreeRecord, actions: list[Action]) -> None:
    """A changed link or password reaches Box with this command."""
    problem = publish(sharing, tree, again=True)
    if problem is not None:
        actions.append(Action(who="shared link", role="", action="failed", detail=problem))


# --- what the plan no longer wants ---


def _unwanted(
    sharing: Sharing, tree: TreeRecord, grants: Sequence[Collaboration]
) -> list[tuple[CollaborationRecord, Collaboration]]:
    """Collaborations on this very folder that an earlier version of the plan made."""
    wanted = {spec.key for spec in sharing.specs(tree)}
    matched = _matched(sharing, tree, grants)
    here = {grant.id: grant for grant in grants if grant.item_id in (None, tree.box_folder_id)}
    return [
        (record, here[record.box_collaboration_id])
        for record in sharing.checkpoint.all_collaborations(tree.id)
        if record.spec.key not in wanted
        and record.box_collaboration_id in here
        and record.box_collaboration_id not in matched
    ]


def _matched(sharing: Sharing, tree: TreeRecord, grants: Sequence[Collaboration]) -> set[str]:
    """Grants of those whom the plan names, by whatever name: a login may have become an id."""
    found = (_grant_of(sharing, tree, spec, grants) for spec in sharing.specs(tree))
    return {grant.id for grant in found if grant is not None}


def _removal(record: CollaborationRecord, grant: Collaboration, *, prune: bool) -> Action:
    return Action(
        who=_who(record.spec),
        role=grant.role,
        action="remove" if prune else "kept",
        status=grant.status,
        detail=None if prune else "not in the plan any more; --prune takes it away",
    )


def _strangers(sharing: Sharing, tree: TreeRecord, grants: Sequence[Collaboration]) -> list[Action]:
    """Those whom somebody else let in: told, never touched."""
    ours = {record.box_collaboration_id for record in sharing.checkpoint.all_collaborations(tree.id)}
    ours |= _matched(sharing, tree, grants)
    uploaders = {*sharing.plan.box.identities, *sharing.checkpoint.tree_editors(tree.id)}
    return [
        Action(
            who=grant.accessible_by_login or grant.accessible_by_name or grant.invite_email or grant.id,
            role=grant.role,
            action="stranger",
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
    sharing: Sharing, tree: TreeRecord, spec: CollaboratorSpec, grants: Sequence[Collaboration]
) -> Collaboration | None:
    invitee = _invitee(sharing, spec)
    return None if invitee is None else collaborations.among(grants, tree.box_folder_id or "", invitee)


def _invitee(sharing: Sharing, spec: CollaboratorSpec) -> Invitee | None:
    """Whom Box's list is searched for; None for an app user that is still to be made."""
    if spec.app_user is None:
        return Invitee(login=spec.login, user_id=spec.user_id, group=spec.group, group_id=spec.group_id)
    found = sharing.box.find_app_user(app_user_key(spec.app_user))
    return Invitee(user_id=found.id) if found else None


def _who(spec: CollaboratorSpec) -> str:
    named = (spec.login, spec.group, spec.app_user)
    plain = next((name for name in named if name is not None), None)
    return plain or (f"user {spec.user_id}" if spec.user_id else f"group {spec.group_id}")


# --- for people ---


def collaboration_table(document: dict[str, Any]) -> RenderableType:
    """The summary as a table: who, what was done (or would be), and how it stands."""
    title = f"{document['plan']}{': what would change' if document['dry_run'] else ''}"
    table = Table(title=printable(title), title_justify="left")
    for column in ("tree", "who", "role", "action", "status", "note"):
        table.add_column(column, overflow="fold")
    for tree in document["trees"]:
        if tree["waiting"]:
            tree_name, waiting = Text(printable(tree["name"])), Text(printable(tree["waiting"]))
            table.add_row(tree_name, "", "", "waits", "", waiting)
        for each in tree["people"]:
            row = (tree["name"], each["who"], each["role"], each["action"], each["status"], each["detail"])
            table.add_row(*(Text(printable(value or "")) for value in row))
    return table
