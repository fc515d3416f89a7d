"""Grants on folders: make sure of one, find, list, remove. Who should have which is the plan's business."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from box_sdk_gen.managers.user_collaborations import (
    CreateCollaborationAccessibleBy,
    CreateCollaborationAccessibleByTypeField,
    CreateCollaborationItem,
    CreateCollaborationItemTypeField,
    CreateCollaborationRole,
    UpdateCollaborationByIdRole,
)

from connectors.box.accounts import BoxAccounts
from connectors.box.client.connection import BoxConnection
from connectors.box.client.refusal import code_of
from connectors.box.folders import folder_info
from connectors.box.types import Collaboration, Invitee
from connectors.box.values import id_of, json_object, moment_of, object_of, text_of
from connectors.errors import DestinationGone, ItemError, NotPermitted, PermissionMissing, Rejected

FIELDS = [
    "role", "status", "accessible_by", "invite_email", "item", "expires_at", "can_view_path", "is_access_only",
    "created_by",
]  # fmt: skip
PAGE_SIZE = 1000
ALREADY = "user_already_collaborator"
#: People of one folder whose other addresses are asked for, with one call each.
ALIASES_ASKED = 50

_SEE = {"previewer", "viewer"}
_FILL = {"uploader", "previewer", "previewer uploader"}
#: Role → the roles that allow nothing beyond it (facts: role capability matrix).
INCLUDED: Mapping[str, frozenset[str]] = {
    "previewer": frozenset({"previewer"}),
    "uploader": frozenset({"uploader"}),
    "viewer": frozenset(_SEE),
    "previewer uploader": frozenset(_FILL),
    "viewer uploader": frozenset(_SEE | _FILL | {"viewer uploader"}),
    "editor": frozenset(_SEE | _FILL | {"viewer uploader", "editor"}),
    "co-owner": frozenset(_SEE | _FILL | {"viewer uploader", "editor", "co-owner"}),
    "owner": frozenset(_SEE | _FILL | {"viewer uploader", "editor", "co-owner"}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What somebody is to have."""

    invitee: Invitee
    #: One of Box's seven roles, with their spaces and hyphen.
    role: str
    can_view_path: bool = False
    is_access_only: bool = False
    expires_at: datetime | None = None


def ensure(
    connection: BoxConnection,
    folder_id: str,
    grant: Grant,
    *,
    notify: bool = False,
    known_id: str | None = None,
    others: Collection[str] = (),
) -> Collaboration:
    """Create the grant; when there is one, change its role if it differs. A repeat changes nothing (P4).

    known_id: the collaboration that this invitee was given earlier; it counts as long as Box has it, whatever the
    login or the group is called now. others: the collaborations of other people of this folder, which are not it.
    """
    known = _by_id(list_on(connection, folder_id), known_id) if known_id else None
    if known is not None:
        # It was made here; that Box hides its item while it is pending says nothing else.
        known = replace(known, item_id=known.item_id or folder_id)
        return _made_to_agree(connection, folder_id, known, grant)
    grant = _checked(connection, grant)
    try:
        return replace(_create(connection, folder_id, grant, notify=notify), item_id=folder_id)
    except ItemError as exc:
        if code_of(exc) != ALREADY:
            raise
        already = exc
    grants = list_on(connection, folder_id)
    found = among(grants, folder_id, grant.invitee)
    if found is None and (owner := _as_owner(connection, folder_id, grant.invitee)):
        return owner
    found = found or _otherwise_called(connection, grants, grant.invitee, others)
    if found is None:
        raise Rejected(
            f"Box says that {grant.invitee} has access, but its list of this folder does not."
        ) from already
    return _made_to_agree(connection, folder_id, found, grant)


def list_on(connection: BoxConnection, folder_id: str) -> list[Collaboration]:
    """Return every grant on the folder and, as Box does, those of folders above; pending ones included.

    Box shows no item while an invitation is pending. Such a one is on this folder unless the folder above lists it,
    too: then item_id is that folder's. Where that cannot be seen item_id stays None, and nobody touches it: the folder
    above may not be listed, or somebody else's folder shows none, though there is one.
    """
    grants = list(_pages(connection, folder_id))
    if all(grant.item_id is not None for grant in grants):
        return grants
    above = set[str]()
    try:
        folder = folder_info(connection, folder_id)
        parent_id = folder.parent_id
        if parent_id not in (None, "0"):
            above = {grant.id for grant in _pages(connection, parent_id)}
        elif connection.user_id not in (None, folder.owner_id):
            return grants  # nobody is let into an account's root, but this is not ours: it may lie anywhere
    except ItemError:
        return grants
    return [
        replace(grant, item_id=parent_id if grant.id in above else folder_id)
        if grant.item_id is None
        else grant
        for grant in grants
    ]


