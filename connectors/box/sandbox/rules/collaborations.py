"""Collaborations: inviting, listing, changing, removing, transferring ownership. Roles are in `permissions`.

Readings chosen where Box says nothing or more than one thing:

* Inviting somebody who has a role on the item already, or above it: 400 user_already_collaborator. With a
  higher role than the one above it works only when `accept_higher_role_below` is set, because Box promises it
  only for the order child first, parent afterwards (box.md §8.2).
* The item of a pending invitation is null for everybody, also where a managed user has yet to accept.
* A domain outside the allow-list, and an outsider on a folder restricted to the enterprise: 403
  forbidden_by_policy.
"""

from __future__ import annotations

from typing import Any

from connectors.box.sandbox.errors import (
    BoxError,
    bad_request,
    forbidden,
    insufficient_scope,
    missing,
    not_found,
    policy_violated,
)
from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.items import Items
from connectors.box.sandbox.rules.people import ENTERPRISE_DOMAIN, People
from connectors.box.sandbox.store.dates import parse_date
from connectors.box.sandbox.store.records import Collaboration, Folder, Group, Item, User
from connectors.box.sandbox.store.store import Store
from connectors.box.sandbox.wire import text_of

FILE_ROLES = ("editor", "viewer")
ROLES = ("editor", "viewer", "previewer", "uploader", "previewer uploader", "viewer uploader", "co-owner")


