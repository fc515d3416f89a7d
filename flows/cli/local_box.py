"""The command line of the local Box, and the people and folders of a plan that it may know.

Nothing of the plan is opened, and no secret of it is asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors.box.config import is_loopback
from connectors.box.sandbox import __main__ as local_box

if TYPE_CHECKING:
    from connectors.box.sandbox.enrolment import Enrolment
    from connectors.box.sandbox.server import Sandbox
    from flows.plan.model import MigrationPlan

PASTE = """\
# In {plan}, in place of the same keys below box:
  auth: {{method: jwt, config_file: {config}}}
  base_url: {box.url}
  upload_url: {box.upload_url}
# Ctrl-C ends it; what was sent into it {kept}.
"""


def command_line() -> argparse.ArgumentParser:
    """What may stand on the command line; the reference is written from it."""
    parser = local_box.command_line()
    parser.add_argument(
        "--plan",
        type=Path,
        help="know the people, groups, identities and landing folder of this plan, take the port that its base_url "
        "names, and print the lines to paste into it",
    )
    return parser


def serve(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT. PlanError for a plan that cannot be read."""
    parser = command_line()
    parser.set_defaults(port=None)
    options = parser.parse_args(arguments)
    if options.plan is None:
        options.port = options.port or 0
        local_box.serve(parser, options)
        return
    plan = _plan_of(options.plan)
    options.port = options.port if options.port is not None else _port_of(plan)
    options.config = options.config or options.plan.with_suffix(".sandbox.json")

    def prepare(box: Sandbox) -> str:
        box.enrol(enrolment_of(plan))
        config = options.config
        beside = config.resolve().parent == options.plan.resolve().parent
        kept = f"stays in {options.data}" if options.data else "is gone then, unless --data names a folder"
        shown = config.name if beside else config.resolve()
        return PASTE.format(plan=options.plan, config=shown, box=box, kept=kept)

    local_box.serve(parser, options, prepare)


def _plan_of(path: Path) -> MigrationPlan:
    from flows.plan.file import load_plan

    return load_plan(path, without_secrets)


def without_secrets(document: dict[str, Any]) -> dict[str, Any]:
    """Return a plan's document with nothing in it that only the share, Box or the checkpoint are asked with."""
    changed = {**document, "state_url": "sqlite:////nowhere/at-all.db"}
    changed.pop("notify", None)
    if isinstance(source := document.get("source"), dict):
        changed["source"] = {"url": source.get("url")}
    if isinstance(box := document.get("box"), dict):
        changed["box"] = {**box, "auth": {"method": "block", "name": "none"}}
    if isinstance(trees := document.get("trees"), list):
        changed["trees"] = [_unpublished(tree) for tree in trees]
    return changed


def _unpublished(tree: Any) -> Any:
    if not isinstance(tree, Mapping):
        return tree
    return {key: value for key, value in tree.items() if key != "shared_link"}


def _port_of(plan: MigrationPlan) -> int:
    """The port of the local Box that the plan names already; 0 for a free one."""
    address = urlsplit(plan.box.base_url)
    return (address.port or 0) if is_loopback(address.hostname or "") else 0


def enrolment_of(plan: MigrationPlan) -> Enrolment:
    """Who and what the plan takes for granted. App users and groups that it makes itself are not among them."""
    from connectors.box.sandbox.enrolment import Enrolment

    people = [person for tree in plan.trees for person in tree.collaborators]
    landing = plan.box.landing_folder_id
    return Enrolment(
        logins=tuple(dict.fromkeys(person.login for person in people if person.login)),
        users={person.user_id: f"User {person.user_id}" for person in people if person.user_id},
        app_users={each: f"Uploader {each}" for each in plan.box.identities},
        groups=tuple(dict.fromkeys(person.group for person in people if person.group and not person.create)),
        group_ids={person.group_id: f"Group {person.group_id}" for person in people if person.group_id},
        folders={landing: f"Landing folder {landing}"} if landing != "0" else {},
    )
