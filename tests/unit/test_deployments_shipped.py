"""What the shipped files refer to is there: commands, folders, plans, settings of each other."""

from __future__ import annotations

import re
import secrets
import shlex
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from flows.cli import app
from flows.deploy.deployments import flow_name
from flows.deploy.options import DEPLOYMENTS
from flows.deploy.server import WORK_POOL
from flows.plan.file import load_plan

ROOT = DEPLOYMENTS.parent
PLANS = sorted((DEPLOYMENTS / "plans").glob("*.yaml"))
README = (DEPLOYMENTS / "README.md").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (DEPLOYMENTS / "Dockerfile").read_text(encoding="utf-8")


def programs() -> set[str]:
    """Console commands that the installation brings."""
    return {entry.name for entry in entry_points(group="console_scripts")}


def boxhaul_commands() -> set[str]:
    """What may follow `boxhaul`."""
    return set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.name)
def test_every_shipped_plan_is_a_plan(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as `boxhaul` reads it, with the variables that it refers to."""
    settings = "\n".join(line.split("#")[0] for line in path.read_text(encoding="utf-8").splitlines())
    for name in re.findall(r"\$\{(\w+)\}", settings):
        monkeypatch.setenv(name, f"sqlite:///{secrets.token_hex(4)}.db")

    plan = load_plan(path)

    assert plan.source.password is not None
    assert plan.source.password.get_secret_value().startswith("${")


def test_the_plan_of_compose_fits_its_services() -> None:
    """Share, sandbox and variables are those that compose.yaml starts and sets."""
    plan = yaml.safe_load((DEPLOYMENTS / "plans" / "compose.yaml").read_text(encoding="utf-8"))
    worker, sandbox, samba = (COMPOSE["services"][name] for name in ("worker", "sandbox", "samba"))
    port = sandbox["command"][sandbox["command"].index("--port") + 1]

    assert {"SHARE_PASSWORD", "BOXHAUL_STATE_URL"} <= set(worker["environment"])
    assert f"http://127.0.0.1:{port}" == plan["box"]["base_url"]
    assert f"http://127.0.0.1:{port}/api" == plan["box"]["upload_url"]
    assert plan["box"]["auth"]["config_file"] in sandbox["command"]
    assert "service:sandbox" == worker["network_mode"]
    share = {"SHARE_USER": plan["source"]["username"], "SHARE_NAME": plan["source"]["url"].rpartition("/")[2]}
    assert share.items() <= samba["environment"].items()


def test_prefect_and_the_checkpoint_have_databases_of_their_own() -> None:
    """Each can be backed up and updated alone."""
    server = COMPOSE["services"]["prefect-server"]["environment"]["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
    worker = COMPOSE["services"]["worker"]["environment"]["BOXHAUL_STATE_URL"]

    assert server.rpartition("@")[2] != worker.rpartition("@")[2]


def commands_of_services() -> list[list[str]]:
    """Commands that containers, pods and units run."""
    image = yaml.safe_load(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, flags=re.MULTILINE)[0])
    pods = [
        container["args"]
        for document in yaml.safe_load_all((DEPLOYMENTS / "kubernetes.yaml").read_text(encoding="utf-8"))
        for container in document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    ]
    units = [
        shlex.split(line.partition("=")[2])
        for path in sorted((DEPLOYMENTS / "systemd").glob("*.service"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("ExecStart=")
    ]
    ours = [
        service["command"]
        for service in COMPOSE["services"].values()
        if "build" in service and "command" in service
    ]
    return [image, *pods, *units, *ours]


def test_every_command_that_is_started_exists() -> None:
    """Programs of the installation, subcommands of ours, and the one work pool."""
    started = commands_of_services()

    assert len(started) >= 6
    for command in started:
        program = Path(command[0]).name
        assert program in programs(), command
        if program == "boxhaul":
            assert command[1] in boxhaul_commands(), command
        elif "worker" in command:
            assert WORK_POOL == command[command.index("--pool") + 1], command


def test_the_image_copies_what_is_there() -> None:
    """Each source of a COPY is in the checkout, each package of the program is copied."""
    copied = [
        source
        for line in re.findall(r"^COPY (.*)$", DOCKERFILE, flags=re.MULTILINE)
        for source in line.split()[:-1]
    ]

    assert {"flows", "connectors", "state", "deployments", "constraints.txt"} <= set(copied)
    assert [] == [source for source in copied if not (ROOT / source).exists()]


def test_compose_and_kubernetes_run_the_image_that_is_built() -> None:
    """One tag in all three."""
    tags = {
        COMPOSE["services"]["worker"]["image"],
        *re.findall(r"--tag (\S+)", DOCKERFILE),
        *re.findall(r"image: (boxhaul\S*)", (DEPLOYMENTS / "kubernetes.yaml").read_text(encoding="utf-8")),
    }

    assert {"boxhaul:local"} == tags


def test_no_password_stands_in_a_command_line() -> None:
    """Every process list shows those; environments are shown to root and to the process itself."""
    commands = [service.get("command", []) for service in COMPOSE["services"].values()]
    checks = [service.get("healthcheck", {}).get("test", []) for service in COMPOSE["services"].values()]

    assert [] == [word for words in [*commands, *checks] for word in words if "PASSWORD" in word]


def test_the_api_of_compose_admits_nobody_without_its_password() -> None:
    """The server asks for it, the workers have it, and compose refuses to start without one."""
    server = COMPOSE["services"]["prefect-server"]["environment"]["PREFECT_SERVER_API_AUTH_STRING"]
    worker = COMPOSE["services"]["worker"]["environment"]["PREFECT_API_AUTH_STRING"]

    assert server.startswith(worker.removesuffix("}"))
    assert ":?" in server
    assert ["127.0.0.1:4200:4200"] == COMPOSE["services"]["prefect-server"]["ports"]


def test_images_are_pinned() -> None:
    """Every image of others names its version to the last number; ours are built from such."""
    folders = [DEPLOYMENTS, DEPLOYMENTS / "samba"]
    bases = [
        base
        for folder in folders
        for base in re.findall(
            r"^FROM (\S+)", (folder / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    images = [service["image"] for service in COMPOSE["services"].values() if "build" not in service]

    assert 4 <= len([*bases, *images])
    assert [] == [each for each in [*bases, *images] if not re.search(r":\d+\.\d+(\.\d+)?(-\w+)*$", each)]


def test_containers_gain_no_rights() -> None:
    """No escalation anywhere; pods run as nobody special, from a file system that they cannot write."""
    [pod] = [
        document["spec"]["template"]["spec"]
        for document in yaml.safe_load_all((DEPLOYMENTS / "kubernetes.yaml").read_text(encoding="utf-8"))
        if document["kind"] == "Deployment"
    ]
    [container] = pod["containers"]
    settings = container["securityContext"]

    assert all("no-new-privileges:true" in each["security_opt"] for each in COMPOSE["services"].values())
    assert (True, "RuntimeDefault") == (
        pod["securityContext"]["runAsNonRoot"],
        pod["securityContext"]["seccompProfile"]["type"],
    )
    assert (False, True, ["ALL"]) == (
        settings["allowPrivilegeEscalation"],
        settings["readOnlyRootFilesystem"],
        settings["capabilities"]["drop"],
    )
    assert {volume["name"] for volume in pod["volumes"]} == {
        mount["name"] for mount in container["volumeMounts"]
    }


@pytest.mark.parametrize("setting", ["NoNewPrivileges=yes", "ProtectSystem=full", "UMask=0077"])
def test_units_are_confined(setting: str) -> None:
    """Each unit says so."""
    units = sorted((DEPLOYMENTS / "systemd").glob("*.service"))

    assert 2 == len(units)
    assert all(setting in unit.read_text(encoding="utf-8").splitlines() for unit in units)


def test_the_readme_lists_every_deployment_and_no_other() -> None:
    """The table is prefect.yaml in words."""
    document: dict[str, Any] = yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text(encoding="utf-8"))
    shipped = {f"{flow_name(each['entrypoint'])}/{each['name']}" for each in document["deployments"]}
    listed = set(re.findall(r"^\| `([a-z-]+/[a-z-]+)` \|", README, flags=re.MULTILINE))

    assert shipped == listed


def test_the_readme_needs_three_commands_that_exist() -> None:
    """From a plan to the form in the browser."""
    block = re.findall(r"```\n(.*?)```", README, flags=re.DOTALL)[0]
    lines = [line.partition("#")[0].split() for line in block.splitlines() if line.strip()]

    assert 3 == len(lines)
    assert lines[0][1] in boxhaul_commands()
    assert ["prefect", "worker", "start", "--pool", WORK_POOL] == lines[1]


def test_the_readme_names_files_that_are_there() -> None:
    """Its last table is the folder's content."""
    named = [
        name
        for line in README.splitlines()
        if line.startswith("| `") and "/on-demand" not in line
        for name in re.findall(r"`([\w-]+(?:\.\w+|/)|Dockerfile)`", line.split("|")[1])
    ]

    assert {"prefect.yaml", "server.env", "systemd/"} <= set(named)
    assert [] == [name for name in named if not (DEPLOYMENTS / name).exists()]


def test_the_readme_starts_workers_elsewhere_with_their_settings() -> None:
    """What it says of many machines names the file, in a command that starts a worker."""
    (paragraph,) = [part for part in README.split("\n\n") if part.startswith("**Many machines.**")]
    (command,) = [each for each in re.findall(r"`([^`]*)`", paragraph) if "worker start" in each]

    assert command.index("worker.env") < command.index("prefect worker start")
