"""Users and groups: who we are, who they are, app users and space. Nothing about folders."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from box_sdk_gen.managers.users import UpdateUserByIdStatus

from connectors.box.client.connection import BoxConnection
from connectors.box.client.errors import LimitedAccessApp
from connectors.box.client.refusal import code_of, status_of
from connectors.box.types import Account, Group
from connectors.box.values import id_of, json_object, object_of, size_of, text_of
from connectors.errors import (
    BoxUnreachable,
    ConnectionLost,
    ItemError,
    NameInUse,
    PermissionMissing,
    Rejected,
)

USER_FIELDS = [
    "name",
    "login",
    "status",
    "space_amount",
    "space_used",
    "max_upload_size",
    "enterprise",
    "role",
]
PAGE_SIZE = 1000
#: What Box shows for -1.
UNLIMITED = 999_999_999_999_999
#: The first call of a run shows early that there is no way to Box.
FIRST_CALL_ATTEMPTS = 4


def whoami(connection: BoxConnection) -> Account:
    """Return the user behind the token. BoxUnreachable when nothing answers."""
    fields = ",".join([*USER_FIELDS, "notification_email"])
    try:
        answer = connection.ask(
            "GET /users/me", "/users/me", params={"fields": fields}, attempts=FIRST_CALL_ATTEMPTS
        )
    except ConnectionLost as exc:
        raise BoxUnreachable(f"Box does not answer; check base_url, proxy and firewall. {exc}") from exc
    except PermissionMissing as exc:
        if code_of(exc) != "insufficient_scope":
            raise
        # Looking at oneself needs no scope: only an app that may do next to nothing is refused that.
        raise LimitedAccessApp(" ".join((LimitedAccessApp.__doc__ or "").split())) from exc
    return _account(json_object(answer.data, "GET /users/me"))


class BoxAccounts:
    """Users and groups of the enterprise, as the service account may see and change them."""

    def __init__(self, connection: BoxConnection) -> None:
        self._connection = connection

    def user(self, user_id: str) -> Account:
        """Return a user by id. DestinationGone when there is none, PermissionMissing without the right to look."""
        route = "GET /users/:id"
        answer = self._connection.ask(route, f"/users/{user_id}", params={"fields": ",".join(USER_FIELDS)})
        return _account(json_object(answer.data, route))

    def group(self, group_id: str) -> Group:
        """Return a group by id. DestinationGone when there is none, PermissionMissing without the right to look."""
        route = "GET /groups/:id"
        group = json_object(
            self._connection.ask(route, f"/groups/{group_id}", params={"fields": "name"}).data, route
        )
        return Group(id=str(group["id"]), name=str(group.get("name") or ""))

    def find_user(self, login: str) -> Account | None:
        """Return the user with exactly this login, or None. Box itself matches a prefix of managed logins."""
        for user in self._pages("GET /users", "/users", {"filter_term": login, "user_type": "all"}):
            account = _account(user)
            if account.login.casefold() == login.casefold():
                return account
        return None

    def aliases(self, user_id: str) -> set[str] | None:
        """Return the other addresses of a user in small letters; None where this account may not see them."""
        route = "GET /users/:id/email_aliases"
        try:
            answer = self._connection.ask(route, f"/users/{user_id}/email_aliases")
        except (ItemError, PermissionMissing):
            return None
        entries = object_of(answer.data).get("entries")
        return {str(object_of(each).get("email") or "").casefold() for each in entries or []} - {""}

    def find_group(self, name: str) -> Group | None:
        """Return the group with exactly this name in any case, or None. Box itself matches a prefix."""
        wanted = name.casefold()
        found = self._pages("GET /groups", "/groups", {"filter_term": name, "fields": "name"}, marker=False)
        for group in found:
            if str(group.get("name")).casefold() == wanted:
                return Group(id=str(group["id"]), name=str(group["name"]))
        return None

    def create_group(self, name: str) -> Group:
        """Create a group, or return the one that has this name."""
        try:
            made = self._connection.call(
                "POST /groups", lambda: self._connection.client.groups.create_group(name, fields=["name"])
            )
        except (Rejected, NameInUse) as exc:
            if status_of(exc) == 409 and (group := self.find_group(name)):
                return group
            raise
        return Group(id=made.id, name=made.name or name)

    def find_app_user(self, external_id: str) -> Account | None:
        """Return the app user that was made with this external id, retired ones included, or None."""
        query = {"external_app_user_id": external_id, "user_type": "all"}
        return next((_account(user) for user in self._pages("GET /users", "/users", query)), None)

    def create_app_user(self, name: str, external_id: str | None = None) -> Account:
        """Create an app user with an external id, by which it is found again when the answer is lost."""
        external_id = external_id or f"boxhaul-{uuid.uuid4().hex}"

        def send() -> Account:
            made = self._connection.client.users.create_user(
                name, is_platform_access_only=True, external_app_user_id=external_id, fields=USER_FIELDS
            )
            return _account(made.to_dict())

        return self._connection.call("POST /users", send, settled=lambda: self.find_app_user(external_id))

    def app_users(self) -> Iterator[Account]:
        """Yield the app users, told by the pattern of their logins: Box has no filter for them."""
        for user in self._pages("GET /users", "/users", {"filter_term": "AppUser_", "user_type": "managed"}):
            account = _account(user)
            if account.login.startswith("AppUser_") and account.login.endswith("@boxdevedition.com"):
                yield account

    def deactivate_user(self, user_id: str) -> None:
        """Set a user to inactive."""
        self._connection.call(
            "PUT /users/:id",
            lambda: self._connection.client.users.update_user_by_id(
                user_id, status=UpdateUserByIdStatus.INACTIVE
            ),
        )

    def set_space_amount(self, user_id: str, space_amount: int) -> Account:
        """Give a user so many bytes, -1 for unlimited; return the user as changed."""
        changed = self._connection.call(
            "PUT /users/:id",
            lambda: self._connection.client.users.update_user_by_id(
                user_id, space_amount=space_amount, fields=USER_FIELDS
            ),
        )
        return _account(changed.to_dict())

    def _pages(
        self, route: str, path: str, query: dict[str, str], *, marker: bool = True
    ) -> Iterator[Mapping[str, Any]]:
        """Yield every entry of a list; groups know offsets only."""
        params = {"limit": str(PAGE_SIZE), "fields": ",".join(USER_FIELDS)} | query
        params |= {"usemarker": "true"} if marker else {"offset": "0"}
        while True:
            page = json_object(self._connection.ask(route, path, params=params).data, route)
            entries = page.get("entries") or []
            yield from entries
            if marker:
                following = page.get("next_marker")
                if not following or following == params.get("marker"):
                    return
                params = params | {"marker": str(following)}
            else:
                offset = int(params["offset"]) + len(entries)
                if not entries or offset >= int(page.get("total_count") or 0):
                    return
                params = params | {"offset": str(offset)}


# --- private ---


def _account(user: Mapping[str, Any]) -> Account:
    login = str(user.get("login") or "")
    enterprise, alias = object_of(user.get("enterprise")), object_of(user.get("notification_email"))
    space = size_of(user.get("space_amount")) or 0
    return Account(
        id=str(user["id"]),
        login=login,
        name=str(user.get("name") or ""),
        status=text_of(user.get("status")) or "active",
        enterprise_id=id_of(enterprise) or None,
        enterprise_name=text_of(enterprise.get("name")) or None,
        space_amount=-1 if space >= UNLIMITED else space,
        space_used=size_of(user.get("space_used")) or 0,
        max_upload_size=size_of(user.get("max_upload_size")) or 0,
        is_service_account=login.startswith("AutomationUser_") and login.endswith("@boxdevedition.com"),
        role=text_of(user.get("role")) or None,
        notification_email=text_of(alias.get("email")) or None,
    )