def find(connection: BoxConnection, folder_id: str, invitee: Invitee) -> Collaboration | None:
    """Return the invitee's grant: logins and group names in any case, pending invitations by their address.

    One on this very folder comes before those further up, which Box lists too.
    """
    return among(list_on(connection, folder_id), folder_id, invitee)


def among(
    grants: Sequence[Collaboration], folder_id: str, invitee: Invitee, *, known_id: str | None = None
) -> Collaboration | None:
    """Return the invitee's grant in a list that is at hand; known_id, which was given earlier, comes first."""
    if known := _by_id(grants, known_id):
        return known
    found = [each for each in grants if _is_of(each, invitee)]
    return min(found, key=lambda each: each.item_id != folder_id, default=None)


def covers(role: str, wanted: str) -> bool:
    """Return True when a role allows all that another one does."""
    return wanted in INCLUDED.get(role, ())


def remove(connection: BoxConnection, collaboration_id: str) -> None:
    """Take the grant away; gone already counts as done."""
    with suppress(DestinationGone):
        connection.call(
            "DELETE /collaborations/:id",
            lambda: connection.client.user_collaborations.delete_collaboration_by_id(collaboration_id),
        )


# --- private ---


def _by_id(grants: Sequence[Collaboration], known_id: str | None) -> Collaboration | None:
    return next((each for each in grants if known_id and each.id == known_id), None)


def _made_to_agree(
    connection: BoxConnection, folder_id: str, found: Collaboration, grant: Grant
) -> Collaboration:
    """Change a grant of this very folder as far as it differs; one from above counts as it is, or is told.

    Whoever declined is not asked again, whatever the plan says by now.
    """
    if found.status == "rejected":
        return replace(found, outcome="unchanged")
    return _update(connection, found, grant) if found.item_id == folder_id else _inherited(found, grant)


def _otherwise_called(
    connection: BoxConnection, grants: Sequence[Collaboration], invitee: Invitee, others: Collection[str]
) -> Collaboration | None:
    """Return the grant of a person whom the plan names by an address that Box's list does not show.

    Box says that this person has access. It is who has the address as an alias. Where aliases cannot be seen it may be
    the only one whom this account let in and who is nobody else of the plan: told as in, without item_id, so that
    nothing is changed on a guess.
    """
    if invitee.login is None:
        return None
    people = [each for each in grants if each.accessible_by_type != "group" and each.id not in others]
    hidden = []
    for each in people[:ALIASES_ASKED]:
        if each.accessible_by_id is None:
            continue
        aliases = BoxAccounts(connection).aliases(each.accessible_by_id)
        if aliases is None:
            hidden.append(each)
        elif invitee.login.casefold() in aliases:
            return each
    hidden += people[ALIASES_ASKED:]
    ours = [each for each in hidden if connection.user_id and each.created_by_id == connection.user_id]
    return replace(ours[0], item_id=None) if len(ours) == 1 else None


def _checked(connection: BoxConnection, grant: Grant) -> Grant:
    """Return the grant with a group's id in place of its name; Rejected for a role that Box does not have."""
    if grant.role not in {role.value for role in CreateCollaborationRole}:
        known = ", ".join(role.value for role in CreateCollaborationRole)
        raise Rejected(f"Box has no role {grant.role!r}; it has {known}.")
    if grant.invitee.group is None:
        return grant
    try:
        group = BoxAccounts(connection).find_group(grant.invitee.group)
    except PermissionMissing as exc:  # people come in all the same: only groups cannot be looked up
        raise NotPermitted(f"The group {grant.invitee.group!r} cannot be looked up. {exc}") from exc
    if group is None:
        raise DestinationGone(f"Box has no group {grant.invitee.group!r}; create it, or correct the plan.")
    return replace(grant, invitee=Invitee(group_id=group.id))


def _create(connection: BoxConnection, folder_id: str, grant: Grant, *, notify: bool) -> Collaboration:
    item = CreateCollaborationItem(type=CreateCollaborationItemTypeField.FOLDER, id=folder_id)
    made = connection.call(
        "POST /collaborations",
        lambda: connection.client.user_collaborations.create_collaboration(
            item,
            _accessible_by(grant.invitee),
            CreateCollaborationRole(grant.role),
            can_view_path=grant.can_view_path or None,
            is_access_only=grant.is_access_only or None,
            expires_at=grant.expires_at,
            fields=FIELDS,
            notify=notify,
        ),
    )
    return replace(_collaboration(made.to_dict()), outcome="created")


