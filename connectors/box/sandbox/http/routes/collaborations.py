"""Calls about collaborations and their allow-lists: HTTP in and out, no rules."""

from __future__ import annotations

from typing import Any

from connectors.box.sandbox.core import Core
from connectors.box.sandbox.errors import BoxError, bad_request, not_found
from connectors.box.sandbox.rules.listing import id_key, marker_page, offset_page
from connectors.box.sandbox.rules.mini import JSON, mini, user_mini
from connectors.box.sandbox.store.dates import format_date, format_optional
from connectors.box.sandbox.store.records import Collaboration, Item, User
from connectors.box.sandbox.wire import (
    Request,
    Response,
    json_response,
    parse_bool,
    parse_limit,
    require_child_id,
    text_of,
)

_DIRECTIONS = {"inbound", "outbound", "both"}


def create(core: Core, request: Request) -> Response:
    """POST /collaborations."""
    notify = parse_bool(request.query, "notify", True)
    grant = core.collaborations.create(request.user, request.json())
    if notify:
        core.mails.extend(_mails(grant))
    return json_response(view(grant, request.user, request.fields()), 201)


def _mails(grant: Collaboration) -> list[tuple[str, str]]:
    """Who gets Box's mail about a new grant: everybody concerned who has a mailbox."""
    members = [member.user for member in grant.group.members.values()] if grant.group else [grant.user]
    people = [user.login for user in members if user is not None and user.kind not in {"app", "service"}]
    addresses = people or ([grant.invite_email] if grant.invite_email else [])
    return [(address, grant.item.name) for address in addresses]


def get(core: Core, request: Request) -> Response:
    """GET /collaborations/:id."""
    grant = core.collaborations.get(request.user, request.params[0])
    return json_response(view(grant, request.user, request.fields()))


def update(core: Core, request: Request) -> Response:
    """PUT /collaborations/:id; 204 after a transfer of ownership."""
    grant = core.collaborations.update(request.user, request.params[0], request.json())
    if grant is None:
        return Response(204)
    return json_response(view(grant, request.user))


def delete(core: Core, request: Request) -> Response:
    """DELETE /collaborations/:id."""
    core.collaborations.delete(request.user, request.params[0])
    return Response(204)


def pending(core: Core, request: Request) -> Response:
    """GET /collaborations?status=pending: invitations to the caller."""
    query = request.query
    if query.get("status") != "pending":
        raise bad_request("'status' should be 'pending'", "status")
    page, rest = offset_page(core.collaborations.pending_of(request.user), query)
    fields = request.fields(query)
    return json_response(rest | {"entries": [view(grant, request.user, fields) for grant in page]})


def of_folder(core: Core, request: Request) -> Response:
    """GET /folders/:id/collaborations."""
    return _of_item(core, request, core.items.folder(request.user, request.params[0]))


def of_file(core: Core, request: Request) -> Response:
    """GET /files/:id/collaborations."""
    return _of_item(core, request, core.items.file(request.user, request.params[0]))


def of_group(core: Core, request: Request) -> Response:
    """GET /groups/:id/collaborations."""
    group = core.people.group(request.user, request.params[0])
    page, rest = offset_page(core.collaborations.of_group(request.user, group), request.query)
    return json_response(rest | {"entries": [view(grant, request.user) for grant in page]})


def allowlist(core: Core, request: Request) -> Response:
    """GET /collaboration_whitelist_entries."""
    core.people.require_admin(request.user, "manage_enterprise_properties")
    return _dict_page(core, request, core.store.allowlist, _entry_view)


def create_entry(core: Core, request: Request) -> Response:
    """POST /collaboration_whitelist_entries."""
    core.people.require_admin(request.user, "manage_enterprise_properties")
    body = request.json()
    domain, direction = text_of(body, "domain"), text_of(body, "direction")
    if not domain or direction not in _DIRECTIONS:
        raise bad_request("'domain' and 'direction' are required", "domain")
    if any(entry["domain"].lower() == domain.lower() for entry in core.store.allowlist.values()):
        raise BoxError(409, "conflict", "The domain is on the list already")
    entry: dict[str, Any] = {
        "id": core.store.new_id(),
        "domain": domain,
        "direction": direction,
        "created": core.store.now(),
    }
    core.store.allowlist[entry["id"]] = entry
    core.store.save(("allowlist", entry["id"], entry))
    return json_response(_entry_view(core, entry))


def get_entry(core: Core, request: Request) -> Response:
    """GET /collaboration_whitelist_entries/:id."""
    core.people.require_admin(request.user, "manage_enterprise_properties")
    return json_response(_entry_view(core, _find(core.store.allowlist, request.params[0])))


def delete_entry(core: Core, request: Request) -> Response:
    """DELETE /collaboration_whitelist_entries/:id."""
    core.people.require_admin(request.user, "manage_enterprise_properties")
    del core.store.allowlist[_find(core.store.allowlist, request.params[0])["id"]]
    core.store.drop(("allowlist", request.params[0], None))
    return Response(204)


def exempt(core: Core, request: Request) -> Response:
    """GET /collaboration_whitelist_exempt_targets."""
    core.people.require_admin(request.user, "manage_enterprise_properties")
    return _dict_page(core, request, core.store.exempt, _exempt_view)


def create_exempt(core: Core, request: Request) -> Response:
    """POST /collaboration_whitelist_exempt_targets."""
    core.people.require_admin(request.user, "manage_enterprise_properties")
    user = core.store.users.get(require_child_id(request.json(), "user"))
    if user is None:
        raise not_found("user")
    if any(target["user"] is user for target in core.store.exempt.values()):
        raise BoxError(409, "conflict", "The user is exempt already")
    target: dict[str, Any] = {"id": core.store.new_id(), "user": user, "created": core.store.now()}
    core.store.exempt[target["id"]] = target
    core.store.save(("exempt", target["id"], {**target, "user": user.id}))
    return json_response(_exempt_view(core, target))


