"""Traces of flow runs: each process sends its own, and a run that another started is below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.conftest import PlanFor, build_share, deploy
from tests.servers.otlp import otlp_receiver
from tests.servers.prefect import PrefectServer, wait_until, working

TREES = ("Accounting", "Legal")


@pytest.mark.torture  # the same without Prefect: acceptance/test_traces.py, integration/test_tracing.py
def test_senders_are_below_the_run_that_conducts(
    plan_for: PlanFor,
    slow_box: Sandbox,
    prefect_server: PrefectServer,
    worker_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    """One trace of two processes, told apart by the spans of their runs."""
    server, box = prefect_server, slow_box
    uploader = box.add_user("AppUser_1@boxdevedition.com", kind="app")
    share = build_share(tmp_path / "share", trees=TREES, folders=2, files=40)
    program = plan_for("traced", share=share, state_url="${FLEET_STATE_URL}", transfer={"batch_items": 10})
    program.write_plan(box=program.plan["box"] | {"identities": [uploader.id]})
    program.environment.update(worker_environment)
    deploy(program, "traced")

    with otlp_receiver() as receiver:
        environment = worker_environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        with working(server, environment, limit=2):
            run = server.start_run("migrate-share/pilot-traced", workers=1)
            server.wait_for(run, "Completed", seconds=240)
            wait_until(lambda: receiver.named("boxhaul send"), "a sender has ended", seconds=100)
    (conducts,), sends = receiver.named("boxhaul migrate"), receiver.named("boxhaul send")
    assert run == conducts.attributes["prefect.flow_run.id"]
    assert {conducts.id} == {span.parent for span in sends}
    assert {conducts.trace} == {span.trace for span in receiver.spans}
