"""Users, groups and memberships: who exists and who may administer whom. Not tokens, not grants on items."""

from __future__ import annotations

import secrets
from typing import Any

from connectors.box.sandbox.errors import (
    BoxError,
    bad_request,
    forbidden,
    group_name_taken,
    insufficient_scope,
    missing,
    not_found,
)
from connectors.box.sandbox.store.records import Group, Membership, User
from connectors.box.sandbox.store.store import Store
from connectors.box.sandbox.wire import text_of

STATUSES = {"active", "inactive", "cannot_delete_edit", "cannot_delete_edit_upload"}
KINDS = {"service", "app", "managed", "admin", "external"}
ENTERPRISE_DOMAIN = "example.com"
#: Longest texts of a user, as the document has them.
MAX_TEXTS = {"name": 50, "job_title": 100, "phone": 100, "address": 255}
USER_ROLES = {"coadmin", "user"}
_LEVELS = {"admins_only", "admins_and_members", "all_managed_users"}


class People:
    """The rules of users and groups."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # --- users ---

    def add_user(
        self,
        login: str,
        name: str | None,
        kind: str,
        space_amount: int | None = None,
        user_id: str | None = None,
    ) -> User:
        """A new user of any kind, without asking for rights; 409 when the login is taken."""
        if kind not in KINDS:
            raise ValueError(f"kind is one of {sorted(KINDS)}, not {kind!r}")
        if login.lower() in self.store.logins:
            raise _login_taken()
        now = self.store.now()
        settings = self.store.settings
        user = User(
            id=user_id or self.store.new_id(),
            login=login,
            name=name or login.partition("@")[0],
            kind=kind,
            created=now,
            modified=now,
            space_amount=settings.space_amount if space_amount is None else space_amount,
            max_upload_size=settings.max_upload_size,
        )
        self.store.root_of(user)
        self.store.users[user.id] = user
        self.store.logins[login.lower()] = user
        self.store.save(user)
        return user

    def create_user(self, actor: User, body: dict[str, Any]) -> User:
        """POST /users: an app user, or a managed one with enterprise access."""
        name = text_of(body, "name")
        if not name:
            raise missing("name")
        if body.get("is_platform_access_only") is True:
            self.require_admin(actor, "manage_app_users", enterprise=False)
            digits = secrets.randbelow(10**9)
            login, kind = f"AppUser_{self.store.enterprise_id}_{digits}@boxdevedition.com", "app"
        else:
            self.require_admin(actor, "manage_managed_users")
            login, kind = text_of(body, "login") or "", "managed"
            if "@" not in login:
                raise missing("login") if not login else bad_request("Invalid login", "login")
        amount = _integer(body, "space_amount")
        _check_profile(body)
        user = self.add_user(login, name, kind, amount)
        self._set_profile(user, body)
        self.store.events.record(user.created, "new_user", actor, user)
        return user

    def user(self, actor: User, user_id: str) -> User:
        """A user that the actor may look at: himself, or with administrative rights the enterprise's."""
        if user_id == actor.id:
            return actor
        self.require_admin(actor, None, enterprise=False)
        user = self.store.users.get(user_id)
        if user is None or not user.in_enterprise:
            raise not_found("user", user_id)
        if user.kind != "app" and self.store.settings.app_access != "enterprise":
            raise forbidden()
        return user

    def list_users(self, actor: User, query: dict[str, str]) -> list[User]:
        """Users that match `filter_term`, `user_type` and `external_app_user_id`; service accounts never do.

        Managed users match by prefix of name or login, external ones by exact login (box.md §8.5).
        """
        self.require_admin(actor, "manage_managed_users")
        kind = query.get("user_type", "managed")
        if kind not in {"all", "managed", "external"}:
            raise bad_request("Invalid user_type", "user_type")
        term = query.get("filter_term", "").lower()
        external_id = query.get("external_app_user_id")
        found = []
        for user in self.store.users.values():
            if user.kind == "service" or (external_id and user.external_app_user_id != external_id):
                continue
            if user.kind == "external":
                if kind != "managed" and term == user.login.lower():
                    found.append(user)
            elif kind != "external" and _starts(user.name, user.login, term):
                found.append(user)
        return found

    def update_user(self, actor: User, user_id: str, body: dict[str, Any]) -> User:
        """PUT /users/:id: quota, status, name and profile; needs the right to manage users."""
        user = self.store.users.get(user_id)
        if user is None or not user.in_enterprise:
            raise not_found("user", user_id)
        self.require_admin(actor, "manage_app_users" if user.kind == "app" else "manage_managed_users")
        amount = _integer(body, "space_amount")
        _check_profile(body)
        login = text_of(body, "login")
        if login is not None and login.lower() != user.login.lower():
            self._change_login(user, login)
        if amount is not None:
            user.space_amount = amount
        self._set_profile(user, body)
        user.modified = self.store.now()
        self.store.save(user)
        self.store.events.record(user.modified, "edit_user", actor, user)
        return user

    def delete_user(self, actor: User, user_id: str, force: bool) -> User:
        """DELETE /users/:id; 400 while the user owns content, unless forced."""
        user = self.user(actor, user_id)
        if user is actor or user.kind in {"service", "admin"}:
            raise forbidden()
        self.require_admin(actor, "manage_app_users" if user.kind == "app" else "manage_managed_users")
        if user.root.children and not force:
            raise BoxError(400, "user_has_content", "The user still owns content; use force to delete it")
        for membership in [m for m in self.store.memberships.values() if m.user is user]:
            self._remove_membership(membership)
        del self.store.users[user.id]
        for address in user.addresses:
            self.store.logins.pop(address, None)
        self.store.drop(user)
        self.store.events.record(self.store.now(), "delete_user", actor, user)
        return user

    def require_admin(self, actor: User, scope: str | None, *, enterprise: bool = True) -> None:
        """403 unless the actor administers the enterprise and the app has the scope and the access level."""
        settings = self.store.settings
        if settings.limited_access_app:
            raise insufficient_scope()
        if scope is not None and scope not in settings.scopes:
            raise insufficient_scope()
        if actor.kind not in {"service", "admin"}:
            raise forbidden()
        if enterprise and settings.app_access != "enterprise":
            raise forbidden()

    def add_alias(self, user: User, address: str) -> None:
        """Give the user a secondary address; 409 when somebody has it. Invitations to it reach the user."""
        if address.lower() in self.store.logins:
            raise _login_taken()
        user.aliases = (*user.aliases, address)
        self.store.logins[address.lower()] = user
        self.store.save(user)

    def change_login(self, user: User, login: str) -> None:
        """Make another address the user's login, without asking for rights; the old one reaches nobody then.

        409 when the address is somebody else's. A secondary address of the user may become the login.
        """
        self._change_login(user, login)
        self.store.save(user)

    def _change_login(self, user: User, login: str) -> None:
        if "@" not in login:
            raise bad_request("Invalid login", "login")
        if self.store.logins.get(login.lower(), user) is not user:
            raise _login_taken()
        del self.store.logins[user.login.lower()]
        user.login = login
        user.aliases = tuple(alias for alias in user.aliases if alias.lower() != login.lower())
        self.store.logins[login.lower()] = user

    def _set_profile(self, user: User, body: dict[str, Any]) -> None:
        user.name = text_of(body, "name") or user.name
        for name in ("job_title", "phone", "address", "language", "timezone"):
            setattr(user, name, text_of(body, name, getattr(user, name)))
        user.external_app_user_id = text_of(body, "external_app_user_id", user.external_app_user_id)
        user.status = text_of(body, "status") or user.status
        user.role = text_of(body, "role") or user.role
        self.store.save(user)

    # --- groups ---

    def add_group(self, name: str, group_id: str | None = None) -> Group:
        """A new group, without asking for rights; 409 when the name is taken."""
        self._refuse_taken(name)
        now = self.store.now()
        group = Group(id=group_id or self.store.new_id(), name=name, created=now, modified=now)
        self.store.groups[group.id] = group
        self.store.save(group)
        return group

    def create_group(self, actor: User, body: dict[str, Any]) -> Group:
        """POST /groups."""
        self.require_admin(actor, "manage_groups")
        name = text_of(body, "name")
        if not name:
            raise missing("name")
        self._check_group(body)
        group = self.add_group(name)
        self._set_group(group, body)
        self.store.events.record(group.created, "group_create", actor, group)
        return group

    def group(self, actor: User, group_id: str, scope: str | None = "manage_groups") -> Group:
        """A group, for administrators and for its members (who pass `scope=None`)."""
        group = self.store.groups.get(group_id)
        if group is not None and scope is None and actor.id in group.members:
            return group
        self.require_admin(actor, "manage_groups")
        if group is None:
            raise not_found("group", group_id)
        return group

    def list_groups(self, actor: User, term: str) -> list[Group]:
        """Groups whose name starts with the term."""
        self.require_admin(actor, "manage_groups")
        return [group for group in self.store.groups.values() if group.name.lower().startswith(term.lower())]

    def update_group(self, actor: User, group_id: str, body: dict[str, Any]) -> Group:
        """PUT /groups/:id."""
        group = self.group(actor, group_id)
        self._check_group(body)
        name = text_of(body, "name") or group.name
        self._refuse_taken(name, but=group)
        group.name = name
        self._set_group(group, body)
        group.modified = self.store.now()
        self.store.events.record(group.modified, "group_edit", actor, group)
        return group

    def rename_group(self, group: Group, name: str) -> None:
        """Give the group another name, without asking for rights; 409 when it is taken."""
        self._refuse_taken(name, but=group)
        group.name = name
        self.store.save(group)

    def delete_group(self, actor: User, group_id: str) -> Group:
        """DELETE /groups/:id; its memberships go with it."""
        group = self.group(actor, group_id)
        for membership in list(group.members.values()):
            self._remove_membership(membership)
        del self.store.groups[group.id]
        self.store.drop(group)
        self.store.events.record(self.store.now(), "group_delete", actor, group)
        return group

    def _refuse_taken(self, name: str, but: Group | None = None) -> None:
        if any(g is not but and g.name.lower() == name.lower() for g in self.store.groups.values()):
            raise group_name_taken(name)

    def _check_group(self, body: dict[str, Any]) -> None:
        for name in ("invitability_level", "member_viewability_level"):
            level = text_of(body, name)
            if level is not None and level not in _LEVELS:
                raise bad_request(f"Invalid {name}", name)

    def _set_group(self, group: Group, body: dict[str, Any]) -> None:
        for name in (
            "provenance",
            "external_sync_identifier",
            "description",
            "invitability_level",
            "member_viewability_level",
        ):
            setattr(group, name, text_of(body, name, getattr(group, name)))
        self.store.save(group)

    # --- memberships ---

    def add_member(self, user: User, group: Group, role: str = "member") -> Membership:
        """Put a user into a group, without asking for rights; 409 for a second time (UNKNOWN at Box)."""
        if user.id in group.members:
            raise BoxError(409, "conflict", "The user is already a member of the group")
        now = self.store.now()
        membership = Membership(
            id=self.store.new_id(), user=user, group=group, role=role, created=now, modified=now
        )
        group.members[user.id] = membership
        self.store.memberships[membership.id] = membership
        self.store.save(membership)
        return membership

    def create_membership(self, actor: User, user_id: str, group_id: str, role: str) -> Membership:
        """POST /group_memberships."""
        group = self.group(actor, group_id)
        user = self.store.users.get(user_id)
        if user is None or not user.in_enterprise:
            raise not_found("user", user_id)
        if user.kind == "service":
            raise forbidden("Service accounts cannot be members of groups")
        membership = self.add_member(user, group, _member_role(role))
        self.store.events.record(membership.created, "member_add", actor, user)
        return membership

    def membership(self, actor: User, membership_id: str) -> Membership:
        """A membership by id, for administrators."""
        self.require_admin(actor, "manage_groups")
        membership = self.store.memberships.get(membership_id)
        if membership is None:
            raise not_found("group_membership", membership_id)
        return membership

    def update_membership(self, actor: User, membership_id: str, role: str) -> Membership:
        """PUT /group_memberships/:id."""
        membership = self.membership(actor, membership_id)
        membership.role = _member_role(role)
        membership.modified = self.store.now()
        self.store.save(membership)
        return membership

    def delete_membership(self, actor: User, membership_id: str) -> None:
        """DELETE /group_memberships/:id."""
        membership = self.membership(actor, membership_id)
        self._remove_membership(membership)
        self.store.events.record(self.store.now(), "member_remove", actor, membership.user)

    def _remove_membership(self, membership: Membership) -> None:
        membership.group.members.pop(membership.user.id, None)
        self.store.memberships.pop(membership.id, None)
        self.store.drop(membership)


def _login_taken() -> BoxError:
    return BoxError(409, "user_login_already_used", "User with the specified login already exists")


def _check_profile(body: dict[str, Any]) -> None:
    for name, most in MAX_TEXTS.items():
        if len(text_of(body, name) or "") > most:
            raise bad_request(f"'{name}' may have {most} characters", name)
    for name, allowed in (("status", STATUSES), ("role", USER_ROLES)):
        text = text_of(body, name)
        if text is not None and text not in allowed:
            raise bad_request(f"Invalid {name} '{text}'", name)


def _member_role(role: str) -> str:
    if role not in {"member", "admin"}:
        raise bad_request("Invalid role", "role")
    return role


def _starts(name: str, login: str, term: str) -> bool:
    return not term or name.lower().startswith(term) or login.lower().startswith(term)


def _integer(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < -1:
        raise bad_request(f"'{name}' should be a number of bytes, or -1", name)
    return value
