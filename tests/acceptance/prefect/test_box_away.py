"""A Box that is away for a while is told in the log of the flow run."""

from __future__ import annotations

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.conftest import FILES, FOLDERS, TREES, PlanFor
from tests.servers.prefect import PrefectServer, wait_until


@pytest.mark.torture  # acceptance/test_box_away.py has the outage itself in the gate
def test_an_outage_of_box_is_in_the_log_of_the_run(
    plan_for: PlanFor, slow_box: Sandbox, prefect_server: PrefectServer
) -> None:
    """One line when it begins, one when it is over, once each, from whatever thread; everything arrives."""
    program = plan_for("away")
    program.plan["box"]["limits"]["backoff_seconds"] = 0.005
    program.write_plan()
    process = program.start("migrate")
    wait_until(lambda: len(slow_box.files()) > 20, "files are on their way")
    rule = slow_box.faults.next("*").status(503).times(None)
    probes = slow_box.calls.by_route["GET /users/me"]
    wait_until(lambda: slow_box.calls.by_route["GET /users/me"] > probes + 5, "Box is probed")
    slow_box.faults.clear()
    slow_box.limits.update({"latency_seconds": 0.0})
    output = process.communicate(timeout=90)

    assert 0 == process.returncode, output
    assert rule.struck > 8
    assert len(TREES) * FOLDERS * FILES == len(slow_box.files())
    query = {"flow_runs": {"name": {"like_": "away-migrate"}}}
    (run,) = prefect_server.ask("POST", "/flow_runs/filter", query)
    lines = prefect_server.log_of(run["id"]).splitlines()
    assert 1 == sum(line.startswith("Box has not answered since") for line in lines)
    assert 1 == sum(line.startswith("Box answers again after") for line in lines)
    assert "without a flow run id" not in "".join(output)
