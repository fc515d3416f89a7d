"""A run that obeys a pause: its heartbeats end, and whoever waits for the next one is told. No server."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import yaml
from prefect import flow
from prefect.client.schemas.objects import FlowRun
from prefect.events import Event
from prefect.flow_engine import FlowRunEngine, _send_heartbeats
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.states import Running

from flows.deploy.options import DEPLOYMENTS
from flows.orchestration.pause import end_heartbeats, last_word


@flow
def moving() -> None:
    """Stands for whatever flow is paused."""


def a_flow_run() -> FlowRun:
    """A run of a deployment, as its process has it."""
    return FlowRun(id=uuid4(), name="finance-migrate", flow_id=uuid4(), state=Running(), tags=["boxhaul"])


class Heart(FlowRunEngine[Any, Any]):
    """Prefect's engine, whose heartbeats go nowhere."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.beaten = threading.Event()

    def _emit_flow_run_heartbeat(self, *args: Any, **kwargs: Any) -> None:
        self.beaten.set()


def beats(flow_run: FlowRun) -> bool:
    """Whether Prefect sends a heartbeat for it now, as it does every half a minute."""
    heart = Heart(flow=moving, flow_run=flow_run)
    with _send_heartbeats(heart):  # whose end waits for the thread
        heart.beaten.wait(0.5)
    return heart.beaten.is_set()


def test_a_run_that_obeys_a_pause_sends_no_heartbeat() -> None:
    """Prefect's own loop stops for what the process says of itself."""
    flow_run = a_flow_run()
    assert beats(flow_run)

    end_heartbeats(flow_run)

    assert not beats(flow_run)


def test_the_last_word_of_a_paused_run_is_waited_for() -> None:
    """The automation that watches for silence is armed by a heartbeat, and content with the last word after it."""
    entries = yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text())
    (entry,) = [each for each in entries if each["name"] == "Boxhaul: no sign of life"]
    trigger = EventTrigger.model_validate(entry["trigger"])
    word = Event(**last_word(a_flow_run()))

    assert trigger.covers(ReceivedEvent.model_validate(word.model_dump()))
    assert trigger.expects(word.event)
    # Else it would begin to wait for another one.
    assert not trigger.starts_after(word.event)
