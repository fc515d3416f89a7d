"""Box's collaborations compared with the plan, tree by tree, and made to agree; what the plan does not name is kept.

Trees that are not complete wait (P4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from connectors.box import collaborations
from connectors.box.types import Collaboration, Invitee
from connectors.errors import ItemError, PermissionMissing
from flows.plan.model import MigrationPlan
from flows.sharing.access import Access, budget_held, has_ended, open_access
from flows.sharing.invitations import app_user_key, let_in, named_twice
from flows.sharing.links import is_to_be_published, publish
from flows.sharing.trees import SETTLED, deepest_first, unfinished_below
from state.people_records import CollaborationRecord, CollaboratorSpec
from state.records import TreeRecord
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


#: Completes a tree whose people are in (`flows.transfer.completing.complete_verified_tree`).
Complete = Callable[[Access, TreeRecord], None]


def agree_with_plan(
    plan: MigrationPlan, *, prune: bool, dry_run: bool, complete_tree: Complete
) -> dict[str, Any]:
    """Compare the people of every tree with the plan, the deepest folder first, and make them agree.

    Return plan, dry_run, complete, and each tree with its people. Safe to repeat. `prune` takes away what an earlier
    version of the plan gave and this one does not; `dry_run` changes nothing; `complete_tree` is called with each
    tree that may lack nothing more. Of a tree that the plan does not name any more the people stay as they are.
    """
    with open_access(plan) as opened, budget_held(opened) as access:
        trees = deepest_first(access.checkpoint.trees(access.plan_id))
        shown = [
            _tree_document(access, tree, prune=prune, dry_run=dry_run, complete_tree=complete_tree)
            for tree in trees
        ]
    planned = [tree for tree in shown if tree["in_plan"]]
    # What only its people wait for is complete once they are in: a dry run ends as the run itself would.
    complete = all(
        tree["state"] == TreeState.COMPLETE.value or (dry_run and tree["waiting"] is None) for tree in planned
    )
    failed = any(each["action"] == "failed" for tree in planned for each in tree["people"])
    return {
        "plan": plan.name,
        "dry_run": dry_run,
        "complete": bool(planned) and complete and not failed,
        "trees": shown,
    }


def _tree_document(
    access: Access, tree: TreeRecord, *, prune: bool, dry_run: bool, complete_tree: Complete
) -> dict[str, Any]:
    """Return what was done for one tree, or would be. What Box refuses of one tree is that tree's failure."""
    # As it is at its turn: somebody may have taken back a waiver meanwhile.
    tree = access.checkpoint.tree(tree.id)
    named = access.tree_plan(tree) is not None
    in_plan = named or not access.plan.trees
    waiting = (
        _why_it_waits(access, tree) if in_plan else "not in the plan any more; its people stay as they are"
    )
    actions: list[Action] = []
    if waiting is None and tree.box_folder_id is not None:
        try:
            actions = _agree_on_tree(access, tree, prune=prune and named, dry_run=dry_run)
            if tree.state is not TreeState.COMPLETE and not _any_failed(actions):
                access.foreseen.add(tree.id) if dry_run else complete_tree(access, tree)
        except ItemError as exc:
            actions = [Action(who="its folder in Box", role="", action="failed", detail=str(exc))]
    return {
        "name": tree.name,
        "in_plan": in_plan,
        "state": access.checkpoint.tree(tree.id).state.value,
        "waiting": waiting,
        "people": [each.document() for each in actions],
    }


def _why_it_waits(access: Access, tree: TreeRecord) -> str | None:
    """Return why nobody is let in yet: the tree, or one inside its folder, is not complete (P4)."""
    if not tree.verified:
        reason = tree.incomplete_reason.value if tree.incomplete_reason else tree.state.value
        return f"not complete and verified yet: {reason}"
    below = [] if tree.state is TreeState.COMPLETE else unfinished_below(access, tree)
    return f"{below[0].name} inside its folder is not complete" if below else None


def compare_people(access: Access, tree: TreeRecord, *, in_force: bool = False) -> list[Action]:
    """Return what would have to be done for the people of one tree to be those of the plan; changes nothing.

    `in_force`: of those alone who were let in as the plan has them now.
    """
    specs = access.specs(tree)
    if in_force:
        records = access.checkpoint.all_collaborations(tree.id)
        given = [record.spec for record in records if record.status in SETTLED]
        specs = [spec for spec in specs if spec in given]
    return _compare_all(access, tree, _Folder.of(access, tree), specs, prune=False)


def _agree_on_tree(access: Access, tree: TreeRecord, *, prune: bool, dry_run: bool) -> list[Action]:
    folder = _Folder.of(access, tree)
    if not dry_run:
        outsiders = _outsiders(access, folder)
        return [*_apply(access, folder, prune=prune), *outsiders]
    return _compare_all(access, tree, folder, access.specs(tree), prune=prune)


def _compare_all(
    access: Access, tree: TreeRecord, folder: _Folder, specs: Sequence[CollaboratorSpec], *, prune: bool
) -> list[Action]:
    actions = [_compare(folder, spec) for spec in specs]
    actions = [_waiting(access, tree, action) or action for action in actions]
    actions += [_removal(record, grant, prune=prune) for record, grant in _unwanted(access, folder)]
    return actions + _outsiders(access, folder)


