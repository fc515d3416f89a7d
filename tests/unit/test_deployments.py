"""What is shipped to run under Prefect: deployments, automations, settings, images, units."""

from __future__ import annotations

import configparser
from importlib import import_module
from pathlib import Path
from typing import Any

import prefect.settings
import pytest
import yaml
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.flows import Flow
from prefect.settings.legacy import _get_settings_fields

from flows.config import MigrationPlan
from flows.deploy import (
    DEPLOYMENTS,
    SavedPlan,
    automation_of,
    fill_in,
    flow_name,
    read_settings,
    ui_url,
)

UI = "http://prefect.example.com:4200"
PREFECT_YAML = DEPLOYMENTS / "prefect.yaml"


@pytest.fixture
def document() -> dict[str, Any]:
    """deployments/prefect.yaml."""
    loaded: dict[str, Any] = yaml.safe_load(PREFECT_YAML.read_text())
    return loaded


@pytest.fixture
def saved() -> SavedPlan:
    """A plan whose credentials are a block."""
    auth = {"method": "block", "name": "finance"}
    plan = MigrationPlan.model_validate(
        {"name": "Finance", "source": {"url": "file:///srv"}, "box": {"auth": auth}}
    )
    return SavedPlan(plan=plan, slug="migration-plan/finance", document_id="id", blocks=())


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Deployments by flow/name."""
    return {f"{flow_name(each['entrypoint'])}/{each['name']}": each for each in document["deployments"]}


def test_prefect_understands_the_file(document: dict[str, Any]) -> None:
    """Prefect's own model of prefect.yaml accepts it, and nothing is pulled."""
    PrefectYamlModel.model_validate(document)

    assert [] == document["pull"]


def test_every_promised_deployment_is_there(document: dict[str, Any]) -> None:
    """By the names that people and scripts use."""
    promised = {
        "check-plan/on-demand",
        "migrate-share/pilot",
        "migrate-share/nightly",
        "retry-failures/on-demand",
        "run-plan/on-demand",
        "send-share/worker",
    }

    assert promised <= set(by_name(document))


def test_every_entrypoint_is_a_flow_of_that_name(document: dict[str, Any]) -> None:
    """A module path, so that no module is loaded twice; each parameter of the file is one of the flow's."""
    for name, deployment in by_name(document).items():
        module, _, function = deployment["entrypoint"].rpartition(".")
        flow = getattr(import_module(module), function)

        assert isinstance(flow, Flow), name
        assert flow_name(deployment["entrypoint"]) == flow.name
        assert set(deployment.get("parameters", {})) <= set(flow.parameters.properties), name
        assert deployment["description"].startswith("### "), name


def test_a_second_start_of_a_migration_is_refused(document: dict[str, Any]) -> None:
    """Whatever sends for a plan runs once at a time."""
    for name, deployment in by_name(document).items():
        if name.startswith(("migrate-share/", "run-plan/", "retry-failures/")):
            limit = deployment["concurrency_limit"]
            assert (1, "CANCEL_NEW") == (limit["limit"], limit["collision_strategy"]), name


def test_a_plan_is_filled_in(document: dict[str, Any], saved: SavedPlan) -> None:
    """As a block where the flow takes one, as itself where the form is the plan; the shared one stays as it is."""
    filled = by_name(fill_in(document, saved, suffix="fin"))

    assert {"$ref": {"block_document_slug": "migration-plan/finance"}} == (
        filled["run-plan/on-demand-fin"]["parameters"]["plan"]
    )
    nightly = filled["migrate-share/nightly-fin"]
    assert "Finance" == nightly["parameters"]["plan"]["name"]
    assert nightly["parameters"]["window"]
    assert "plan:finance" in nightly["tags"]
    assert "parameters" not in filled["send-share/worker"]


def test_automations_are_understood(saved: SavedPlan) -> None:
    """Each entry makes an automation, with a notification where one is wanted."""
    entries = yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text())
    block = "00000000-0000-0000-0000-000000000001"

    quiet = [automation_of(entry, None, UI) for entry in entries]
    loud = [automation_of(entry, block, UI) for entry in entries]

    assert {"do-nothing", "change-flow-run-state"} == {each.actions[0].type for each in quiet}
    assert {"send-notification", "change-flow-run-state"} == {each.actions[0].type for each in loud}


def test_whatever_conducts_goes_on_after_a_crash(document: dict[str, Any]) -> None:
    """The automation names exactly the flows that run once at a time; those that only send have their conductor."""
    entries = yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text())
    (entry,) = [each for each in entries if each["name"] == "Boxhaul: go on after a crash"]
    conducting = {
        flow_name(each["entrypoint"]) for each in document["deployments"] if "concurrency_limit" in each
    }

    assert conducting == set(entry["trigger"]["match_related"]["prefect.resource.name"])
    assert "0" not in entry["trigger"]["match"]["prefect.run-count"]


@pytest.mark.parametrize("name", ["server.env", "worker.env"])
def test_every_shipped_setting_is_one_of_prefect_s(name: str) -> None:
    """A mistyped setting would be ignored in silence."""
    known = set(_get_settings_fields(prefect.settings.Settings)) | {"DO_NOT_TRACK"}

    assert set(read_settings(DEPLOYMENTS / name)) <= known


def test_leases_survive_a_restart_of_the_server() -> None:
    """Leases in memory would end a run of days."""
    settings = read_settings(DEPLOYMENTS / "server.env")

    assert settings["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"].endswith(".filesystem")


def test_the_ui_is_beside_the_api() -> None:
    """Without the path."""
    assert "http://prefect.example.com:4200" == ui_url("http://prefect.example.com:4200/api")


def test_compose_is_whole() -> None:
    """Every volume, network and file that a service names is there, and nothing listens to other machines."""
    compose = yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text())
    services = compose["services"]

    assert {"prefect-database", "prefect-server", "worker", "samba", "sandbox"} <= set(services)
    for name, service in services.items():
        assert ("image" in service) or ("build" in service), name
        for wanted in service.get("depends_on", {}):
            assert wanted in services, name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            there = (
                (DEPLOYMENTS / source).exists()
                if source.startswith((".", "/"))
                else source in compose["volumes"]
            )
            assert there, (name, volume)
        for file in service.get("env_file", []):
            assert (DEPLOYMENTS / file).exists(), name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


@pytest.mark.parametrize(
    "unit", sorted(Path(DEPLOYMENTS / "systemd").glob("*.service")), ids=lambda path: path.name
)
def test_units_end_what_they_start(unit: Path) -> None:
    """A worker may drain, and is ended for good when it does not: a server that is away keeps it from leaving."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit)

    assert "on-failure" == parser["Service"]["Restart"]
    assert "mixed" == parser["Service"]["KillMode"]
    assert parser["Service"]["TimeoutStopSec"]


def test_kubernetes_manifest_is_whole() -> None:
    """Every document has a kind, and no secret stands in it."""
    documents = list(yaml.safe_load_all((DEPLOYMENTS / "kubernetes.yaml").read_text()))

    assert {"Namespace", "Deployment"} <= {each["kind"] for each in documents}
    assert all(each["apiVersion"] and each["metadata"]["name"] for each in documents)
    assert not [each for each in documents if each["kind"] == "Secret"]
