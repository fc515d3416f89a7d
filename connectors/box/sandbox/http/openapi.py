"""Checks requests and answers against Box's OpenAPI document, of which `openapi.json` holds the served part.

Where the document itself is wrong, `KNOWN_ERRORS` says so and the check follows Box instead.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from connectors.box.sandbox.control.observe import Violation
from connectors.box.sandbox.wire import Request, Response, parse_number

DOCUMENT = Path(__file__).with_name("openapi.json")

#: Errors of the document → why the check does not follow it.
KNOWN_ERRORS = {
    "oneOf": "Event sources and other unions match several branches, as most properties are optional: anyOf is meant.",
    "ClientError.code": "The enumeration lacks most codes that Box's own pages list (storage_limit_exceeded, ...).",
    "ClientError.context_info": "conflicts is one object for files and an array for folders, not always an array.",
    "required": "Required names without a property (accessed of shared links, type of locks) cannot be meant.",
    "Collaboration.accessible_by": "null for pending invitations, though not declared so.",
    "tags": "An item without tags has an empty list, though at least one is declared.",
    "GET metadata 201": "A read is declared to answer 201, for one of the two kinds of items.",
    "Metadata": "Instances carry the template's own keys, in lists as well.",
    "PUT shared_link": "null, which removes the link, is declared under another fragment of the same path.",
    "GET /shared_items": "The folder's shape stands under another fragment of the same path.",
    "upload_session_id": "A parameter of the address that a preflight gives, not declared for the upload itself.",
    "Event.session_id": "null for events outside a web session.",
    "User--Full.external_app_user_id": "null or empty for users without one.",
    "File--Full.classification": "null for items without one; the property is not declared nullable.",
    "PUT /files/:id content_modified_at": "accepted by Box, used by clients for years, not declared.",
    "PUT /files/:id content_created_at": "as content_modified_at.",
    "POST /files/upload_sessions/:id/commit attributes": "in Box's guide and older SDKs, not declared.",
    "UploadSession.plan": "newer than this copy of the document.",
    "Collaboration.accessible_by.is_active": "sent by Box for users, declared in User--Collaborations only.",
    "POST /files/upload_sessions/:id/commit 202": "the answer has no body, though a schema may be declared.",
    "GET /folders/trash/items order": "trash pages are declared as Items with an order nobody documents.",
    "401, 403": "Refusals that a WWW-Authenticate header explains come without the body that is declared.",
    "limit": "One above the declared maximum is taken for the maximum.",
    "booleans": "SDKs send True and False; the document means true and false.",
}

#: Keys that a request may carry although the document does not have them.
_EXTRA_REQUEST = {
    "PUT /files/:id": {"content_modified_at", "content_created_at"},
    "POST /files/upload_sessions/:id/commit": {"attributes"},
}
#: Keys that an answer may carry although the document does not have them.
_EXTRA_ANSWER = {"session_endpoints", "ip_address", "can_view_path", "is_active"}


class Validator:
    """Validates one call at a time; needs the jsonschema_rs package, which only the tests require."""

    def __init__(self) -> None:
        self._library = importlib.import_module("jsonschema_rs")
        document = _mended(json.loads(DOCUMENT.read_text()))
        self._operations: dict[str, Any] = document["operations"]
        self._schemas: dict[str, Any] = document["schemas"]
        #: By the identity of a schema; schemas live as long as the document.
        self._validators: dict[int, Any] = {}

    def check(self, request: Request, response: Response) -> Iterator[Violation]:
        """What does not fit: kind "request" for refused requests, "lenient" for accepted ones, "answer"."""
        operation = self._operations.get(request.route)
        if operation is None:
            return
        kind = "lenient" if response.status < 400 else "request"
        for message in self._check_request(request, operation):
            yield Violation(request.route, kind, message)
        for message in self._check_answer(request.route, response, operation["answers"]):
            yield Violation(request.route, "answer", f"{response.status}: {message}")

    # --- requests ---

    def _check_request(self, request: Request, operation: dict[str, Any]) -> Iterator[str]:
        query = request.query
        known = {p["name"]: p for p in operation["parameters"] if p["in"] == "query"}
        for name, text in query.items():
            if name == "upload_session_id":
                continue
            if name not in known:
                yield f"unknown query parameter {name!r}"
            else:
                schema = known[name]["schema"]
                yield from self._errors(f"query {name}", schema, _typed(text, schema))
        for parameter in operation["parameters"]:
            present = query if parameter["in"] == "query" else request.headers
            name = parameter["name"]
            if parameter["required"] and name not in present and name.encode() not in present:
                yield f"{parameter['in']} parameter {name!r} is missing"
        yield from self._check_body(request, operation["body"])

    def _check_body(self, request: Request, bodies: dict[str, Any]) -> Iterator[str]:
        kind = (request.header(b"content-type") or "").partition(";")[0].strip()
        if not request.size:
            return
        schema = bodies.get(kind)
        if schema is None:
            yield f"a body of type {kind!r} is not declared"
            return
        if kind == "application/x-www-form-urlencoded":
            yield from self._errors(
                "form", schema, dict(parse_qsl(request.body().decode("utf-8", "replace")))
            )
        elif kind.startswith("application/json"):
            try:
                value = json.loads(request.body())
            except ValueError as error:
                yield f"the body is no JSON: {error}"
                return
            yield from self._errors("body", schema, value)
            yield from self._unknown(schema, value, _EXTRA_REQUEST.get(request.route, set()), "body")

    # --- answers ---

    def _check_answer(self, route: str, response: Response, answers: dict[str, Any]) -> Iterator[str]:
        if response.stream is not None or response.status in {202, 304}:
            return
        declared = answers.get(str(response.status), answers.get("default", False))
        if declared is False:
            yield "the status is not declared"
        elif declared is None or not response.body:
            if response.body and response.status < 400:
                yield "a body where none is declared"
            elif declared is not None and response.status not in {401, 403}:
                yield "no body where one is declared"
        elif _is_json(response):
            value = json.loads(response.body)
            yield from self._errors("answer", declared, value)
            yield from self._unknown(declared, value, _EXTRA_ANSWER, "answer")

    # --- schemas ---

    def _errors(self, what: str, schema: Any, value: Any) -> Iterator[str]:
        validator = self._validators.get(id(schema))
        if validator is None:
            root = {"schemas": self._schemas, "allOf": [schema]}
            validator = self._validators[id(schema)] = self._library.Draft202012Validator(root)
        for error in validator.iter_errors(value):
            path = ".".join(str(step) for step in error.instance_path)
            yield f"{what} {path}: {error.message[:200]}"

    def _unknown(self, schema: Any, value: Any, extra: set[str], what: str) -> Iterator[str]:
        """Top-level keys, and keys of entries, that no branch of the schema declares."""
        names, is_open = self._names(schema)
        if not isinstance(value, dict) or is_open:
            return
        for key in sorted(set(value) - names.keys() - extra):
            yield f"{what}: unknown key {key!r}"
        entries, items = value.get("entries"), names.get("entries", {}).get("items")
        if isinstance(entries, list) and items is not None:
            for entry in entries[:20]:
                yield from self._unknown(items, entry, extra, "entry")

    def _names(self, schema: Any) -> tuple[dict[str, Any], bool]:
        """(property → schema, open): all properties of all branches, and whether any others are allowed."""
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        names = dict(schema.get("properties", {}))
        is_open = "additionalProperties" in schema
        for branch in (*schema.get("allOf", ()), *schema.get("anyOf", ())):
            more, also_open = self._names(branch)
            names |= more
            is_open = is_open or also_open
        return names, is_open


def _mended(document: dict[str, Any]) -> dict[str, Any]:
    """The document without its own errors."""
    schemas = document["schemas"]
    schemas["ClientError"]["properties"]["code"] = {"type": "string"}
    schemas["ClientError"]["properties"]["context_info"] = {"type": ["object", "null"]}
    schemas["ConflictError"] = {"$ref": "#/schemas/ClientError"}
    grantee = schemas["Collaboration"]["properties"]["accessible_by"]
    schemas["Collaboration"]["properties"]["accessible_by"] = {"anyOf": [grantee, {"type": "null"}]}
    schemas["Metadata--Base"]["additionalProperties"] = {}
    schemas["Event"]["properties"]["session_id"] = {"type": ["string", "null"]}
    found = document["operations"]["GET /shared_items"]["answers"]
    found["200"] = {"anyOf": [found["200"], {"$ref": "#/schemas/Folder--Full"}]}
    for kind in ("files", "folders"):
        read = document["operations"][f"GET /{kind}/:id/metadata/:id/:id"]["answers"]
        read.setdefault("200", read.get("201"))
    for route in ("PUT /files/:id", "PUT /folders/:id"):
        body = document["operations"][route]["body"]["application/json"]["properties"]
        body["shared_link"] = {"anyOf": [body["shared_link"], {"type": "null"}]}
    for name in ("File--Full", "Folder--Full"):
        for schema in _walk(schemas[name]):
            if isinstance(schema.get("tags"), dict):
                schema["tags"] = {"type": "array", "items": {"type": "string"}}
    for operation in document["operations"].values():
        for parameter in operation["parameters"]:
            if parameter["name"] == "limit":
                parameter["schema"].pop("maximum", None)
    for schema in _walk(document):
        properties = schema.get("properties")
        if not isinstance(properties, dict) or "type" in properties.get("required", {}):
            continue
        if isinstance(schema.get("required"), list):
            schema["required"] = [name for name in schema["required"] if name in properties]
        if "is_associated_with_app_item" in properties:
            properties["classification"] = {"anyOf": [properties["classification"], {"type": "null"}]}
    return document


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def _typed(text: str, schema: dict[str, Any]) -> Any:
    kind = schema.get("type")
    if kind == "integer" and (number := parse_number(text)) is not None:
        return number
    if kind == "boolean" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return text.split(",") if kind == "array" else text


def _is_json(response: Response) -> bool:
    return any(name == b"content-type" and value == b"application/json" for name, value in response.headers)