@dataclass(frozen=True, kw_only=True)
class _Folder:
    """The folder of one tree: who has access as Box has it now, and whom this plan let in."""

    tree: TreeRecord
    grants: Sequence[Collaboration]
    records: Sequence[CollaborationRecord]
    #: Key of each whom the plan names → the grant that he has by now; None for nobody's.
    found: Mapping[str, Collaboration | None]
    #: Key of each whom it names once more with other rights → what is said of that.
    twice: Mapping[str, str]

    @classmethod
    def of(cls, access: Access, tree: TreeRecord) -> _Folder:
        grants = access.box.collaborations(tree.box_folder_id or "")
        records = access.checkpoint.all_collaborations(tree.id)
        known = {each.spec.key: each.box_collaboration_id for each in records}
        found = {
            spec.key: _grant_of(access, tree, grants, spec, known.get(spec.key))
            for spec in access.specs(tree)
        }
        said = {spec.key: named_twice(access, tree, spec) for spec in access.specs(tree)}
        twice = {key: words for key, words in said.items() if words is not None}
        return cls(tree=tree, grants=grants, records=records, found=found, twice=twice)

    def is_here(self, grant: Collaboration) -> bool:
        """Tell whether a grant is on this very folder: one of a folder above is never touched from here.

        Where Box does not say (a pending invitation below a folder that cannot be listed), only what this plan made is.
        """
        if grant.item_id is None:
            return any(each.box_collaboration_id == grant.id for each in self.records)
        return grant.item_id == self.tree.box_folder_id

    @property
    def matched(self) -> set[str]:
        """The grants of those whom the plan names, by whatever name: a login may have become an id."""
        return {grant.id for grant in self.found.values() if grant is not None}


# --- what the plan wants ---


#: Of whom the plan gives access until a day that is over.
ENDED = "expires_at is over: not let in; Box ends by itself what it gave"


def _compare(folder: _Folder, spec: CollaboratorSpec) -> Action:
    who = _who(spec)
    found = folder.found[spec.key]
    if has_ended(spec.expires_at):
        status = found.status if found is not None else None
        return Action(who=who, role=spec.role, action="none", status=status, detail=ENDED)
    if spec.key in folder.twice:
        return Action(who=who, role=spec.role, action="failed", detail=folder.twice[spec.key])
    if found is None:
        return Action(who=who, role=spec.role, action="invite")
    if not folder.is_here(found):
        enough = collaborations.covers(found.role, spec.role)
        detail = "by a folder above" if enough else f"Box gives nobody more than a folder above: {found.role}"
        if found.item_id is None:
            detail = (
                f"pending as {found.role} here or on a folder above, Box does not say where; left as it is"
            )
        action = "none" if enough else "failed"
        return Action(who=who, role=found.role, action=action, status=found.status, detail=detail)
    if found.status == CollaborationStatus.REJECTED.value:
        return Action(
            who=who, role=found.role, action="none", status=found.status, detail="declined; not asked again"
        )
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


def _apply(access: Access, folder: _Folder, *, prune: bool) -> list[Action]:
    """Make Box agree: the people, and the link of a tree that had one already."""
    tree = folder.tree
    records = access.checkpoint.ensure_collaborations(tree.id, access.specs(tree))
    actions = [_bring_about(access, folder, record) for record in records]
    actions += [
        _remove(access, tree, record, grant) if prune else _removal(record, grant, prune=False)
        for record, grant in _unwanted(access, folder)
    ]
    if tree.state is TreeState.COMPLETE:
        _publish_again(access, tree, actions)
    return actions


def _any_failed(actions: Sequence[Action]) -> bool:
    return any(each.action == "failed" for each in actions)


def _bring_about(access: Access, folder: _Folder, record: CollaborationRecord) -> Action:
    action = _compare(folder, record.spec)
    if has_ended(record.spec.expires_at):
        return action
    if action.action in ("none", "failed"):
        _write_down(access, folder, record, action)
        return action
    if waits := _waiting(access, folder.tree, action):
        return waits
    problem = let_in(access, folder.tree, record)
    if problem is not None:
        return replace(action, action="failed", status=None, detail=problem)
    records = access.checkpoint.all_collaborations(folder.tree.id)
    made = next(each for each in records if each.spec.key == record.spec.key)
    return replace(action, status=made.status)


def _waiting(access: Access, tree: TreeRecord, action: Action) -> Action | None:
    """Return why somebody is not let in yet: they would see a tree inside the folder unfinished (P4).

    Who is in already is changed all the same: to take something away from them must not wait.
    """
    below = unfinished_below(access, tree) if action.action == "invite" else []
    if not below:
        return None
    return replace(
        action, action="failed", detail=f"waits: {below[0].name} inside its folder is not complete"
    )


