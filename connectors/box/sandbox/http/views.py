"""Folders, files and users as Box's JSON, with `fields`. Reads records, changes nothing.

With `fields` Box sends `type`, `id`, `etag` and what was asked for, nothing else (the OpenAPI says that the
mini representation comes along; the smaller answer is the strict reading).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, cast

import orjson

from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.mini import JSON, ROOT, folder_mini, mini, user_mini
from connectors.box.sandbox.store.dates import format_date, format_optional
from connectors.box.sandbox.store.records import ROOT_ID, File, Folder, Item, User, Version

Field: TypeAlias = Callable[[Any, User], Any]

TRASH_DAYS = 30
HUGE = 10**11


def full(item: Item, viewer: User, fields: tuple[str, ...] | None = None) -> JSON:
    """The item as get, create and update answer it, or only `fields` of it."""
    table = FILE_FIELDS if isinstance(item, File) else FOLDER_FIELDS
    if fields is None:
        standard = FILE_STANDARD if isinstance(item, File) else FOLDER_STANDARD
        return _standard(item, viewer, standard)
    return select(item, viewer, fields, table)


def entry(item: Item, viewer: User, fields: tuple[str, ...] | None) -> JSON:
    """The item in a listing: mini, or `fields`."""
    return mini(item) if fields is None else full(item, viewer, fields)


def select(item: Any, viewer: User, fields: Iterable[str], table: dict[str, Field]) -> JSON:
    """type, id, etag and the known ones of `fields`; unknown names are left out, as at Box."""
    view: JSON = {"type": item.kind, "id": item.id, "etag": _etag(item, viewer)}
    for name in fields:
        if name.startswith("metadata."):
            _metadata_field(view, item, name)
        elif (field := table.get(name)) is not None:
            view[name] = field(item, viewer)
    return view


def version_view(version: Version, number: int, fields: tuple[str, ...] | None = None) -> JSON:
    """An older version, with the usual fields or those asked for."""
    view: JSON = {
        "name": version.name,
        "size": version.size,
        "created_at": format_date(version.created),
        "modified_at": format_date(version.created),
        "modified_by": user_mini(version.modified_by),
        "trashed_at": format_optional(version.trashed),
        "restored_at": format_optional(version.restored),
        "purged_at": None,
        "uploader_display_name": version.modified_by.name,
        "version_number": str(number),
    }
    for name, user in (("trashed_by", version.trashed_by), ("restored_by", version.restored_by)):
        if user is not None:
            view[name] = user_mini(user)
    chosen = view if fields is None else {name: view[name] for name in fields if name in view}
    return {"type": "file_version", "id": version.id, "sha1": version.sha1} | chosen


def path_collection(item: Item, viewer: User) -> JSON:
    """Ancestors that the viewer sees, from "All Files" on."""
    entries = [ROOT] + [folder_mini(folder) for folder in permissions.visible_path(viewer, item)]
    if item.parent is None:
        entries = []
    return {"total_count": len(entries), "entries": entries}


def item_collection(folder: Folder, viewer: User) -> JSON:
    """The first hundred items, as a folder's own answer has them."""
    children = list(folder.children.values())
    return {
        "total_count": len(children),
        "entries": [mini(child) for child in children[:100]],
        "offset": 0,
        "limit": 100,
        "order": [{"by": "type", "direction": "ASC"}, {"by": "name", "direction": "ASC"}],
    }


def _standard(item: Item, viewer: User, standard: list[tuple[str, Field]]) -> JSON:
    view: JSON = {"type": item.kind, "id": item.id, "etag": _etag(item, viewer)}
    for name, field in standard:
        view[name] = field(item, viewer)
    return view


def _etag(item: Any, viewer: User) -> str | None:
    return None if item.id == ROOT_ID else str(getattr(item, "etag", 0))


def _sequence(item: Item, viewer: User) -> str | None:
    return None if item.id == ROOT_ID else str(item.sequence)


def _parent(item: Item, viewer: User) -> JSON | None:
    parent = item.parent
    if parent is None or item.trashed is not None:
        return None
    if item.owner is not viewer and parent.parent is not None and not _in_view(parent, item, viewer):
        return ROOT
    return folder_mini(parent)


def _in_view(parent: Folder, item: Item, viewer: User) -> bool:
    return parent in permissions.visible_path(viewer, item)


def _created(item: Item, viewer: User) -> str | None:
    return None if item.id == ROOT_ID else format_date(item.created)


def _modified(item: Item, viewer: User) -> str | None:
    return None if item.id == ROOT_ID else format_date(item.modified)


def _purged(item: Item, viewer: User) -> str | None:
    return None if item.trashed is None else format_date(item.trashed + TRASH_DAYS * 86_400)


def _status(item: Item, viewer: User) -> str:
    node: Item | None = item
    while node is not None:
        if node.trashed is not None:
            return "trashed"
        node = node.parent
    return "active"


def _size(item: Item, viewer: User) -> Any:
    # Huge folders come as floating point, written with an exponent (box.md §3.5).
    if item.size < HUGE or isinstance(item, File):
        return item.size
    mantissa, _, exponent = f"{item.size:.15e}".partition("e")
    return orjson.Fragment(f"{mantissa.rstrip('0').rstrip('.')}e{exponent}".encode())


def _shared_link(item: Item, viewer: User) -> JSON | None:
    link = item.shared_link
    if link is None:
        return None
    public = {k: v for k, v in link.items() if k != "password"}
    public["is_password_enabled"] = bool(link.get("password"))
    public["unshared_at"] = format_optional(cast("int | None", link.get("unshared_at")))
    return public


