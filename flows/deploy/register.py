"""deploy_plan: make a plan ready for the Prefect UI: blocks, work pool, deployments, automations. Runs nothing.

Everything it writes to Prefect is written again the next time; what a person switched on stays on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_HOME,
    get_current_settings,
    temporary_settings,
)
from pydantic import HttpUrl

from connectors.box.config import BlockAuthConfig
from flows.errors import PlanError
from flows.plan.blocks import BLOCK_TYPES, MigrationPlanBlock, ShareCredentials, account_block, block_name
from flows.plan.model import MigrationPlan, reveal, reveal_all

#: Beside this package in a checkout.
DEPLOYMENTS = Path(__file__).parents[2] / "deployments"

WORK_POOL = "boxhaul"

#: Where a server that was started here listens.
LOCAL_API_URL = "http://127.0.0.1:4200/api"

#: Flows whose parameter is a saved plan; the others take the plan itself.
TAKES_BLOCK = ("flows.run_plan.run_plan",)

#: Deployments that serve every plan and are registered without one.
FOR_EVERY_PLAN = ("flows.send.send_share",)

#: The first start of a server makes its database.
START_SECONDS = 90.0


@dataclass(frozen=True, kw_only=True)
class DeployOptions:
    """What a person may say about deploying."""

    prefect_file: Path = DEPLOYMENTS / "prefect.yaml"
    #: Start a server on this machine when none answers.
    start: bool = False
    #: Appended to the names of the deployments, for a second plan on the same server.
    suffix: str = ""
    #: Notification block, as "type/name", that the automations use.
    notify: str = ""


def deploy_plan(plan: MigrationPlan, options: DeployOptions) -> Iterator[str]:
    """Register it all; one line for each thing done. PlanError says what to do when the server is not there."""
    url = PREFECT_API_URL.value() or LOCAL_API_URL
    with temporary_settings({PREFECT_API_URL: url}):
        yield from _ensure_server(url, options)
        with _admitted(url), get_client(sync_client=True) as client:
            yield _ensure_work_pool(client)
            saved = save_plan(plan, ui_url(url))
            yield from _blocks_words(saved)
            documents = yaml.safe_load(options.prefect_file.read_text(encoding="utf-8"))
            filled = fill_in(documents, saved, suffix=options.suffix)
            _refuse_another_plan(client, filled, plan)
            _keep_what_people_set(client, filled)
            yield from _prefect_deploy(filled, url)
            _choose_plan(client, filled, saved)
            yield from _automations(client, options, ui_url(url))
    yield f"UI: {ui_url(url)}/deployments"


def ui_url(api_url: str) -> str:
    """Where a person looks."""
    parts = urlsplit(api_url)
    return f"{parts.scheme}://{parts.netloc}"


# --- server and pool ---


def _ensure_server(url: str, options: DeployOptions) -> Iterator[str]:
    if _answers(url):
        return
    if not options.start:
        raise PlanError(
            f"no Prefect server answers at {url}; start one with `boxhaul deploy PLAN --start`,"
            " or set PREFECT_API_URL to the address of yours"
        )
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost"):
        raise PlanError(f"{url} is not on this machine; start the server there")
    log = PREFECT_HOME.value() / "boxhaul-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | read_settings(DEPLOYMENTS / "server.env")
    environment["PREFECT_SERVER_API_PORT"] = str(urlsplit(url).port or 80)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise PlanError(f"the Prefect server did not start; see {log}")
        time.sleep(0.5)
    yield f"server: started at {ui_url(url)}, process {process.pid}, log {log}"
    settings = read_settings(DEPLOYMENTS / "worker.env") | {"PREFECT_API_URL": url}
    command = [sys.executable, "-m", "prefect", "config", "set"]
    _run([*command, *(f"{name}={value}" for name, value in settings.items() if name != "DO_NOT_TRACK")], url)
    yield "profile: the settings of deployments/worker.env are in Prefect's active profile now"


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def _admitted(url: str) -> Iterator[None]:
    """A server that asks for a password and gets none, or another one: a plan cannot mend it, a variable does."""
    try:
        yield
    except PrefectHTTPStatusError as exc:
        if exc.response.status_code not in (401, 403):
            raise
        given = (
            "does not admit"
            if get_current_settings().api.auth_string
            else "asks for a password and got none from"
        )
        raise PlanError(
            f"the Prefect server at {url} {given} this process: set PREFECT_API_AUTH_STRING"
            " to the value that PREFECT_SERVER_API_AUTH_STRING has on the server"
        ) from None


def read_settings(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of an environment file."""
    lines = (line.split("  #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _ensure_work_pool(client: SyncPrefectClient) -> str:
    try:
        client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"))
        return f"work pool: {WORK_POOL} made"
    return f"work pool: {WORK_POOL} is there"


# --- blocks ---


@dataclass(frozen=True, kw_only=True)
class SavedPlan:
    """A plan whose credentials are blocks, and the block that holds it, as "type/name" and by its id."""

    plan: MigrationPlan
    slug: str
    document_id: str
    blocks: tuple[str, ...]


def save_plan(plan: MigrationPlan, ui: str) -> SavedPlan:
    """Save the plan as a block and its credentials as blocks of the same name; the plan then names those."""
    for key in plan.written_secrets():
        if key != "source.password" and not key.startswith("box.auth."):  # those become blocks
            raise PlanError(f"{key}: no secret in a plan that Prefect keeps; write it as ${{NAME}}")
    for kind in BLOCK_TYPES:
        # An icon that this very server has: no page of it asks another one.
        kind._logo_url = HttpUrl(f"{ui}/v2/ico/android-chrome-192x192.png")
        kind.register_type_and_schema()
    name = block_name(plan.name)
    made = []
    box, source = plan.box, plan.source
    if not isinstance(box.auth, BlockAuthConfig):
        account_block(reveal_all(box, key="box").auth, plan.base_dir).save(name, overwrite=True)
        box = box.model_copy(update={"auth": BlockAuthConfig(method="block", name=name)})
        made.append(f"{account_slug()}/{name}")
    if source.password is not None:
        password = reveal(source.password, key="source.password") or ""
        ShareCredentials(username=source.username, password=password).save(name, overwrite=True)
        source = source.model_copy(update={"username": "", "password": None, "credentials_block": name})
        made.append(f"{ShareCredentials.get_block_type_slug()}/{name}")
    saved = plan.model_copy(update={"box": box, "source": source})
    document_id = str(MigrationPlanBlock(plan=saved).save(name, overwrite=True))
    slug = f"{MigrationPlanBlock.get_block_type_slug()}/{name}"
    return SavedPlan(plan=saved, slug=slug, document_id=document_id, blocks=(*made, slug))


def account_slug() -> str:
    """Slug of the block type with Box credentials."""
    return BLOCK_TYPES[0].get_block_type_slug()


def _blocks_words(saved: SavedPlan) -> Iterator[str]:
    for block in saved.blocks:
        yield f"block: {block} saved"
    if get_current_settings().api.auth_string is None:
        yield (
            "warning: whoever reaches this server's API can read the secrets in its blocks; keep it on 127.0.0.1,"
            " or set an auth string (deployments/server.env)"
        )


# --- deployments ---


def fill_in(document: dict[str, Any], saved: SavedPlan, *, suffix: str) -> dict[str, Any]:
    """The deployments of prefect.yaml with this plan as their default; a suffix keeps two plans apart."""
    deployments = []
    for deployment in document["deployments"]:
        filled = dict(deployment)
        if deployment["entrypoint"] not in FOR_EVERY_PLAN:
            takes_block = deployment["entrypoint"] in TAKES_BLOCK
            reference = {"$ref": {"block_document_slug": saved.slug}}
            plan = reference if takes_block else saved.plan.model_dump(mode="json")
            filled["parameters"] = {**deployment.get("parameters", {}), "plan": plan}
            filled["tags"] = [*deployment.get("tags", []), plan_tag(saved.plan)]
            filled["name"] = deployment["name"] + (f"-{suffix}" if suffix else "")
        deployments.append(filled)
    return {
        **{key: value for key, value in document.items() if key != "definitions"},
        "deployments": deployments,
    }


def plan_tag(plan: MigrationPlan) -> str:
    """The tag of everything that belongs to this plan."""
    return f"plan:{block_name(plan.name)}"


def flow_name(entrypoint: str) -> str:
    """The flow's name as Prefect infers it from the function."""
    return entrypoint.rpartition(".")[2].replace("_", "-")


def _full_name(deployment: dict[str, Any]) -> str:
    return f"{flow_name(deployment['entrypoint'])}/{deployment['name']}"


def _known(client: SyncPrefectClient, deployment: dict[str, Any]) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(_full_name(deployment))
    except ObjectNotFound:
        return None


def _refuse_another_plan(client: SyncPrefectClient, document: dict[str, Any], plan: MigrationPlan) -> None:
    for deployment in document["deployments"]:
        known = _known(client, deployment)
        tags = known.tags or [] if known is not None else []
        others = [tag for tag in tags if tag.startswith("plan:") and tag != plan_tag(plan)]
        if others:
            raise PlanError(
                f"the deployment {_full_name(deployment)} belongs to {others[0]};"
                f" for another plan on this server use --suffix {block_name(plan.name)}"
            )


def _keep_what_people_set(client: SyncPrefectClient, document: dict[str, Any]) -> None:
    for deployment in document["deployments"]:
        known = _known(client, deployment)
        if known is not None:
            keep_what_people_set(deployment, known)


def keep_what_people_set(deployment: dict[str, Any], known: DeploymentResponse) -> None:
    """Carry over what somebody chose in the UI: schedules, the pause, and every parameter but the plan.

    Registering again would set them back to what the file says. A file without schedules leaves them as they are.
    """
    if known.schedules:
        deployment.pop("schedules", None)
    if known.paused:
        deployment["paused"] = True
    module, _, function = deployment["entrypoint"].rpartition(".")
    parameters = getattr(import_module(module), function).parameters.properties
    chosen = {
        name: value for name, value in known.parameters.items() if name in parameters and name != "plan"
    }
    if chosen:
        deployment["parameters"] = {**deployment.get("parameters", {}), **chosen}


def _prefect_deploy(document: dict[str, Any], url: str) -> Iterator[str]:
    """Hand the filled-in file to Prefect's own command, so that it means what it means there."""
    with tempfile.TemporaryDirectory(prefix="boxhaul-deploy-") as folder:
        path = Path(folder) / "prefect.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        _run(
            [sys.executable, "-m", "prefect", "deploy", "--prefect-file", str(path), "--all", "--no-prompt"],
            url,
        )
    for deployment in document["deployments"]:
        yield f"deployment: {_full_name(deployment)}"


def _choose_plan(client: SyncPrefectClient, document: dict[str, Any], saved: SavedPlan) -> None:
    """The form's picker shows a default only by id, and `prefect deploy` would put in its place what it holds."""
    for deployment in document["deployments"]:
        if deployment["entrypoint"] in TAKES_BLOCK:
            known = client.read_deployment_by_name(_full_name(deployment))
            chosen = {"plan": {"$ref": {"block_document_id": saved.document_id}}}
            client.update_deployment(known.id, DeploymentUpdate(parameters={**known.parameters, **chosen}))


def _run(command: list[str], url: str) -> None:
    done = subprocess.run(  # noqa: S603  our own interpreter
        command,
        env={**os.environ, "PREFECT_API_URL": url, "NO_COLOR": "1"},
        # In a checkout that is not installed the modules are found here.
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise PlanError(f"{' '.join(command[1:4])} failed: {(done.stderr + done.stdout).strip()[-800:]}")


# --- automations ---


def _automations(client: SyncPrefectClient, options: DeployOptions, ui: str) -> Iterator[str]:
    block_id = _notification_block(client, options.notify) if options.notify else None
    for entry in yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text(encoding="utf-8")):
        made = automation_of(entry, block_id, ui)
        known = client.read_automations_by_name(entry["name"])
        if not known:
            client.create_automation(made)
            yield f"automation: {entry['name']}"
            continue
        mended = mended_automation(made, known, entry, ui)
        for another in known[1:]:
            client.delete_automation(another.id)
        if is_the_same(mended, known[0]):
            yield f"automation: {entry['name']} is there"
            continue
        client.update_automation(known[0].id, mended)
        yield f"automation: {entry['name']} brought up to date"


def mended_automation(
    made: AutomationCore, known: Sequence[Automation], entry: dict[str, Any], ui: str
) -> AutomationCore:
    """What ships now, in place of what is there: switched off when a person did so, with the actions a person added."""
    ours = {action.type for action in made.actions} | {"do-nothing"}
    actions: list[Any] = [action for action in made.actions if action.type != "do-nothing"]
    for action in known[0].actions:
        is_message = action.type == "send-notification" and action.subject == entry["name"]
        if is_message and "send-notification" not in ours:
            # Through the block that an earlier --notify named.
            actions.append(action.model_copy(update={"body": message_of(entry, ui)}))
        elif not is_message and (action.type not in ours or action.type == "send-notification"):
            actions.append(action)
    return made.model_copy(
        update={"enabled": all(each.enabled for each in known), "actions": actions or made.actions}
    )


def is_the_same(mended: AutomationCore, known: Automation) -> bool:
    """Whether an update would change anything; it would forget which runs are being waited for."""
    names = set(AutomationCore.model_fields) - {"owner_resource"}
    return mended.model_dump(mode="json", include=names) == known.model_dump(mode="json", include=names)


def message_of(entry: dict[str, Any], ui: str) -> str:
    """What a person is told."""
    return str(entry["notify"]).replace("UI_URL", ui)


def automation_of(entry: dict[str, Any], notification_block_id: str | None, ui: str) -> AutomationCore:
    """An entry of automations.yaml as Prefect takes it; `ui` is where the links of its message lead."""
    action: dict[str, Any] = entry.get("do") or {"type": "do-nothing"}
    if "notify" in entry and notification_block_id is not None:
        action = {
            "type": "send-notification",
            "block_document_id": notification_block_id,
            "subject": entry["name"],
            "body": message_of(entry, ui),
        }
    return AutomationCore.model_validate(
        {
            "name": entry["name"],
            "description": entry["description"],
            "enabled": True,
            "trigger": entry["trigger"],
            "actions": [action],
        }
    )


def _notification_block(client: SyncPrefectClient, name: str) -> str:
    kind, _, document = name.partition("/")
    try:
        return str(client.read_block_document_by_name(document, kind).id)
    except ObjectNotFound:
        raise PlanError(f"--notify: no block {name} is saved; make it in the UI under Blocks") from None
