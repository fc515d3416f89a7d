"""Writing a plan: the text that `init` makes of five answers, and the schema that an editor completes it by. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flows.plan.model import MigrationPlan

#: The variable that stands for the share's password.
PASSWORD = "SHARE_PASSWORD"  # noqa: S105  (its name)
#: Where the comment line of a plan looks for the schema, beside the plan.
SCHEMA_FILE = "boxhaul.schema.json"
SCHEMA_LINE = f"# yaml-language-server: $schema={SCHEMA_FILE}"

_PLAN = """\
{schema_line}
# `boxhaul init --schema > {schema_file}` lets VS Code complete this file; `boxhaul check` tries what it says.
# What each key means: deployments/reference.md
name: {name}
source:
  url: {url}
{login}box:
  auth: {{method: jwt, config_file: {config_file}}}      # from Box's developer console
  # auth: {{method: ccg, client_id: ..., client_secret: ${{BOX_SECRET}}, enterprise_id: "..."}}
  landing_folder_id: {landing}                  # under which the trees arrive; "0": the service account's own root
{addresses}state_url: {state}            # what was sent and proven; several machines: postgresql+psycopg://...
trees: []                                  # none: each top-level folder is a tree, and nobody is let in. Instead:
#  - source: Accounting
#    folder: Accounting
#    collaborators:
#      - {{login: ann@example.com, role: editor}}
#      - {{group: Finance, role: viewer}}
# exclude: [...]                           # in place of the default: temporary files, and what servers keep themselves
# filters: {{include: ["*.docx"], max_age: 2y}}   # rclone's syntax
# changes: {{moves: follow, deletions: keep}}     # what later passes do
# transfer: {{bandwidth: "08:00,4M 20:00,off"}}   # of all processes together
"""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What `init` asks for."""

    name: str
    url: str
    username: str = ""
    has_password: bool = False
    config_file: str
    landing: str = "0"
    #: False where there is no Box yet, and its file comes later.
    has_box: bool = True
    #: Of a Box that is not Box's own: a sandbox.
    base_url: str = ""
    upload_url: str = ""


def plan_document(answers: Answers) -> dict[str, Any]:
    """Return the plan as a file of it would be read."""
    source: dict[str, Any] = {"url": answers.url}
    if answers.username:
        source["username"] = answers.username
    if answers.has_password:
        source["password"] = f"${{{PASSWORD}}}"
    box: dict[str, Any] = {"auth": {"method": "jwt", "config_file": answers.config_file}}
    box["landing_folder_id"] = answers.landing
    if answers.base_url:
        box |= {"base_url": answers.base_url, "upload_url": answers.upload_url}
    return {"name": answers.name, "source": source, "box": box, "state_url": f"sqlite:///{answers.name}.db"}


def plan_text(answers: Answers) -> str:
    """Return the plan file, commented."""
    login = f"  username: {_scalar(answers.username)}\n" if answers.username else ""
    if answers.has_password:
        login += (
            f"  password: ${{{PASSWORD}}}            # from the environment, or from .env beside this file\n"
        )
    addresses = ""
    if answers.base_url:
        addresses = (
            f"  base_url: {_scalar(answers.base_url)}       # not Box itself: what the configuration file names\n"
            f"  upload_url: {_scalar(answers.upload_url)}\n"
        )
    return _PLAN.format(
        schema_line=SCHEMA_LINE,
        schema_file=SCHEMA_FILE,
        name=_scalar(answers.name),
        url=_scalar(answers.url),
        login=login,
        config_file=_scalar(answers.config_file),
        landing=_scalar(answers.landing),
        addresses=addresses,
        state=_scalar(f"sqlite:///{answers.name}.db"),
    )


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan file."""
    schema = MigrationPlan.model_json_schema()
    schema["properties"].pop("base_dir")  # which the file's own place says
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _scalar(text: str) -> str:
    """A text as YAML takes it, which takes JSON's."""
    return json.dumps(text, ensure_ascii=False)