def _permissions(item: Item, viewer: User) -> JSON:
    role = permissions.role_of(viewer, item)
    able = (
        permissions.CAPABILITIES.get(role or "", frozenset())
        if role != "owner"
        else permissions.CAPABILITIES["co-owner"]
    )
    change, share = "change" in able, "share" in able
    view = {
        "can_delete": change,
        "can_download": "download" in able,
        "can_invite_collaborator": "invite" in able,
        "can_rename": change,
        "can_set_share_access": share,
        "can_share": share,
        "can_upload": "upload" in able,
    }
    if isinstance(item, File):
        view |= {
            "can_preview": "preview" in able,
            "can_comment": "preview" in able,
            "can_annotate": change,
            "can_view_annotations_all": "preview" in able,
            "can_view_annotations_self": "preview" in able,
        }
    return view


def _has_collaborations(item: Item, viewer: User) -> bool:
    node: Item | None = item
    while node is not None:
        if node.collaborations:
            return True
        node = node.parent
    return False


def _roles(item: Item, viewer: User) -> list[str]:
    if isinstance(item, File):
        return ["editor", "viewer"]
    return ["editor", "viewer", "previewer", "uploader", "previewer uploader", "viewer uploader", "co-owner"]


def _lock(item: File, viewer: User) -> JSON | None:
    lock = item.lock
    if lock is None:
        return None
    view: JSON = {
        "type": "lock",
        "id": lock["id"],
        "created_by": user_mini(lock["created_by"]),
        "created_at": format_date(lock["created_at"]),
        "is_download_prevented": lock["is_download_prevented"],
        "app_type": None,
    }
    return view if lock["expires_at"] is None else view | {"expired_at": format_date(lock["expires_at"])}


def _metadata_field(view: JSON, item: Item, name: str) -> None:
    _, scope, key = [*name.split(".", 2), "", ""][:3]
    instance = (item.metadata or {}).get(f"{scope}.{key}")
    if instance is not None:
        view.setdefault("metadata", {}).setdefault(scope, {})[key] = instance


_COMMON: dict[str, Field] = {
    "sequence_id": _sequence,
    "name": lambda item, viewer: item.name,
    "description": lambda item, viewer: item.description,
    "size": _size,
    "path_collection": path_collection,
    "created_at": _created,
    "modified_at": _modified,
    "trashed_at": lambda item, viewer: format_optional(item.trashed),
    "purged_at": _purged,
    "created_by": lambda item, viewer: user_mini(item.created_by),
    "modified_by": lambda item, viewer: user_mini(item.modified_by),
    "owned_by": lambda item, viewer: user_mini(item.owner),
    "shared_link": _shared_link,
    "parent": _parent,
    "item_status": _status,
}

_COMMON_EXTRA: dict[str, Field] = {
    "permissions": _permissions,
    "tags": lambda item, viewer: list(item.tags),
    "allowed_invitee_roles": _roles,
    "is_externally_owned": lambda item, viewer: not item.owner.in_enterprise,
    "has_collaborations": _has_collaborations,
    "is_accessible_via_shared_link": lambda item, viewer: item.shared_link is not None,
    "watermark_info": lambda item, viewer: {"is_watermarked": False},
    "classification": lambda item, viewer: None,
    "is_associated_with_app_item": lambda item, viewer: False,
}

_FILE_ONLY: dict[str, Field] = {
    "file_version": lambda file, viewer: {"type": "file_version", "id": file.version_id, "sha1": file.sha1},
    "sha1": lambda file, viewer: file.sha1,
    "content_created_at": lambda file, viewer: format_date(file.content_created),
    "content_modified_at": lambda file, viewer: format_date(file.content_modified),
}

_FILE_EXTRA: dict[str, Field] = {
    "version_number": lambda file, viewer: str(file.version_number),
    "comment_count": lambda file, viewer: 0,
    "lock": _lock,
    "extension": lambda file, viewer: file.name.rpartition(".")[2] if "." in file.name else "",
    "is_package": lambda file, viewer: False,
    "expires_at": lambda file, viewer: None,
    "disposition_at": lambda file, viewer: format_optional(file.disposition_at),
    "uploader_display_name": lambda file, viewer: file.created_by.name,
    "shared_link_permission_options": lambda file, viewer: ["can_preview", "can_download"],
    "representations": lambda file, viewer: {"entries": []},
}

_FOLDER_ONLY: dict[str, Field] = {
    # A folder's content dates cannot be set; they are the server's own (box.md §3.2).
    "content_created_at": _created,
    "content_modified_at": _modified,
    "folder_upload_email": lambda folder, viewer: None,
    "item_collection": item_collection,
}

_FOLDER_EXTRA: dict[str, Field] = {
    "sync_state": lambda folder, viewer: "not_synced",
    "can_non_owners_invite": lambda folder, viewer: folder.can_non_owners_invite,
    "can_non_owners_view_collaborators": lambda folder, viewer: folder.can_non_owners_view_collaborators,
    "is_collaboration_restricted_to_enterprise": lambda folder, viewer: (
        folder.is_collaboration_restricted_to_enterprise
    ),
    "allowed_shared_link_access_levels": lambda folder, viewer: ["open", "company", "collaborators"],
}

FILE_FIELDS = _COMMON | _FILE_ONLY | _COMMON_EXTRA | _FILE_EXTRA
FOLDER_FIELDS = _COMMON | _FOLDER_ONLY | _COMMON_EXTRA | _FOLDER_EXTRA
FILE_STANDARD = list((_FILE_ONLY | _COMMON).items())
FOLDER_STANDARD = list((_COMMON | _FOLDER_ONLY).items())
