"""What is shipped to run under Prefect: deployments, automations, settings, images, units."""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import prefect.settings
import pytest
import yaml
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.actions import DoNothing, PauseAutomation, SendNotification
from prefect.events.schemas.automations import Automation
from prefect.flows import Flow
from prefect.settings.legacy import _get_settings_fields

from flows.deploy.automations import automation_of, is_the_same, mended_automation, register_automations
from flows.deploy.deployments import fill_in, flow_name, keep_what_people_set
from flows.deploy.options import DEPLOYMENTS, DeployOptions
from flows.deploy.saved_plan import SavedPlan
from flows.deploy.server import prefect_command, read_settings, ui_url
from flows.orchestration.dispatch import ORPHAN_SECONDS
from flows.plan.model import MigrationPlan

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
        "check-plan/check",
        "migrate-share/pilot",
        "migrate-share/nightly",
        "retry-failures/retry",
        "run-plan/on-demand",
        "send-share/worker",
        "verify-share/verify",
        "cutover-share/cutover",
    }

    assert promised <= set(by_name(document))


def test_each_deployment_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    """Lists of deployments and of runs show the name without the flow."""
    names = [each["name"] for each in document["deployments"]]

    assert len(names) == len(set(names))


def test_every_entrypoint_is_a_flow_of_that_name(document: dict[str, Any]) -> None:
    """A module path, so that no module is loaded twice; each parameter of the file is one of the flow's."""
    for name, deployment in by_name(document).items():
        module, _, function = deployment["entrypoint"].rpartition(".")
        flow = getattr(import_module(module), function)

        assert isinstance(flow, Flow), name
        assert flow_name(deployment["entrypoint"]) == flow.name
        assert set(deployment.get("parameters", {})) <= set(flow.parameters.properties), name
        assert deployment["description"].startswith("### "), name


def test_no_slot_of_prefect_s_is_needed_to_live(document: dict[str, Any]) -> None:
    """A run whose slot is given to somebody else while the server is away would be ended; the checkpoint's lease is
    what keeps a plan from running twice."""
    assert [] == [name for name, each in by_name(document).items() if "concurrency_limit" in each]


def test_runs_have_their_settings_on_a_worker_without_any(document: dict[str, Any]) -> None:
    """The work pool's job variables say of a run what worker.env says."""
    settings = read_settings(DEPLOYMENTS / "worker.env")

    for name, deployment in by_name(document).items():
        given = deployment["work_pool"]["job_variables"]["env"]
        assert "PREFECT_FLOWS_HEARTBEAT_FREQUENCY" in given, name
        assert {key: settings[key] for key in given} == given, name


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


def shipped_automation(name: str) -> dict[str, Any]:
    """An entry of automations.yaml."""
    entries = yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text())
    (entry,) = [each for each in entries if each["name"] == name]
    return dict(entry)


def test_the_living_are_not_taken_for_dead() -> None:
    """Silence lasts longer than a planned restart of the server, and than several heartbeats of a worker without
    settings of ours, before a run is called crashed."""
    entry = shipped_automation("Boxhaul: no sign of life")
    seconds = entry["trigger"]["within"]

    assert seconds >= 600
    assert seconds >= 3 * 180
    assert "ten minutes" in entry["do"]["message"]
    assert ORPHAN_SECONDS > seconds + shipped_automation("Boxhaul: go on after a crash")["trigger"]["within"]


def test_automations_are_understood(saved: SavedPlan) -> None:
    """Each entry makes an automation, with a notification where one is wanted, and never one that does nothing."""
    entries = yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text())
    block = "00000000-0000-0000-0000-000000000001"

    quiet = [automation_of(entry, None, UI) for entry in entries]
    loud = [automation_of(entry, block, UI) for entry in entries]

    assert [["change-flow-run-state"]] * 2 + [[]] * (len(entries) - 2) == [
        [action.type for action in each.actions] for each in quiet
    ]
    assert {"send-notification", "change-flow-run-state"} == {each.actions[0].type for each in loud}


def test_whatever_conducts_goes_on_after_a_crash(document: dict[str, Any]) -> None:
    """The automation names exactly the flows that move a plan; those that only send have their conductor."""
    entry = shipped_automation("Boxhaul: go on after a crash")
    shipped = {flow_name(each["entrypoint"]) for each in document["deployments"]}
    conducting = shipped - {
        "check-plan",
        "inventory-share",
        "send-share",
        "simulate-pass",
        "verify-share",
        "watch-box",
    }

    assert conducting == set(entry["trigger"]["match_related"]["prefect.resource.name"])
    assert "0" not in entry["trigger"]["match"]["prefect.run-count"]


def on_the_server(entry: dict[str, Any], block: str | None = None, **changed: Any) -> Automation:
    """An automation as a server has it that got it from an earlier version, and what people changed."""
    made = automation_of(entry, block, UI)
    return Automation(**{**dict(made), **changed}, id=uuid4())


def test_a_mended_automation_reaches_a_server_that_has_the_old_one() -> None:
    """Trigger and action are those that ship now; what a person switched off stays off, what they added stays there."""
    entry = shipped_automation("Boxhaul: no sign of life")
    old = {
        **entry,
        "trigger": {**entry["trigger"], "within": 90},
        "do": {**entry["do"], "message": "90 seconds"},
    }
    theirs = PauseAutomation(source="selected", automation_id=uuid4())
    there = on_the_server(old)
    there = there.model_copy(update={"enabled": False, "actions": [*there.actions, theirs]})
    made = automation_of(entry, None, UI)

    mended = mended_automation(made, [there], entry, UI)

    assert not is_the_same(mended, there)
    assert made.trigger == mended.trigger
    assert not mended.enabled
    assert [*made.actions, theirs] == mended.actions