def _inherited(found: Collaboration, grant: Grant) -> Collaboration:
    """Return a grant further up: it counts when it allows as much; Box refuses to raise it below (facts: waterfall)."""
    if not covers(found.role, grant.role):
        if found.item_id is None:
            raise Rejected(
                f"{grant.invitee} is {found.role} here or on a folder above: Box does not say where, so that stays "
                f"as it is. Raise it to {grant.role} in Box, then run again."
            )
        raise Rejected(
            f"{grant.invitee} is {found.role} on a folder above, and Box gives nobody more below that. Take that "
            f"grant away or raise it to {grant.role}, then run again."
        )
    return replace(found, outcome="unchanged")


def _as_owner(connection: BoxConnection, folder_id: str, invitee: Invitee) -> Collaboration | None:
    """Return the owner's access, which needs no grant; None when the invitee is not the owner."""
    owner = folder_info(connection, folder_id)
    wanted = {(invitee.login or "").casefold(), invitee.user_id}
    if not {(owner.owner_login or "?").casefold(), owner.owner_id} & wanted:
        return None
    return Collaboration(
        id="",
        role="owner",
        status="accepted",
        accessible_by_type="user",
        accessible_by_id=owner.owner_id,
        accessible_by_login=owner.owner_login,
        outcome="unchanged",
    )


def _update(connection: BoxConnection, found: Collaboration, grant: Grant) -> Collaboration:
    view_path = grant.can_view_path if grant.can_view_path != found.can_view_path else None
    expires = grant.expires_at if grant.expires_at and grant.expires_at != found.expires_at else None
    if found.role == grant.role and view_path is None and expires is None:
        return replace(found, outcome="unchanged")
    connection.call(
        "PUT /collaborations/:id",
        lambda: connection.client.user_collaborations.update_collaboration_by_id(
            found.id,
            role=UpdateCollaborationByIdRole(grant.role),
            can_view_path=view_path,
            expires_at=expires,
        ),
    )
    return replace(
        found,
        role=grant.role,
        can_view_path=grant.can_view_path,
        expires_at=expires or found.expires_at,
        outcome="updated",
    )


def _accessible_by(invitee: Invitee) -> CreateCollaborationAccessibleBy:
    if invitee.group_id:
        return CreateCollaborationAccessibleBy(
            CreateCollaborationAccessibleByTypeField.GROUP, id=invitee.group_id
        )
    kind = CreateCollaborationAccessibleByTypeField.USER
    if invitee.user_id:
        return CreateCollaborationAccessibleBy(kind, id=invitee.user_id)
    return CreateCollaborationAccessibleBy(kind, login=invitee.login)


def _is_of(found: Collaboration, invitee: Invitee) -> bool:
    is_group = found.accessible_by_type == "group"
    if invitee.group_id or invitee.group:
        name = (found.accessible_by_name or "").casefold()
        return is_group and (
            found.accessible_by_id == invitee.group_id
            if invitee.group_id
            else name == str(invitee.group).casefold()
        )
    if invitee.user_id:
        return not is_group and found.accessible_by_id == invitee.user_id
    wanted = str(invitee.login).casefold()
    return wanted in {(found.accessible_by_login or "").casefold(), (found.invite_email or "").casefold()}


def _pages(connection: BoxConnection, folder_id: str) -> Iterator[Collaboration]:
    route, path = "GET /folders/:id/collaborations", f"/folders/{folder_id}/collaborations"
    params = {"limit": str(PAGE_SIZE), "fields": ",".join(FIELDS)}
    while True:
        page = json_object(connection.ask(route, path, params=params).data, route)
        for entry in page.get("entries") or []:
            yield _collaboration(entry)
        marker = page.get("next_marker")
        if not marker or marker == params.get("marker"):
            return
        params = params | {"marker": str(marker)}


def _collaboration(entry: Mapping[str, Any]) -> Collaboration:
    who = object_of(entry.get("accessible_by"))
    return Collaboration(
        id=str(entry["id"]),
        role=text_of(entry.get("role")) or "",
        status=text_of(entry.get("status")) or "",
        created_by_id=id_of(entry.get("created_by")),
        accessible_by_type=text_of(who.get("type")),
        accessible_by_id=id_of(who),
        accessible_by_login=text_of(who.get("login")),
        accessible_by_name=text_of(who.get("name")),
        invite_email=text_of(entry.get("invite_email")),
        item_id=id_of(entry.get("item")),
        can_view_path=bool(entry.get("can_view_path")),
        is_access_only=bool(entry.get("is_access_only")),
        expires_at=moment_of(entry.get("expires_at")),
    )
