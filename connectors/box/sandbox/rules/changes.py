"""What PUT on a folder or a file may change, file versions, shared links, locks. Moving itself is in `items`."""

from __future__ import annotations

import secrets
from typing import Any

from connectors.box.sandbox.errors import BoxError, bad_request, forbidden, not_found
from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.items import Items
from connectors.box.sandbox.store.dates import parse_date
from connectors.box.sandbox.store.records import File, Folder, Item, User, Version
from connectors.box.sandbox.store.store import Store
from connectors.box.sandbox.wire import child_id, text_of

MAX_DESCRIPTION = 256
MAX_TAGS = 100
_ACCESS = ("open", "company", "collaborators")


class Changes:
    """The rules of updating. Everything is checked before anything is changed."""

    def __init__(self, store: Store, items: Items) -> None:
        self.store = store
        self.items = items

    def update_folder(self, user: User, folder_id: str, body: dict[str, Any], if_match: str | None) -> Folder:
        """PUT /folders/:id. Dates cannot be set."""
        folder = self.items.folder(user, folder_id)
        if folder.parent is None:
            raise forbidden("The root folder cannot be changed")
        permissions.require(user, folder, "list")
        self.items.check_match(folder, if_match)
        apply = self._common(user, folder, body)
        flags = ("can_non_owners_invite", "can_non_owners_view_collaborators")
        settings = (*flags, "is_collaboration_restricted_to_enterprise")
        for name in settings:
            value = body.get(name)
            if value is None:
                continue
            if not isinstance(value, bool):
                raise bad_request(f"'{name}' should be a boolean", name)
            permissions.require(user, folder, "settings")
            apply[name] = value
        parent_id = child_id(body, "parent", required=False)
        # Box refuses a move together with other changes (operation_limit_exceeded), a rename excepted.
        others = set(body) - {"name", "parent"}
        if parent_id is not None and folder.parent.id != parent_id and others:
            raise BoxError(403, "operation_limit_exceeded", "A move cannot be combined with other changes")
        self.items.move_or_rename(user, folder, body.get("name"), parent_id)
        self._apply(user, folder, apply)
        return folder

    def update_file(self, user: User, file_id: str, body: dict[str, Any], if_match: str | None) -> File:
        """PUT /files/:id, `content_modified_at` included, which works though it is not documented."""
        file = self.items.file(user, file_id)
        permissions.require(user, file, "list")
        self.items.check_match(file, if_match)
        apply = self._common(user, file, body)
        if body.get("content_modified_at") is not None:
            permissions.require(user, file, "new_version")
            apply["content_modified"] = parse_date(body["content_modified_at"], "content_modified_at")
        if body.get("content_created_at") is not None:
            permissions.require(user, file, "new_version")
            apply["content_created"] = parse_date(body["content_created_at"], "content_created_at")
        if body.get("disposition_at") is not None:
            apply["disposition_at"] = parse_date(body["disposition_at"], "disposition_at")
        if "lock" in body:
            apply["lock"] = self._lock(user, file, body["lock"])
        self.items.move_or_rename(user, file, body.get("name"), child_id(body, "parent", required=False))
        self._apply(user, file, apply)
        return file

    # --- versions ---

    def versions(self, user: User, file_id: str) -> list[Version]:
        """Older versions, newest first; the current one is not among them, as at Box."""
        file = self.items.file(user, file_id)
        permissions.require(user, file, "list")
        return list(reversed(file.versions or ()))

    def version(self, user: User, file_id: str, version_id: str) -> Version:
        """One older version."""
        for version in self.versions(user, file_id):
            if version.id == version_id:
                return version
        raise not_found("file_version", version_id)

    def promote(self, user: User, file_id: str, version_id: str | None) -> File:
        """POST /files/:id/versions/current: a copy of an older version becomes the current one."""
        file = self.items.file(user, file_id)
        if version_id is None:
            raise bad_request("'id' is required", "id", "missing_parameter")
        old = self.version(user, file_id, version_id)
        permissions.require(user, file, "new_version")
        self.items.check_room(file.owner, old.size)
        self.items.check_rename(user, file, old.name)
        if old.blob is not None:
            old.blob.references += 1
        self.items.add_version(user, file, old.size, old.sha1, old.blob, file.content_modified)
        # The name comes back with the content.
        self.items.move_or_rename(user, file, old.name, None)
        return file

    def delete_version(self, user: User, file_id: str, version_id: str, if_match: str | None) -> None:
        """DELETE /files/:id/versions/:id: the version goes to the trash and still uses space."""
        file = self.items.file(user, file_id)
        permissions.require(user, file, "change")
        self.items.check_match(file, if_match)
        version = self.version(user, file_id, version_id)
        version.trashed, version.trashed_by = self.store.now(), user
        version.restored = version.restored_by = None
        self.store.save(file)

    def restore_version(self, user: User, file_id: str, version_id: str) -> Version:
        """PUT /files/:id/versions/:id with `trashed_at: null`."""
        file = self.items.file(user, file_id)
        permissions.require(user, file, "change")
        version = self.version(user, file_id, version_id)
        version.trashed = version.trashed_by = None
        version.restored, version.restored_by = self.store.now(), user
        self.store.save(file)
        return version

    # --- who reads ---

    def download(self, user: User, file_id: str) -> File:
        """GET /files/:id/content, without the bytes: the event is there."""
        file = self.items.file(user, file_id)
        permissions.require(user, file, "download")
        self.store.events.record(self.store.now(), "download", user, file)
        return file

    def download_by_link(self, file_id: str) -> None:
        """Somebody who is not logged in fetches a file by an open link on it or on a folder above."""
        file = self.store.files.get(file_id)
        if file is None or file.trashed is not None:
            raise not_found("file", file_id)
        item: Item | None = file
        while item is not None and not _is_open(item.shared_link):
            item = item.parent
        if item is None:
            raise forbidden("No open link leads to it")
        self.store.events.record(self.store.now(), "download", None, file)

    # --- inside ---

    def _common(self, user: User, item: Item, body: dict[str, Any]) -> dict[str, Any]:
        apply: dict[str, Any] = {}
        description = text_of(body, "description")
        if description is not None:
            if len(description) > MAX_DESCRIPTION:
                raise bad_request("The description is too long", "description")
            permissions.require(user, item, "change")
            apply["description"] = description
        if body.get("tags") is not None:
            permissions.require(user, item, "change")
            apply["tags"] = _tags(body["tags"])
        if "shared_link" in body:
            permissions.require(user, item, "share")
            apply["shared_link"] = self._shared_link(item, body["shared_link"])
        return apply

    def _apply(self, user: User, item: Item, apply: dict[str, Any]) -> None:
        if not apply:
            return
        old_link = item.shared_link
        for name, value in apply.items():
            setattr(item, name, value)
        item.modified, item.modified_by = self.store.now(), user
        self.items.touch(item)
        kind = "modify"
        if "shared_link" in apply and old_link != item.shared_link:
            kind = _link_event(old_link, item.shared_link)
        elif "lock" in apply:
            kind = "unlock" if apply["lock"] is None else "lock"
        self.store.events.record(item.modified, kind, user, item)

    def _shared_link(self, item: Item, wanted: object) -> dict[str, Any] | None:
        if wanted is None:
            return None
        if not isinstance(wanted, dict):
            raise bad_request("'shared_link' should be an object", "shared_link")
        if item.parent is None:
            raise forbidden()
        access = wanted.get("access") or (item.shared_link or {}).get("access") or "open"
        if access not in _ACCESS:
            raise bad_request("Invalid access", "shared_link.access")
        permissions_wanted = wanted.get("permissions") or {}
        if not isinstance(permissions_wanted, dict):
            raise bad_request("Invalid permissions", "shared_link.permissions")
        download = bool(permissions_wanted.get("can_download", True)) and access != "collaborators"
        old = item.shared_link or {}
        url = old.get("url") or f"https://app.box.com/s/{secrets.token_hex(16)}"
        unshared = wanted.get("unshared_at")
        return {
            "url": url,
            "download_url": None if isinstance(item, Folder) else url.replace("/s/", "/shared/static/"),
            "vanity_url": None,
            "vanity_name": None,
            "access": access,
            "effective_access": access,
            "effective_permission": "can_download" if download else "can_preview",
            "unshared_at": parse_date(unshared, "unshared_at") if unshared is not None else None,
            "permissions": {"can_download": download, "can_preview": True, "can_edit": False},
            "download_count": old.get("download_count", 0),
            "preview_count": old.get("preview_count", 0),
            "password": wanted.get("password") or old.get("password"),
        }

    def _lock(self, user: User, file: File, wanted: object) -> dict[str, Any] | None:
        permissions.require(user, file, "new_version")
        permissions.check_lock(file, user)
        if wanted is None:
            return None
        if not isinstance(wanted, dict) or wanted.get("access", "lock") != "lock":
            raise bad_request("Invalid lock", "lock")
        expires = wanted.get("expires_at")
        return {
            "id": self.store.new_id(),
            "created_by": user,
            "created_at": self.store.now(),
            "expires_at": parse_date(expires, "lock.expires_at") if expires is not None else None,
            "is_download_prevented": bool(wanted.get("is_download_prevented", False)),
        }


def _is_open(link: dict[str, Any] | None) -> bool:
    return link is not None and link["access"] == "open" and link["permissions"]["can_download"]


def _link_event(before: dict[str, Any] | None, after: dict[str, Any] | None) -> str:
    if after is None:
        return "unshare"
    return "share" if before is None else "reshare"


def _tags(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise bad_request("'tags' should be a list of strings", "tags")
    if len(value) > MAX_TAGS:
        raise bad_request("Too many tags", "tags")
    return tuple(value)
