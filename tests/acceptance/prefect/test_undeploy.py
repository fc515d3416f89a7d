"""`boxhaul undeploy`: what deploy made of a plan goes, what others use stays; the last plan takes the rest along."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.acceptance.prefect.conftest import PlanFor
from tests.program import Program
from tests.servers.prefect import PrefectServer


def undeployed(program: Program, code: int = 0) -> list[str]:
    """What the command says of each thing."""
    finished = program.run("undeploy")
    assert code == finished.code, finished.output
    return finished.stdout.splitlines()


def names(server: PrefectServer, what: str) -> set[str]:
    """Names of what the server has of this."""
    found: list[dict[str, Any]] = server.ask("POST", f"/{what}/filter", {})
    return {each["name"] for each in found}


def foreign_deployment(client: SyncPrefectClient, name: str, *tags: str) -> None:
    """One that no deploy made."""
    flow = client.create_flow_from_name("somebody-elses")
    client.create_deployment(flow, name, tags=list(tags), entrypoint="theirs.flow")


@pytest.mark.torture  # one plan beside others: test_watch.py has it in the gate
@pytest.mark.timeout(900)
def test_what_deploy_made_goes_and_nothing_else(
    plan_for: PlanFor, prefect_server: PrefectServer, webhook: str
) -> None:
    """Beside another plan; while a run is on its way; twice; and as the last plan of the server."""
    server = prefect_server
    with temporary_settings({PREFECT_API_URL: server.api_url}), get_client(sync_client=True) as client:
        for left in client.read_deployments(deployment_filter=DeploymentFilter()):
            client.delete_deployment(left.id)  # of tests before this one
        program = plan_for("gone")
        program.environment["GONE_PW"] = "secret-of-the-share"
        program.write_plan(source={**program.plan["source"], "username": "ann", "password": "${GONE_PW}"})
        deployed = program.run("deploy", "--suffix", "x", "--notify", webhook)
        assert 0 == deployed.code, deployed.output
        foreign_deployment(client, "mine", "plan:gone")
        foreign_deployment(client, "another", "boxhaul", "plan:another")
        del program.environment["GONE_PW"]  # who takes it away needs no secret
        blocks = names(server, "block_documents")
        automations = names(server, "automations")

        run = server.start_run("check-plan/check-x")
        waiting = undeployed(program, code=1)
        assert "left: deployment check-plan/check-x until its runs are over; undeploy again then" in waiting
        assert blocks == names(server, "block_documents")
        server.set_state(run, type="CANCELLED")

        lines = undeployed(program)
        assert "removed: deployment check-plan/check-x" in lines
        assert 3 == sum(line.startswith("removed: block ") for line in lines)
        assert "left: deployment flow/mine, which no deploy made" in lines
        assert "left: work pool, automations and send-share, which serve plan:another" in lines
        assert {"mine", "another", "worker"} == names(server, "deployments")
        assert {"gone"} == blocks - names(server, "block_documents")
        assert automations == names(server, "automations")
        again = undeployed(program)
        assert not [line for line in again if line.startswith("removed: ")]

        for known in client.read_deployments():
            if known.name == "another":
                client.delete_deployment(known.id)
        last = undeployed(program)
        assert "removed: deployment send-share/worker" in last
        assert 8 == sum(line.startswith("removed: automation ") for line in last)
        assert set() == names(server, "automations")
        assert {"mine"} == names(server, "deployments")
        pools = [line for line in last if "work pool" in line]
        assert ["removed: work pool boxhaul"] == pools or "works; stop it and undeploy again" in pools[0]
        for known in client.read_deployments():
            client.delete_deployment(known.id)


def test_no_server(plan_for: PlanFor) -> None:
    """One line says what to set."""
    program = plan_for("gone")
    program.environment["PREFECT_API_URL"] = "http://127.0.0.1:9/api"
    finished = program.run("undeploy")

    assert (2, 1) == (finished.code, finished.stderr.count("\n")), finished.output
    assert "set PREFECT_API_URL" in finished.stderr
