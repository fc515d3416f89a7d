"""The form that the Prefect UI makes of a plan: titles, the order of the fields, references where a secret belongs.

Fields stand in the form in the order in which the models (model.py) declare them; `position` tells Prefect so.
"""

from __future__ import annotations

from pydantic import (
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue

from flows.plan.secrets import REFERENCE

#: What the form calls a group of fields; it would show the model's name.
FORM_TITLES = {
    "MigrationPlan": "Plan",
    "SourcePlan": "Source",
    "BoxConfig": "Box",
    "UploadLimits": "Limits",
    "JWTAuthConfig": "key file",
    "CCGAuthConfig": "client credentials",
    "BlockAuthConfig": "saved block",
    "CollaboratorPlan": "Collaborator",
    "TreePlan": "Tree",
    "TransferOptions": "Transfer",
}


def prepare_form(schema: JsonSchemaValue, handler: GetJsonSchemaHandler) -> None:
    """Number the fields of this model and of those below it, and give secrets the pattern of a reference."""
    schema["title"] = FORM_TITLES.get(schema.get("title", ""), schema.get("title", ""))
    for position, field in enumerate(schema.get("properties", {}).values()):
        field["position"] = position
        branches = [field, field.get("items", {}), *field.get("anyOf", []), *field.get("oneOf", [])]
        for branch in branches:
            if branch.get("format") == "password":
                branch["pattern"] = f"^{REFERENCE.pattern}$"
            elif "$ref" in branch:
                prepare_form(handler.resolve_ref_schema(branch), handler)
