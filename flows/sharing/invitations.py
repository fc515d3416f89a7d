"""One person, group or app user let into one tree's folder, and written down: whether they are mailed, too.

An invitation is mailed when the plan says `transfer: {notify: true}` and this person was not mailed for the plan yet,
under whatever name it has them: by login in one tree, by user id in another.
"""

from __future__ import annotations

import hashlib

from connectors.box.types import Collaboration, Invitee
from connectors.errors import (
    AuthenticationFailed,
    ConnectorError,
    FatalError,
    ItemError,
    NotPermitted,
    PermissionMissing,
    Rejected,
    Stopped,
)
from flows.sharing.access import Access, has_ended
from state.people_records import CollaborationRecord, CollaboratorSpec
from state.records import TreeRecord
from state.statuses import CollaborationStatus

#: No invitation went out, and so no mail.
NOT_INVITED = (ItemError, AuthenticationFailed, PermissionMissing, Stopped)


def let_in(access: Access, tree: TreeRecord, record: CollaborationRecord) -> str | None:
    """Make or change one collaboration and write it down; return the reason when Box refuses it.

    Nothing is asked for whose access is over already. Stopped leaves it to the next run, mail included.
    """
    if tree.box_folder_id is None:
        return "the tree has no folder in Box"
    if has_ended(record.spec.expires_at):
        return None
    if (twice := named_twice(access, tree, record.spec)) is not None:
        return _refused(access, record, twice)
    mail = _is_to_be_mailed(access, record)
    try:
        made = access.box.collaborate(
            tree.box_folder_id,
            invitee_of(access, tree, record.spec),
            record.spec.role,
            notify=mail,
            can_view_path=record.spec.can_view_path,
            is_access_only=record.spec.is_access_only,
            expires_at=record.spec.expires_at,
            known_id=record.box_collaboration_id,
            others=_others(access, record),
        )
    except ConnectorError as exc:
        if mail and isinstance(exc, NOT_INVITED):
            access.checkpoint.release_mail(record.id)
        if isinstance(exc, FatalError | Stopped):
            raise
        return _refused(access, record, str(exc))
    # A grant of a folder above is enough, but not ours to change or to take away.
    ours = made.id if made.item_id == tree.box_folder_id else None
    if mail and not _may_have_been_mailed(access, made, is_here=ours is not None):
        access.checkpoint.release_mail(record.id)
    access.checkpoint.record_collaboration(
        record.id, status=CollaborationStatus(made.status), box_collaboration_id=ours
    )
    return None


def _refused(access: Access, record: CollaborationRecord, why: str) -> str:
    access.checkpoint.record_collaboration(
        record.id,
        status=CollaborationStatus.FAILED,
        box_collaboration_id=record.box_collaboration_id,
        detail=why,
    )
    return why


def named_twice(access: Access, tree: TreeRecord, spec: CollaboratorSpec) -> str | None:
    """Say that the plan gives this person other rights under another name, which count; None where it does not."""
    first = access.named_before(spec, access.specs(tree))
    if first is None:
        return None
    return f"the plan names them twice, as {first.key} and as {spec.key}, with different rights: leave one of them out"


def _is_to_be_mailed(access: Access, record: CollaborationRecord) -> bool:
    """Tell whether Box mails this invitation: one mail for each person of the plan, about the first of their trees."""
    return access.plan.transfer.notify and access.checkpoint.claim_mail(
        access.plan_id, record.id, also_called=access.other_keys(record.spec)
    )


def _may_have_been_mailed(access: Access, made: Collaboration, *, is_here: bool) -> bool:
    """Tell whether a mail may have gone out. None does for who is in already: by somebody else, or from a folder above.

    One of our own on this folder may be the one that was asked for, and its answer was lost.
    """
    return made.outcome == "created" or (is_here and made.created_by_id in (None, access.box.whoami().id))


def _others(access: Access, record: CollaborationRecord) -> set[str]:
    """Return the collaborations of everybody else whom this plan let into the same folder."""
    known = access.checkpoint.all_collaborations(record.tree_id)
    return {each.box_collaboration_id for each in known if each.id != record.id and each.box_collaboration_id}


def invitee_of(access: Access, tree: TreeRecord, spec: CollaboratorSpec) -> Invitee:
    """Return whom Box is to let in; app users, and groups that the plan says so of, are made first, each once.

    NotPermitted where the account may not look at users or groups: the other people come in all the same (P11).
    """
    try:
        return _looked_up(access, tree, spec)
    except PermissionMissing as exc:
        raise NotPermitted(f"{spec.app_user or spec.group} cannot be looked up or made. {exc}") from exc


def _looked_up(access: Access, tree: TreeRecord, spec: CollaboratorSpec) -> Invitee:
    if spec.app_user is not None:
        return Invitee(user_id=_made_app_user(access, spec.app_user))
    if spec.group is not None and _may_be_made(access, tree, spec.group):
        accounts = access.box.accounts
        return Invitee(group_id=(accounts.find_group(spec.group) or accounts.create_group(spec.group)).id)
    return Invitee(login=spec.login, user_id=spec.user_id, group=spec.group, group_id=spec.group_id)


def _made_app_user(access: Access, name: str) -> str:
    key = app_user_key(name)
    accounts = access.box.accounts
    found = accounts.find_app_user(key) or accounts.create_app_user(name, key)
    if found.status != "active":
        raise Rejected(
            f"The app user {name!r} ({found.id}) is {found.status}; activate it, or take another name."
        )
    return found.id


def app_user_key(name: str) -> str:
    """Return the external id by which an app user that is a collaborator is found again, in every plan."""
    return f"boxhaul-user-{hashlib.sha256(name.casefold().encode()).hexdigest()[:32]}"


def _may_be_made(access: Access, tree: TreeRecord, group: str) -> bool:
    return any(
        person.create and (person.group or "").casefold() == group.casefold()
        for person in access.people(tree)
    )