def _write_down(access: Access, folder: _Folder, record: CollaborationRecord, action: Action) -> None:
    """Write down what Box says now: somebody who was pending may have accepted, or declined.

    A grant of a folder above is not ours, and its id is not kept: nobody takes it away by it.
    """
    failed = action.action == "failed" or action.status is None
    grant = folder.found[record.spec.key]
    access.checkpoint.record_collaboration(
        record.id,
        status=CollaborationStatus.FAILED if failed else CollaborationStatus(str(action.status)),
        box_collaboration_id=grant.id if grant is not None and folder.is_here(grant) else None,
        detail=action.detail if failed else None,
    )


def _publish_again(access: Access, tree: TreeRecord, actions: list[Action]) -> None:
    """Bring a changed link or password to Box; a new link waits for the trees inside the folder (P4)."""
    below = unfinished_below(access, tree) if is_to_be_published(access, tree) else []
    if below:
        problem: str | None = f"waits: {below[0].name} inside its folder is not complete"
    else:
        problem = publish(access, tree, again=True)
    if problem is not None:
        actions.append(Action(who="shared link", role="", action="failed", detail=problem))


# --- what the plan no longer wants ---


def _unwanted(access: Access, folder: _Folder) -> list[tuple[CollaborationRecord, Collaboration]]:
    """Return the collaborations on this very folder that an earlier version of the plan made.

    Where somebody else had let the person in before, the plan made none: that one is an outsider's now.
    """
    wanted = {spec.key for spec in access.specs(folder.tree)}
    here = {
        grant.id: grant for grant in folder.grants if folder.is_here(grant) and _is_made_by_us(access, grant)
    }
    return [
        (record, here[record.box_collaboration_id])
        for record in folder.records
        if record.spec.key not in wanted
        and record.box_collaboration_id in here
        and record.box_collaboration_id not in folder.matched
    ]


def _remove(access: Access, tree: TreeRecord, record: CollaborationRecord, grant: Collaboration) -> Action:
    try:
        access.box.remove_collaboration(grant.id)
    except ItemError as exc:
        return replace(_removal(record, grant, prune=True), action="failed", detail=str(exc))
    access.checkpoint.forget_collaboration(record.id)
    detail = {"who": _who(record.spec), "role": grant.role}
    access.checkpoint.record_event(access.plan_id, EventKind.COLLABORATION_REMOVED, detail, tree_id=tree.id)
    return _removal(record, grant, prune=True)


def _removal(record: CollaborationRecord, grant: Collaboration, *, prune: bool) -> Action:
    return Action(
        who=_who(record.spec),
        role=grant.role,
        action="remove" if prune else "kept",
        status=grant.status,
        detail=None
        if prune
        else "not in the plan any more; --prune takes it away from a tree that the plan names",
    )


def _outsiders(access: Access, folder: _Folder) -> list[Action]:
    """Return those whom somebody else let in: they are told, never touched."""
    known = {record.box_collaboration_id for record in folder.records}
    made = {grant.id for grant in folder.grants if grant.id in known and _is_made_by_us(access, grant)}
    ours = made | folder.matched
    uploaders = {*access.plan.box.identities, *access.checkpoint.tree_editors(folder.tree.id)}
    return [
        Action(
            who=grant.accessible_by_login or grant.accessible_by_name or grant.invite_email or grant.id,
            role=grant.role,
            action="outsider",
            status=grant.status,
            detail="let in by somebody else; left as it is",
        )
        for grant in folder.grants
        if folder.is_here(grant) and grant.id not in ours and grant.accessible_by_id not in uploaders
    ]


def _is_made_by_us(access: Access, grant: Collaboration) -> bool:
    """Tell whether this account let them in; where Box does not say who did, what is written down counts."""
    return grant.created_by_id in (None, access.box.whoami().id)


# --- who is who ---


def _grant_of(
    access: Access,
    tree: TreeRecord,
    grants: Sequence[Collaboration],
    spec: CollaboratorSpec,
    known_id: str | None,
) -> Collaboration | None:
    """Return the collaboration that this plan made for somebody: it stays theirs, whatever they are called now.

    Without one: theirs by login or id. Display names are nobody's (a group of another enterprise may be called alike).
    """
    found = next((each for each in grants if known_id and each.id == known_id), None)
    if found is not None:
        return found
    try:
        invitee = _invitee(access, spec)
    except (ItemError, PermissionMissing):
        return None  # who cannot be looked up cannot be let in either, which then says why
    return collaborations.among(grants, tree.box_folder_id or "", invitee) if invitee is not None else None


def _invitee(access: Access, spec: CollaboratorSpec) -> Invitee | None:
    """Return whom Box's list is searched for; None for an app user or a group that is still to be made."""
    if spec.app_user is not None:
        user = access.box.accounts.find_app_user(app_user_key(spec.app_user))
        return Invitee(user_id=user.id) if user else None
    if spec.group is not None:
        group = access.box.accounts.find_group(spec.group)
        return Invitee(group_id=group.id) if group else None
    return Invitee(login=spec.login, user_id=spec.user_id, group_id=spec.group_id)


def _who(spec: CollaboratorSpec) -> str:
    named = (spec.login, spec.group, spec.app_user)
    plain = next((name for name in named if name is not None), None)
    return plain or (f"user {spec.user_id}" if spec.user_id else f"group {spec.group_id}")