class Collaborations:
    """The rules of grants."""

    def __init__(self, store: Store, items: Items, people: People) -> None:
        self.store = store
        self.items = items
        self.people = people

    def create(self, actor: User, body: dict[str, Any]) -> Collaboration:
        """POST /collaborations."""
        if self.store.settings.limited_access_app:
            raise insufficient_scope()
        item = self._item(actor, body)
        role = self._role(body, item)
        self._require_inviter(actor, item, role)
        user, group, email = self._grantee(actor, body)
        self._check_policy(item, user, email)
        self._refuse_repeated(item, role, user, group, email)
        now = self.store.now()
        path = self._flag(body, "can_view_path")
        if path and not isinstance(item, Folder):
            raise bad_request("can_view_path is for folders", "can_view_path")
        if path and permissions.role_of(actor, item) not in {"owner", "co-owner"}:
            raise forbidden()
        accepted = group is not None or self._accepts(user)
        grant = Collaboration(
            id=self.store.new_id(),
            item=item,
            role=role,
            status="accepted" if accepted else "pending",
            created_by=actor,
            created=now,
            modified=now,
            user=user,
            group=group,
            invite_email=None if accepted else email or (user.login if user else None),
            expires=self._expiry(body, now),
            acknowledged=now if accepted else None,
            can_view_path=path,
            is_access_only=self._flag(body, "is_access_only"),
        )
        self._add(grant)
        self.store.events.record(now, "invite", actor, grant)
        if accepted:
            self.store.events.record(now, "accept", actor, grant)
        return grant

    def get(self, actor: User, collaboration_id: str) -> Collaboration:
        """A collaboration that the actor takes part in or whose item he sees; 404 otherwise."""
        grant = self.store.collaborations.get(collaboration_id)
        if grant is None or not self._concerns(actor, grant):
            raise not_found("collaboration", collaboration_id)
        return grant

    def update(self, actor: User, collaboration_id: str, body: dict[str, Any]) -> Collaboration | None:
        """PUT /collaborations/:id; None when ownership was transferred (Box answers 204)."""
        grant = self.get(actor, collaboration_id)
        now = self.store.now()
        status = text_of(body, "status")
        if status is not None:
            self._answer_invitation(actor, grant, status)
        role = text_of(body, "role")
        if role == "owner":
            self._transfer(actor, grant)
            return None
        if role is not None and role != grant.role:
            self._check_role(role, grant.item)
            self._require_inviter(actor, grant.item, role)
            grant.role = role
            self.store.events.record(now, "role_change", actor, grant)
        if body.get("expires_at") is not None:
            self._require_inviter(actor, grant.item, grant.role)
            grant.expires = self._expiry(body, now)
        if body.get("can_view_path") is not None:
            if grant.item.owner is not actor:
                raise forbidden("Only the owner may change can_view_path")
            grant.can_view_path = self._flag(body, "can_view_path")
        if body.get("is_access_only") is not None:
            grant.is_access_only = self._flag(body, "is_access_only")
        grant.modified = now
        self.store.save(grant)
        return grant

    def delete(self, actor: User, collaboration_id: str) -> None:
        """DELETE /collaborations/:id: by who may invite, or by the collaborator himself."""
        grant = self.get(actor, collaboration_id)
        if grant.user is not actor:
            self._require_inviter(actor, grant.item, "viewer")
        self.remove(grant)
        self.store.events.record(self.store.now(), "remove", actor, grant)

    def of_item(self, actor: User, item: Item) -> list[Collaboration]:
        """The grants on the item itself and on folders above it that reach it, pending ones included.

        Inherited grants are listed too, as Box does for items below a collaborated folder.
        """
        if item.parent is None:
            raise not_found("folder", "0")
        permissions.require(actor, item, "list")
        owned = permissions.role_of(actor, item) in {"owner", "co-owner"}
        if not owned and isinstance(item, Folder) and not item.can_non_owners_view_collaborators:
            raise forbidden()
        found: list[Collaboration] = []
        node: Item | None = item
        while node is not None:
            found.extend(node.collaborations or ())
            node = node.parent
        return found

    def pending_of(self, actor: User) -> list[Collaboration]:
        """Invitations that wait for the actor's answer."""
        return [
            grant
            for grant in self.store.collaborations.values()
            if grant.status == "pending"
            and (grant.user is actor or (grant.invite_email or "").lower() in actor.addresses)
        ]

    def of_group(self, actor: User, group: Group) -> list[Collaboration]:
        """Grants to a group."""
        return [grant for grant in self.store.collaborations.values() if grant.group is group]

    def remove(self, grant: Collaboration) -> None:
        """Take the grant away, without asking for rights."""
        self.store.collaborations.pop(grant.id, None)
        rest = [other for other in grant.item.collaborations or () if other is not grant]
        grant.item.collaborations = rest or None
        self._forget_share(grant)
        self.store.drop(grant)

    def restore(self, grant: Collaboration) -> None:
        """Put a grant that was read from the data folder where it belongs."""
        self._add(grant)

    # --- inside ---

    def _item(self, actor: User, body: dict[str, Any]) -> Item:
        value = body.get("item")
        if not isinstance(value, dict) or not isinstance(value.get("id"), str):
            raise missing("item")
        kind, item_id = value.get("type"), value["id"]
        if kind == "folder" and item_id == "0":
            raise BoxError(
                400, "collaborations_not_available_on_root_folder", "Root folder cannot be collaborated"
            )
        if kind == "folder":
            return self.items.folder(actor, item_id)
        if kind == "file":
            return self.items.file(actor, item_id)
        raise BoxError(400, "invalid_collaboration_item", "The item cannot be collaborated")

    def _role(self, body: dict[str, Any], item: Item) -> str:
        role = text_of(body, "role")
        if role is None:
            raise missing("role")
        self._check_role(role, item)
        return role

    def _check_role(self, role: str, item: Item) -> None:
        # Single files know editors and viewers only.
        if role not in (ROLES if isinstance(item, Folder) else FILE_ROLES):
            raise bad_request(f"Invalid role '{role}'", "role")

    def _require_inviter(self, actor: User, item: Item, role: str) -> None:
        permissions.require(actor, item, "invite")
        own = permissions.role_of(actor, item)
        if own == "editor":
            if isinstance(item, Folder) and not _may_invite(item):
                raise forbidden()
            if permissions.RANKS[role] > permissions.RANKS["editor"]:
                raise forbidden()

    def _grantee(self, actor: User, body: dict[str, Any]) -> tuple[User | None, Group | None, str | None]:
        value = body.get("accessible_by")
        if not isinstance(value, dict):
            raise missing("accessible_by")
        kind, identifier, login = value.get("type"), value.get("id"), value.get("login")
        if kind == "group":
            group = self.store.groups.get(identifier) if isinstance(identifier, str) else None
            if group is None:
                raise not_found("group", str(identifier))
            if group.invitability_level == "admins_only" and actor.kind not in {"service", "admin"}:
                raise forbidden()
            return None, group, None
        if kind != "user":
            raise bad_request("Invalid type", "accessible_by.type")
        if identifier is not None:
            user = self.store.users.get(identifier) if isinstance(identifier, str) else None
            if user is None:
                raise not_found("user", str(identifier))
            return user, None, None
        return self._by_login(login)

    def _by_login(self, login: object) -> tuple[User | None, Group | None, str | None]:
        if not isinstance(login, str) or not _is_address(login):
            raise bad_request("Invalid login", "accessible_by.login")
        user = self.store.logins.get(login.lower())
        if user is None and self.store.settings.auto_provision:
            domain = login.rpartition("@")[2].lower()
            if domain == ENTERPRISE_DOMAIN:
                user = self.people.add_user(login, None, "managed")
        return user, None, login

    def _accepts(self, user: User | None) -> bool:
        if user is None or user.kind == "external":
            return False
        return user.kind in {"app", "service"} or self.store.settings.auto_accept

    def _check_policy(self, item: Item, user: User | None, email: str | None) -> None:
        if user is not None and user.in_enterprise:
            return
        login = user.login if user is not None else email
        if login is None:
            return
        node: Item | None = item
        while node is not None:
            if isinstance(node, Folder) and node.is_collaboration_restricted_to_enterprise:
                raise policy_violated(
                    "restricted_to_enterprise", "Collaboration is restricted to the enterprise"
                )
            node = node.parent
        domain = login.rpartition("@")[2].lower()
        allowed = {entry["domain"].lower() for entry in self.store.allowlist.values()}
        exempt = {entry["user"].id for entry in self.store.exempt.values()}
        if allowed and domain not in allowed and (user is None or user.id not in exempt):
            raise policy_violated(
                "domain_not_allowed", f"The domain {domain} is not on the collaboration allow-list"
            )

    def _refuse_repeated(
        self, item: Item, role: str, user: User | None, group: Group | None, email: str | None
    ) -> None:
        if user is not None and item.owner is user:
            raise _already()
        node: Item | None = item
        while node is not None:
            for grant in node.collaborations or ():
                if not _same_grantee(grant, user, group, email):
                    continue
                higher = permissions.RANKS[role] > permissions.RANKS[grant.role]
                if node is item or not higher or not self.store.settings.accept_higher_role_below:
                    raise _already()
            node = node.parent

    def _flag(self, body: dict[str, Any], name: str) -> bool:
        value = body.get(name)
        if value is not None and not isinstance(value, bool):
            raise bad_request(f"'{name}' should be a boolean", name)
        return bool(value)

    def _expiry(self, body: dict[str, Any], now: int) -> int | None:
        value = body.get("expires_at")
        if value is None:
            return None
        seconds = parse_date(value, "expires_at")
        if seconds <= now:
            raise bad_request("'expires_at' lies in the past", "expires_at")
        return seconds

    def _concerns(self, actor: User, grant: Collaboration) -> bool:
        invited = grant.user is actor or (grant.invite_email or "").lower() in actor.addresses
        member = grant.group is not None and actor.id in grant.group.members
        return invited or member or permissions.sees(actor, grant.item)

    def _answer_invitation(self, actor: User, grant: Collaboration, status: str) -> None:
        invited = grant.user is actor or (grant.invite_email or "").lower() in actor.addresses
        if grant.status != "pending" or not invited:
            raise forbidden()
        if status not in {"accepted", "rejected"}:
            raise bad_request("Invalid status", "status")
        grant.status = status
        if status == "accepted":
            grant.user, grant.invite_email = actor, None
            grant.acknowledged = self.store.now()
            self._remember_share(grant)
            self.store.events.record(grant.acknowledged, "accept", actor, grant)

    def _transfer(self, actor: User, grant: Collaboration) -> None:
        """Make the collaborator owner; the old one stays as co-owner (box.md §8.6)."""
        item, target = grant.item, grant.user
        if (
            item.owner is not actor
            or target is None
            or grant.status != "accepted"
            or not target.in_enterprise
        ):
            raise forbidden()
        old_owner = item.owner
        files = list(self.items.files_below(item))
        need = sum(self.items.stored(file) for file in files)
        if target.space_amount >= 0 and target.space_used + need > target.space_amount:
            raise BoxError(403, "storage_limit_exceeded", "Account storage limit reached")
        self.remove(grant)
        self.items.detach(item)
        self.items.give(item, target)
        item.parent = target.root
        self.items.attach(target.root, item)
        now = self.store.now()
        self._add(
            Collaboration(
                id=self.store.new_id(),
                item=item,
                role="co-owner",
                status="accepted",
                created_by=actor,
                created=now,
                modified=now,
                user=old_owner,
                acknowledged=now,
            )
        )
        self.items.touch(item)

    def _add(self, grant: Collaboration) -> None:
        self.store.collaborations[grant.id] = grant
        grant.item.collaborations = [*(grant.item.collaborations or ()), grant]
        self._remember_share(grant)
        self.store.save(grant)

    def _remember_share(self, grant: Collaboration) -> None:
        holder = grant.user or grant.group
        if grant.status == "accepted" and holder is not None:
            self.store.shared_with.setdefault(holder.id, {})[grant.id] = grant

    def _forget_share(self, grant: Collaboration) -> None:
        holder = grant.user or grant.group
        if holder is not None:
            self.store.shared_with.get(holder.id, {}).pop(grant.id, None)


def _may_invite(folder: Folder) -> bool:
    node: Folder | None = folder
    while node is not None:
        if not node.can_non_owners_invite:
            return False
        node = node.parent
    return True


def _same_grantee(grant: Collaboration, user: User | None, group: Group | None, email: str | None) -> bool:
    if group is not None:
        return grant.group is group
    if user is not None and grant.user is user:
        return True
    address = email or (user.login if user is not None else None)
    return address is not None and (grant.invite_email or "").lower() == address.lower()


def _is_address(text: str) -> bool:
    name, _, domain = text.rpartition("@")
    return bool(name) and "." in domain and not any(c.isspace() for c in text)


def _already() -> BoxError:
    return BoxError(400, "user_already_collaborator", "User is already a collaborator")
