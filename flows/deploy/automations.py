"""The automations of deployments/automations.yaml, as they ship and as people changed them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound

from flows.deploy.options import DEPLOYMENTS, DeployOptions
from flows.errors import PlanError


def register_automations(client: SyncPrefectClient, options: DeployOptions, ui: str) -> Iterator[str]:
    """Make what ships, bring up to date what is there; what would only tell, and has nobody to tell, is not made."""
    block_id = _notification_block(client, options.notify) if options.notify else None
    untold = []
    for entry in yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text(encoding="utf-8")):
        done = _register(client, entry, block_id, ui)
        if done is None:
            untold.append(entry["name"].removeprefix("Boxhaul: "))
        else:
            yield f"automation: {entry['name']}{done}"
    if untold:
        yield f"automations not made, which have nobody to tell (--notify TYPE/NAME): {', '.join(untold)}"


def _register(client: SyncPrefectClient, entry: dict[str, Any], block_id: str | None, ui: str) -> str | None:
    """What was done, as words after its name; None for nothing, since it has nobody to tell."""
    made = automation_of(entry, block_id, ui)
    known = client.read_automations_by_name(entry["name"])
    mended = mended_automation(made, known, entry, ui) if known else made
    for another in known[1:] if mended.actions else known:
        client.delete_automation(another.id)
    if not mended.actions:
        return " taken away, it has nobody to tell: --notify TYPE/NAME" if known else None
    if not known:
        client.create_automation(mended)
        return ""
    if is_the_same(mended, known[0]):
        return " is there"
    client.update_automation(known[0].id, mended)
    return " brought up to date"


def mended_automation(
    made: AutomationCore, known: Sequence[Automation], entry: dict[str, Any], ui: str
) -> AutomationCore:
    """What ships now, in place of what is there: switched off when a person did so, with the actions a person added."""
    ours = {action.type for action in made.actions} | {"do-nothing"}
    actions: list[Any] = list(made.actions)
    for action in known[0].actions:
        is_message = isinstance(action, SendNotification) and action.subject == entry["name"]
        if is_message and "send-notification" not in ours:
            # Through the block that an earlier --notify named.
            actions.append(action.model_copy(update={"body": message_of(entry, ui)}))
        elif not is_message and (action.type not in ours or action.type == "send-notification"):
            actions.append(action)
    return made.model_copy(update={"enabled": all(each.enabled for each in known), "actions": actions})


def is_the_same(mended: AutomationCore, known: Automation) -> bool:
    """Whether an update would change anything; it would forget which runs are being waited for."""
    names = set(AutomationCore.model_fields) - {"owner_resource"}
    # Not as JSON: in that the events of a trigger, which are a set, have another order in each process.
    return mended.model_dump(include=names) == known.model_dump(include=names)


def message_of(entry: dict[str, Any], ui: str) -> str:
    """What a person is told."""
    return str(entry["notify"]).replace("UI_URL", ui)


def automation_of(entry: dict[str, Any], notification_block_id: str | None, ui: str) -> AutomationCore:
    """An entry of automations.yaml as Prefect takes it; `ui` is where the links of its message lead.

    Without any action where it would tell something, and there is no block to tell it through.
    """
    actions: list[dict[str, Any]] = [entry["do"]] if "do" in entry else []
    if "notify" in entry and notification_block_id is not None:
        actions.append(
            {
                "type": "send-notification",
                "block_document_id": notification_block_id,
                "subject": entry["name"],
                "body": message_of(entry, ui),
            }
        )
    return AutomationCore.model_validate(
        {
            "name": entry["name"],
            "description": entry["description"],
            "enabled": True,
            "trigger": entry["trigger"],
            "actions": actions,
        }
    )


def _notification_block(client: SyncPrefectClient, name: str) -> str:
    kind, _, document = name.partition("/")
    try:
        return str(client.read_block_document_by_name(document, kind).id)
    except ObjectNotFound:
        raise PlanError(f"--notify: no block {name} is saved; make it in the UI under Blocks") from None
