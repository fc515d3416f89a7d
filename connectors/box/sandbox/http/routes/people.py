"""Calls about users, groups and memberships: HTTP in and out, no rules."""

from __future__ import annotations

from typing import Any

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.errors import bad_request
from connectors.box.sandbox.http.views import Field
from connectors.box.sandbox.rules.listing import id_key, marker_page, offset_page
from connectors.box.sandbox.rules.mini import JSON, user_mini
from connectors.box.sandbox.store.dates import format_date
from connectors.box.sandbox.store.records import Group, Membership, User
from connectors.box.sandbox.wire import (
    Request,
    Response,
    json_response,
    parse_bool,
    parse_limit,
    require_child_id,
    text_of,
)


def me(core: Core, request: Request) -> Response:
    """GET /users/me."""
    return json_response(user_view(core, request.user, request.fields()))


def users(core: Core, request: Request) -> Response:
    """GET /users."""
    query = request.query
    found = core.people.list_users(request.user, query)
    if parse_bool(query, "usemarker"):
        found.sort(key=id_key)
        limit = parse_limit(query, 100)
        page, rest = marker_page(found, query.get("marker"), limit, id_key)
    else:
        found.sort(key=lambda user: (user.name.lower(), user.id))
        page, rest = offset_page(found, query, max_offset=core.settings.max_offset)
    fields = request.fields(query)
    return json_response(rest | {"entries": [user_view(core, user, fields) for user in page]})


def get_user(core: Core, request: Request) -> Response:
    """GET /users/:id."""
    user = core.people.user(request.user, request.params[0])
    return json_response(user_view(core, user, request.fields()))


def create_user(core: Core, request: Request) -> Response:
    """POST /users."""
    user = core.people.create_user(request.user, request.json())
    return json_response(user_view(core, user, request.fields()), 201)


def update_user(core: Core, request: Request) -> Response:
    """PUT /users/:id."""
    user = core.people.update_user(request.user, request.params[0], request.json())
    return json_response(user_view(core, user, request.fields()))


def delete_user(core: Core, request: Request) -> Response:
    """DELETE /users/:id."""
    user = core.people.delete_user(request.user, request.params[0], parse_bool(request.query, "force"))
    core.trash.destroy_all(user)
    return Response(204)


def user_memberships(core: Core, request: Request) -> Response:
    """GET /users/:id/memberships."""
    user = core.people.user(request.user, request.params[0])
    found = [m for m in core.store.memberships.values() if m.user is user]
    return _memberships(found, request)


def user_email_aliases(core: Core, request: Request) -> Response:
    """GET /users/:id/email_aliases: the other addresses, not the login; whoever may look at the user may ask."""
    user = core.people.user(request.user, request.params[0])
    entries = [
        {"type": "email_alias", "id": f"{user.id}{number}", "email": address, "is_confirmed": True}
        for number, address in enumerate(user.aliases)
    ]
    return json_response({"total_count": len(entries), "entries": entries})


def groups(core: Core, request: Request) -> Response:
    """GET /groups."""
    query = request.query
    found = core.people.list_groups(request.user, query.get("filter_term", ""))
    found.sort(key=lambda group: (group.name.lower(), group.id))
    page, rest = offset_page(found, query)
    fields = request.fields(query)
    return json_response(rest | {"entries": [group_view(group, fields) for group in page]})


def create_group(core: Core, request: Request) -> Response:
    """POST /groups."""
    group = core.people.create_group(request.user, request.json())
    return json_response(group_view(group, request.fields()), 201)


def get_group(core: Core, request: Request) -> Response:
    """GET /groups/:id."""
    return json_response(group_view(core.people.group(request.user, request.params[0]), request.fields()))


def update_group(core: Core, request: Request) -> Response:
    """PUT /groups/:id."""
    group = core.people.update_group(request.user, request.params[0], request.json())
    return json_response(group_view(group, request.fields()))


def delete_group(core: Core, request: Request) -> Response:
    """DELETE /groups/:id: its collaborations go with it."""
    group = core.people.delete_group(request.user, request.params[0])
    for grant in core.collaborations.of_group(request.user, group):
        core.collaborations.remove(grant)
    return Response(204)


def group_memberships(core: Core, request: Request) -> Response:
    """GET /groups/:id/memberships."""
    group = core.people.group(request.user, request.params[0], scope=None)
    return _memberships(list(group.members.values()), request)


def create_membership(core: Core, request: Request) -> Response:
    """POST /group_memberships."""
    body = request.json()
    membership = core.people.create_membership(
        request.user,
        require_child_id(body, "user"),
        require_child_id(body, "group"),
        text_of(body, "role", "member") or "member",
    )
    return json_response(membership_view(membership), 201)


def get_membership(core: Core, request: Request) -> Response:
    """GET /group_memberships/:id."""
    return json_response(membership_view(core.people.membership(request.user, request.params[0])))


def update_membership(core: Core, request: Request) -> Response:
    """PUT /group_memberships/:id."""
    role = text_of(request.json(), "role")
    if role is None:
        raise bad_request("'role' is required", "role", "missing_parameter")
    return json_response(
        membership_view(core.people.update_membership(request.user, request.params[0], role))
    )


def delete_membership(core: Core, request: Request) -> Response:
    """DELETE /group_memberships/:id."""
    core.people.delete_membership(request.user, request.params[0])
    return Response(204)


