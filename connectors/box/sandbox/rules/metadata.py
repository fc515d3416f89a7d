"""Metadata templates and instances on files and folders (box.md §9). No cascade policies, no queries.

Readings chosen: the service account may not make templates unless a setting says so; a second template of the
same key answers 409 conflict; instances of unknown templates answer 404.
"""

from __future__ import annotations

import copy
import re
import secrets
import uuid
from typing import Any

from connectors.box.sandbox.errors import (
    BoxError,
    MetadataError,
    bad_request,
    forbidden,
    insufficient_scope,
    missing,
    not_found,
)
from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.items import Items
from connectors.box.sandbox.store.records import Item, User
from connectors.box.sandbox.store.store import Store
from connectors.box.sandbox.wire import text_of

MAX_INSTANCES = 100
MAX_TEMPLATES = 500
_KEY = re.compile(r"[a-zA-Z_][-a-zA-Z0-9_]{0,63}", re.ASCII)
_TYPES = {"string", "float", "date", "enum", "multiSelect"}


class Metadata:
    """The rules of metadata. Instances live on the item, keyed `scope.template`."""

    def __init__(self, store: Store, items: Items) -> None:
        self.store = store
        self.items = items

    @property
    def scope(self) -> str:
        """The enterprise's full scope name."""
        return f"enterprise_{self.store.enterprise_id}"

    # --- templates ---

    def create_template(self, actor: User, body: dict[str, Any]) -> dict[str, Any]:
        """POST /metadata_templates/schema."""
        service = actor.kind == "service" and not self.store.settings.service_account_may_create_templates
        if actor.kind not in {"admin", "service"} or service:
            raise forbidden()
        if body.get("scope") not in {"enterprise", self.scope}:
            raise bad_request("Invalid scope", "scope")
        name = text_of(body, "displayName")
        if not name:
            raise missing("displayName")
        key = text_of(body, "templateKey") or re.sub(r"[^a-zA-Z0-9_]", "", name)
        if not _KEY.fullmatch(key):
            raise bad_request("Invalid templateKey", "templateKey")
        if key in self.store.templates:
            raise BoxError(409, "conflict", "A template with the same key already exists")
        if len(self.store.templates) >= MAX_TEMPLATES:
            raise bad_request("Too many templates")
        template = {
            "id": str(uuid.uuid4()),
            "type": "metadata_template",
            "scope": self.scope,
            "templateKey": key,
            "displayName": name,
            "hidden": bool(body.get("hidden", False)),
            "copyInstanceOnItemCopy": bool(body.get("copyInstanceOnItemCopy", False)),
            "fields": [_field(value) for value in body.get("fields") or ()],
        }
        self.store.templates[key] = template
        self.store.save(("template", key, template))
        return template

    def template(self, scope: str, key: str) -> dict[str, Any]:
        """A template; 404 when there is none."""
        found = self.store.templates.get(key) if scope in {"enterprise", self.scope} else None
        if found is None:
            raise not_found("template", f"{scope}.{key}")
        return found

    def delete_template(self, actor: User, scope: str, key: str) -> None:
        """DELETE …/schema: its instances go with it."""
        if actor.kind != "admin" and not self.store.settings.service_account_may_create_templates:
            raise forbidden()
        self.template(scope, key)
        del self.store.templates[key]
        self.store.drop(("template", key, None))
        for item in self.store.items():
            if item.metadata and item.metadata.pop(f"{self.scope}.{key}", None) is not None:
                self.store.save(item)

    # --- instances ---

    def instances(self, user: User, item: Item) -> list[dict[str, Any]]:
        """All instances on the item, as the list answers them."""
        permissions.require(user, item, "list")
        return [_public(instance) for instance in (item.metadata or {}).values()]

    def get(self, user: User, item: Item, scope: str, key: str) -> dict[str, Any]:
        """One instance; 404 instance_tuple_not_found when the item has none."""
        permissions.require(user, item, "list")
        return self._instance(item, scope, key)

    def create(self, user: User, item: Item, scope: str, key: str, values: dict[str, Any]) -> dict[str, Any]:
        """POST: 409 tuple_already_exists when there is one, 400 schema_validation_failed for wrong values."""
        if self.store.settings.limited_access_app:
            raise insufficient_scope()
        permissions.require(user, item, "metadata")
        full = self._full_scope(scope)
        self._check_values(full, key, values)
        known = item.metadata or {}
        if f"{full}.{key}" in known:
            raise MetadataError(409, "tuple_already_exists", "Instance already exists")
        if len(known) >= MAX_INSTANCES:
            raise bad_request("Too many metadata instances on the item")
        instance = {
            "$id": str(uuid.uuid4()),
            "$type": "properties" if key == "properties" else f"{key}-{secrets.token_hex(8)}",
            "$parent": f"{item.kind}_{item.id}",
            "$scope": full,
            "$template": key,
            "$version": 0,
            "$typeVersion": 0,
            "$canEdit": True,
            **values,
        }
        item.metadata = {**known, f"{full}.{key}": instance}
        self.store.save(item)
        self.store.events.record(self.store.now(), "metadata_create", user, item)
        return instance

    def patch(self, user: User, item: Item, scope: str, key: str, operations: object) -> dict[str, Any]:
        """PUT with JSON Patch; all operations are done or none."""
        permissions.require(user, item, "metadata")
        instance = self._instance(item, scope, key)
        if not isinstance(operations, list):
            raise bad_request("The body should be a list of operations")
        changed = copy.deepcopy(instance)
        for operation in operations:
            _apply(changed, operation)
        values = {name: value for name, value in changed.items() if not name.startswith("$")}
        full = self._full_scope(scope)
        self._check_values(full, key, values)
        changed["$version"] += 1
        item.metadata = {**(item.metadata or {}), f"{full}.{key}": changed}
        self.store.save(item)
        self.store.events.record(self.store.now(), "metadata_update", user, item)
        return changed

    def delete(self, user: User, item: Item, scope: str, key: str) -> None:
        """DELETE an instance."""
        permissions.require(user, item, "metadata")
        self._instance(item, scope, key)
        rest = dict(item.metadata or {})
        del rest[f"{self._full_scope(scope)}.{key}"]
        item.metadata = rest or None
        self.store.save(item)
        self.store.events.record(self.store.now(), "metadata_delete", user, item)

    # --- inside ---

    def _full_scope(self, scope: str) -> str:
        if scope in {"enterprise", self.scope}:
            return self.scope
        if scope == "global":
            return scope
        raise not_found("scope", scope)

    def _instance(self, item: Item, scope: str, key: str) -> dict[str, Any]:
        instance = (item.metadata or {}).get(f"{self._full_scope(scope)}.{key}")
        if instance is None:
            raise MetadataError(404, "instance_tuple_not_found", "Instance or template not found")
        return instance

    def _check_values(self, scope: str, key: str, values: dict[str, Any]) -> None:
        if scope == "global":
            if key != "properties":
                raise not_found("template", f"{scope}.{key}")
            # The free-form template takes strings only.
            if not all(isinstance(value, str) for value in values.values()):
                raise _schema_failed("Values of global.properties are strings")
            return
        known = {field["key"]: field for field in self.template(scope, key)["fields"]}
        for name, value in values.items():
            if name not in known:
                raise _schema_failed(f"Unknown field '{name}'")
            if not _fits(known[name], value):
                raise _schema_failed(f"Wrong value for '{name}'")