def get_exempt(core: Core, request: Request) -> Response:
    """GET /collaboration_whitelist_exempt_targets/:id."""
    core.people.require_admin(request.user, "manage_enterprise_properties")
    return json_response(_exempt_view(core, _find(core.store.exempt, request.params[0])))


def delete_exempt(core: Core, request: Request) -> Response:
    """DELETE /collaboration_whitelist_exempt_targets/:id."""
    core.people.require_admin(request.user, "manage_enterprise_properties")
    del core.store.exempt[_find(core.store.exempt, request.params[0])["id"]]
    core.store.drop(("exempt", request.params[0], None))
    return Response(204)


def view(grant: Collaboration, viewer: User, fields: tuple[str, ...] | None = None) -> JSON:
    """A collaboration; a pending one has no item, and shows the invited address."""
    full: dict[str, Any] = {
        "item": _item_view(grant),
        "accessible_by": _grantee_view(grant),
        "invite_email": grant.invite_email,
        "role": grant.role,
        "status": grant.status,
        "expires_at": format_optional(grant.expires),
        "is_access_only": grant.is_access_only,
        "can_view_path": grant.can_view_path,
        "acknowledged_at": format_optional(grant.acknowledged),
        "created_by": user_mini(grant.created_by),
        "created_at": format_date(grant.created),
        "modified_at": format_date(grant.modified),
        "acceptance_requirements_status": _requirements(),
    }
    if grant.acknowledged is None:
        del full["acknowledged_at"]
    chosen = full if fields is None else {name: full[name] for name in fields if name in full}
    return {"type": "collaboration", "id": grant.id} | chosen


def _of_item(core: Core, request: Request, item: Item) -> Response:
    query = request.query
    found = sorted(core.collaborations.of_item(request.user, item), key=id_key)
    limit = parse_limit(query, 100)
    page, rest = marker_page(found, query.get("marker"), limit, id_key)
    fields = request.fields(query)
    return json_response(rest | {"entries": [view(grant, request.user, fields) for grant in page]})


def _item_view(grant: Collaboration) -> JSON | None:
    return None if grant.status == "pending" else mini(grant.item)


def _grantee_view(grant: Collaboration) -> JSON | None:
    if grant.group is not None:
        return {
            "type": "group",
            "id": grant.group.id,
            "name": grant.group.name,
            "group_type": "managed_group",
        }
    if grant.user is None or (grant.status == "pending" and grant.user.kind == "external"):
        return None
    return user_mini(grant.user) | {"is_active": grant.user.status != "inactive"}


def _requirements() -> JSON:
    return {
        "terms_of_service_requirement": {"is_accepted": None},
        "strong_password_requirement": {
            "enterprise_has_strong_password_required_for_external_users": False,
            "user_has_strong_password": None,
        },
        "two_factor_authentication_requirement": {
            "enterprise_has_two_factor_auth_enabled": False,
            "user_has_two_factor_authentication_enabled": None,
        },
    }


def _entry_view(core: Core, entry: dict[str, Any]) -> JSON:
    return {
        "type": "collaboration_whitelist_entry",
        "id": entry["id"],
        "domain": entry["domain"],
        "direction": entry["direction"],
        "enterprise": _enterprise(core),
        "created_at": format_date(entry["created"]),
    }


def _exempt_view(core: Core, target: dict[str, Any]) -> JSON:
    return {
        "type": "collaboration_whitelist_exempt_target",
        "id": target["id"],
        "user": user_mini(target["user"]),
        "enterprise": _enterprise(core),
        "created_at": format_date(target["created"]),
        "modified_at": format_date(target["created"]),
    }


def _enterprise(core: Core) -> JSON:
    return {"type": "enterprise", "id": core.store.enterprise_id, "name": "Sandbox Enterprise"}


def _dict_page(core: Core, request: Request, entries: dict[str, dict[str, Any]], show: Any) -> Response:
    query = request.query
    limit = parse_limit(query, 100)
    found = sorted(entries.values(), key=_entry_key)
    page, rest = marker_page(found, query.get("marker"), limit, _entry_key)
    return json_response(rest | {"entries": [show(core, entry) for entry in page]})


def _entry_key(entry: dict[str, Any]) -> tuple[int, int]:
    return 0, int(entry["id"])


def _find(entries: dict[str, dict[str, Any]], entry_id: str) -> dict[str, Any]:
    if entry_id not in entries:
        raise not_found("entry", entry_id)
    return entries[entry_id]


ROUTES = {
    "POST /collaborations": create,
    "GET /collaborations": pending,
    "GET /collaborations/:id": get,
    "PUT /collaborations/:id": update,
    "DELETE /collaborations/:id": delete,
    "GET /folders/:id/collaborations": of_folder,
    "GET /files/:id/collaborations": of_file,
    "GET /groups/:id/collaborations": of_group,
    "GET /collaboration_whitelist_entries": allowlist,
    "POST /collaboration_whitelist_entries": create_entry,
    "GET /collaboration_whitelist_entries/:id": get_entry,
    "DELETE /collaboration_whitelist_entries/:id": delete_entry,
    "GET /collaboration_whitelist_exempt_targets": exempt,
    "POST /collaboration_whitelist_exempt_targets": create_exempt,
    "GET /collaboration_whitelist_exempt_targets/:id": get_exempt,
    "DELETE /collaboration_whitelist_exempt_targets/:id": delete_exempt,
}