def user_view(core: Core, user: User, fields: tuple[str, ...] | None = None) -> JSON:
    """A user with the default fields, or with those asked for."""
    view: JSON = {"type": "user", "id": user.id}
    for name in USER_STANDARD if fields is None else fields:
        if name == "enterprise":
            # The document does not let it be null; of another enterprise's people nothing is told.
            view |= {name: home} if (home := _enterprise(core, user)) else {}
        elif name == "notification_email" and user.kind == "service" and core.settings.service_account_alias:
            view[name] = {"email": core.settings.service_account_alias, "is_confirmed": True}
        elif (field := _USER_FIELDS.get(name)) is not None:
            view[name] = field(user, user)
    return view


def group_view(group: Group, fields: tuple[str, ...] | None = None) -> JSON:
    """A group with the default fields, or with those asked for."""
    view: JSON = {"type": "group", "id": group.id}
    for name in GROUP_STANDARD if fields is None else fields:
        if (field := _GROUP_FIELDS.get(name)) is not None:
            view[name] = field(group, None)  # type: ignore[arg-type]  # groups look the same to everybody
    return view


def membership_view(membership: Membership) -> JSON:
    """A membership with user and group."""
    return {
        "type": "group_membership",
        "id": membership.id,
        "user": user_mini(membership.user),
        "group": group_view(membership.group, ("name", "group_type")),
        "role": membership.role,
        "created_at": format_date(membership.created),
        "modified_at": format_date(membership.modified),
    }


def _memberships(found: list[Membership], request: Request) -> Response:
    found.sort(key=id_key)
    page, rest = offset_page(found, request.query)
    return json_response(rest | {"entries": [membership_view(m) for m in page]})


def _enterprise(core: Core, user: User) -> dict[str, Any] | None:
    if not user.in_enterprise:
        return None
    return {"type": "enterprise", "id": core.store.enterprise_id, "name": "Sandbox Enterprise"}


def _space_amount(user: User, viewer: User) -> int:
    # Unlimited users are shown a huge number, as Box does, not -1.
    return user.space_amount if user.space_amount >= 0 else 999_999_999_999_999


_USER_FIELDS: dict[str, Field] = {
    "name": lambda user, viewer: user.name,
    "login": lambda user, viewer: user.login,
    "created_at": lambda user, viewer: format_date(user.created),
    "modified_at": lambda user, viewer: format_date(user.modified),
    "language": lambda user, viewer: user.language,
    "timezone": lambda user, viewer: user.timezone,
    "space_amount": _space_amount,
    "space_used": lambda user, viewer: user.space_used,
    "max_upload_size": lambda user, viewer: user.max_upload_size,
    "status": lambda user, viewer: user.status,
    "job_title": lambda user, viewer: user.job_title,
    "phone": lambda user, viewer: user.phone,
    "address": lambda user, viewer: user.address,
    "avatar_url": lambda user, viewer: f"https://app.box.com/api/avatar/large/{user.id}",
    "notification_email": lambda user, viewer: None,
    "role": lambda user, viewer: {"admin": "admin", "service": "coadmin"}.get(user.kind, user.role),
    "is_platform_access_only": lambda user, viewer: user.kind in {"app", "service"},
    "external_app_user_id": lambda user, viewer: user.external_app_user_id or "",
    "is_external_collab_restricted": lambda user, viewer: user.is_external_collab_restricted,
    "can_see_managed_users": lambda user, viewer: user.kind in {"admin", "service"},
    "is_sync_enabled": lambda user, viewer: False,
    "is_exempt_from_device_limits": lambda user, viewer: False,
    "is_exempt_from_login_verification": lambda user, viewer: False,
    "tracking_codes": lambda user, viewer: [],
    "hostname": lambda user, viewer: "https://app.box.com/",
    "my_tags": lambda user, viewer: [],
}
USER_STANDARD = tuple(_USER_FIELDS)[:15]

_GROUP_FIELDS: dict[str, Field] = {
    "name": lambda group, viewer: group.name,
    "group_type": lambda group, viewer: "managed_group",
    "created_at": lambda group, viewer: format_date(group.created),
    "modified_at": lambda group, viewer: format_date(group.modified),
    "provenance": lambda group, viewer: group.provenance or "",
    "external_sync_identifier": lambda group, viewer: group.external_sync_identifier or "",
    "description": lambda group, viewer: group.description or "",
    "invitability_level": lambda group, viewer: group.invitability_level,
    "member_viewability_level": lambda group, viewer: group.member_viewability_level,
    "permissions": lambda group, viewer: {"can_invite_as_collaborator": True},
}
GROUP_STANDARD = ("name", "group_type", "created_at", "modified_at")

ROUTES = {
    "GET /users/me": me,
    "GET /users": users,
    "POST /users": create_user,
    "GET /users/:id": get_user,
    "PUT /users/:id": update_user,
    "DELETE /users/:id": delete_user,
    "GET /users/:id/memberships": user_memberships,
    "GET /users/:id/email_aliases": user_email_aliases,
    "GET /groups": groups,
    "POST /groups": create_group,
    "GET /groups/:id": get_group,
    "PUT /groups/:id": update_group,
    "DELETE /groups/:id": delete_group,
    "GET /groups/:id/memberships": group_memberships,
    "POST /group_memberships": create_membership,
    "GET /group_memberships/:id": get_membership,
    "PUT /group_memberships/:id": update_membership,
    "DELETE /group_memberships/:id": delete_membership,
}
