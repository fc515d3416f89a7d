"""The form that the Prefect UI makes of a plan: titles, the order of the fields, references where a secret belongs."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue

from flows.plan.secrets import REFERENCE

#: What the form calls a group of fields; it would show the model's name.
FORM_TITLES: Mapping[str, str] = {
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
    "ChangesPlan": "Changes",
    "ArchivePlan": "Archive",
    "FilterPlan": "Filters",
    "NotifyPlan": "Notify",
}


#: What the form asks for first, by the title of its group; other fields follow in the order of their declaration.
FIRST_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Plan": ("name", "source", "box", "trees", "exclude", "transfer", "changes"),
    "Source": ("url", "username", "password"),
    "Box": ("auth", "landing_folder_id", "identities", "limits"),
    "Collaborator": ("login", "group", "role"),
    "Tree": ("source", "folder", "collaborators"),
}


def prepare_form(schema: JsonSchemaValue, handler: GetJsonSchemaHandler) -> None:
    """Number the fields of this model and of those below it, and give secrets the pattern of a reference."""
    schema["title"] = FORM_TITLES.get(schema.get("title", ""), schema.get("title", ""))
    properties = schema.get("properties", {})
    first = FIRST_FIELDS.get(schema["title"], ())
    for position, name in enumerate(dict.fromkeys((*first, *properties))):
        field = properties[name]
        field["position"] = position  # by which Prefect sorts them
        branches = [field, field.get("items", {}), *field.get("anyOf", []), *field.get("oneOf", [])]
        for branch in branches:
            if branch.get("format") == "password":
                branch["pattern"] = f"^{REFERENCE.pattern}$"
            elif "$ref" in branch:
                prepare_form(handler.resolve_ref_schema(branch), handler)