def test_an_automation_that_is_up_to_date_is_left_alone() -> None:
    """An update would forget the runs that are waited for."""
    block = "00000000-0000-0000-0000-000000000001"
    for entry in yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text()):
        there = on_the_server(entry, block, enabled=False)

        assert is_the_same(mended_automation(automation_of(entry, block, UI), [there], entry, UI), there)


class Backwards(set[str]):
    """The same set, in another order: that depends on the process."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(super().__iter__(), reverse=True))


def test_the_order_of_a_trigger_s_events_is_no_difference() -> None:
    """Prefect keeps them as a set, which each process gives in another order."""
    for entry in yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text()):
        made = automation_of(entry, "00000000-0000-0000-0000-000000000001", UI)
        there = on_the_server(entry, "00000000-0000-0000-0000-000000000001", enabled=True)
        turned = {"expect": Backwards(there.trigger.expect), "after": Backwards(there.trigger.after)}
        there = there.model_copy(update={"trigger": there.trigger.model_copy(update=turned)})

        assert is_the_same(made, there)


def test_automations_that_have_nobody_to_tell_are_one_line() -> None:
    """Those that keep runs going have a line each."""

    class Client:
        def read_automations_by_name(self, name: str) -> list[Automation]:
            return []

        def create_automation(self, made: Any) -> None:
            assert made.actions

    lines = list(register_automations(Client(), DeployOptions(), UI))  # type: ignore[arg-type]
    assert 2 == sum(line.startswith("automation: ") for line in lines)
    assert 3 == len(lines)
    assert "automations not made, which have nobody to tell (--notify TYPE/NAME): a run failed, " in lines[-1]


def test_an_automation_of_0_1_0_that_did_nothing_is_left_without_an_action() -> None:
    """Such a one is taken away; what a person added to it is kept."""
    entry = shipped_automation("Boxhaul: a tree is complete")
    theirs = PauseAutomation(source="selected", automation_id=uuid4())
    there = on_the_server(entry, actions=[DoNothing()])
    made = automation_of(entry, None, UI)

    assert [] == mended_automation(made, [there], entry, UI).actions
    added = there.model_copy(update={"actions": [*there.actions, theirs]})
    assert [theirs] == mended_automation(made, [added], entry, UI).actions


def test_whom_an_automation_tells_stays_as_it_was() -> None:
    """Deploying without --notify keeps the block of an earlier one and mends the text; with another block the message
    goes there; a person's own message stays in both."""
    entry = shipped_automation("Boxhaul: a run failed")
    first, second, own = (str(UUID(int=number)) for number in (1, 2, 3))
    theirs = SendNotification(block_document_id=UUID(own), subject="mine", body="my words")
    there = on_the_server({**entry, "notify": "old words"}, first)
    there = there.model_copy(update={"actions": [*there.actions, theirs]})

    quiet = mended_automation(automation_of(entry, None, UI), [there], entry, UI).actions
    loud = mended_automation(automation_of(entry, second, UI), [there], entry, UI).actions

    for actions, block in ((quiet, first), (loud, second)):
        told = {(str(each.block_document_id), each.subject) for each in actions}  # type: ignore[union-attr]
        assert {(block, entry["name"]), (own, "mine")} == told
        assert "old words" not in {each.body for each in actions}  # type: ignore[union-attr]


def test_deploying_again_keeps_what_people_set(document: dict[str, Any], saved: SavedPlan) -> None:
    """Schedules of their own and their edits of ours, the pause, every parameter but the plan."""
    deployment = by_name(fill_in(document, saved, suffix=""))["migrate-share/nightly"]
    window = "Mon-Fri 22:00-05:00 Europe/Berlin"
    known = DeploymentResponse.model_validate(
        {
            "id": uuid4(),
            "name": "nightly",
            "flow_id": uuid4(),
            "paused": True,
            "parameters": {"window": window, "check": False, "plan": {"name": "old"}, "gone": 1},
            "schedules": [
                {"schedule": {"cron": "0 22 * * *", "timezone": "Europe/Berlin"}, "active": True},
                {"schedule": {"cron": "0 21 * * *"}, "slug": "nightly", "active": True},
            ],
        }
    )
    plan = deployment["parameters"]["plan"]

    keep_what_people_set(deployment, known)

    assert "schedules" not in deployment  # which leaves them as they are
    assert deployment["paused"] is True
    assert {"window": window, "check": False, "plan": plan} == deployment["parameters"]


def test_deploying_again_adds_a_schedule_that_is_missing(document: dict[str, Any], saved: SavedPlan) -> None:
    """A deployment without any gets the one that ships, switched off."""
    deployment = by_name(fill_in(document, saved, suffix=""))["migrate-share/nightly"]
    known = DeploymentResponse.model_validate({"id": uuid4(), "name": "nightly", "flow_id": uuid4()})

    keep_what_people_set(deployment, known)

    assert [("nightly", False)] == [(each["slug"], each["active"]) for each in deployment["schedules"]]
    assert "paused" not in deployment


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


def test_no_probe_ends_a_worker_whose_server_is_away() -> None:
    """The worker's /health turns bad a minute after the server went away, and its runs need no server to go on."""
    pods = [
        container
        for document in yaml.safe_load_all((DEPLOYMENTS / "kubernetes.yaml").read_text())
        for container in document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    ]

    assert ["worker"] == [pod["name"] for pod in pods]
    assert [] == [pod["name"] for pod in pods if "livenessProbe" in pod]


def test_prefects_command_is_one_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside Python, where an environment or pipx has it; by Python itself where a system keeps the two apart."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "python3"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert f"{tmp_path}/python3 -m prefect" == prefect_command()

    own = tmp_path / "prefect"
    own.touch(mode=0o755)
    assert str(own) == prefect_command()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "prefect" == prefect_command()
