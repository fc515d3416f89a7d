"""Makes the OpenAPI document of the sandbox out of Box's: run by hand when Box publishes a new one.

    python tests/integration/sandbox/trim_openapi.py box-openapi.json connectors/box/sandbox/http/openapi.json

Keeps the calls that the sandbox serves, drops prose and examples, and turns OpenAPI 3.0 schemas into JSON Schema.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from connectors.box.sandbox.http.routes.table import Table

NOTICE = (
    "Trimmed from the Box OpenAPI document (https://github.com/box/box-openapi), Copyright Box, Inc., licensed under "
    "the Apache License, Version 2.0 (https://www.apache.org/licenses/LICENSE-2.0). Changes: calls that the sandbox "
    "does not serve, prose and examples are left out; schemas are rewritten as JSON Schema."
)
KEPT = {
    "type", "properties", "items", "required", "enum", "allOf", "anyOf", "oneOf", "additionalProperties", "$ref",
    "nullable", "minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems",
}  # fmt: skip


def convert(schema: Any) -> Any:
    """One schema as JSON Schema: no prose, `nullable` as a type, `oneOf` as `anyOf` (see `openapi.KNOWN_ERRORS`)."""
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": "#/schemas/" + schema["$ref"].rpartition("/")[2]}
    made: dict[str, Any] = {}
    nullable = schema.get("nullable") is True
    for key in KEPT & set(schema) - {"nullable"}:
        value = schema[key]
        if key == "properties":
            made[key] = {name: convert(sub) for name, sub in value.items()}
        elif key in {"allOf", "anyOf", "oneOf"}:
            nullable = nullable or (key == "allOf" and {"nullable": True} in [plain(sub) for sub in value])
            subs = [convert(sub) for sub in value]
            made["anyOf" if key == "oneOf" else key] = [sub for sub in subs if sub] or subs
        elif key in {"items", "additionalProperties"}:
            made[key] = convert(value)
        else:
            made[key] = value
    if made.get("allOf") and len(made) == 1 and len(made["allOf"]) == 1:
        made = made["allOf"][0]
    return {"anyOf": [made, {"type": "null"}]} if nullable and made else made


def plain(schema: Any) -> Any:
    """The schema's rules without prose."""
    return (
        {key: value for key, value in schema.items() if key in KEPT} if isinstance(schema, dict) else schema
    )


def operation(spec: dict[str, Any], path_item: dict[str, Any], method: str) -> dict[str, Any]:
    """Parameters, request body and answers of one call."""
    found = path_item[method]
    parameters = [
        {
            "name": p["name"],
            "in": p["in"],
            "required": p.get("required", False),
            "schema": convert(p.get("schema", {})),
        }
        for p in found.get("parameters", []) + path_item.get("parameters", [])
        if p["in"] != "path"
    ]
    bodies = found.get("requestBody", {}).get("content", {})
    answers = {}
    for status, answer in found["responses"].items():
        content = answer.get("content", {})
        schema = next(iter(content.values()))["schema"] if content else None
        answers[status] = None if schema is None else convert(schema)
    return {
        "parameters": parameters,
        "body": {kind: convert(body["schema"]) for kind, body in bodies.items()},
        "answers": answers,
    }


def references(value: Any) -> set[str]:
    """Names of all schemas that are referred to."""
    return set(re.findall(r'"#/schemas/([^"]+)"', json.dumps(value)))


def main(source: str, target: str) -> None:
    """Write the trimmed document."""
    spec = json.loads(Path(source).read_text())
    served = {route.template for route in Table().routes()} | {"POST /oauth2/token", "POST /oauth2/revoke"}
    operations = {}
    for path, item in spec["paths"].items():
        if "#" in path:
            continue
        for method in set(item) & {"get", "post", "put", "delete", "options", "patch"}:
            template = f"{method.upper()} {re.sub(r'{[^}]+}', ':id', path)}"
            if template in served:
                operations[template] = operation(spec, item, method)
    schemas: dict[str, Any] = {}
    wanted = references(operations)
    while wanted:
        name = wanted.pop()
        schemas[name] = convert(spec["components"]["schemas"][name])
        wanted |= references(schemas[name]) - set(schemas)
    document = {
        "notice": NOTICE,
        "source_version": spec["info"]["version"],
        "operations": dict(sorted(operations.items())),
        "schemas": dict(sorted(schemas.items())),
    }
    Path(target).write_text(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