def _field(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or value.get("type") not in _TYPES:
        raise bad_request("Invalid field", "fields")
    key, name = value.get("key"), value.get("displayName")
    if not isinstance(key, str) or not key or not isinstance(name, str):
        raise bad_request("A field needs key and displayName", "fields")
    field = {"id": str(uuid.uuid4()), "type": value["type"], "key": key, "displayName": name, "hidden": False}
    if value["type"] in {"enum", "multiSelect"}:
        field["options"] = [{"id": str(uuid.uuid4()), "key": o["key"]} for o in value.get("options") or ()]
    return field


def _fits(field: dict[str, Any], value: object) -> bool:
    options = {option["key"] for option in field.get("options", ())}
    if field["type"] == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if field["type"] == "multiSelect":
        return isinstance(value, list) and all(v in options for v in value)
    if field["type"] == "enum":
        return value in options
    return isinstance(value, str)


def _apply(instance: dict[str, Any], operation: object) -> None:
    """One JSON Patch operation on a flat object; 400 when it does not apply."""
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise bad_request("Each operation needs op and path")
    name = operation["path"].removeprefix("/").replace("~1", "/").replace("~0", "~")
    kind = operation.get("op")
    if name.startswith("$") or not name:
        raise bad_request("This path cannot be changed", "path")
    if kind == "add":
        instance[name] = operation.get("value")
        return
    if name not in instance:
        raise bad_request(f"'{name}' does not exist", "path")
    if kind == "replace":
        instance[name] = operation.get("value")
    elif kind == "remove":
        del instance[name]
    elif kind == "test":
        if instance[name] != operation.get("value"):
            raise bad_request(f"'{name}' has another value", "path")
    else:
        raise bad_request("Unknown operation", "op")


def _public(instance: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in instance.items()
        if name not in {"$type", "$typeVersion", "$canEdit", "$id"}
    }


def _schema_failed(message: str) -> MetadataError:
    return MetadataError(400, "schema_validation_failed", message)
