"""Which places of a fleet want a new sender."""

from __future__ import annotations

from uuid import uuid4

import pytest

from flows.orchestration.fleet import Sender, to_start

CONDUCTOR = "fs-mover:4711"


def lease_of(flow_run_id: object) -> str:
    """As a process that only sends names its lease."""
    return f"sender {flow_run_id} on worker-1"


@pytest.mark.parametrize(("left_behind", "started"), [(0, 10), (7, 3), (10, 0), (12, 0)])
def test_senders_of_a_conductor_that_is_gone_fill_places(left_behind: int, started: int) -> None:
    """They hold identities: a conductor that came back starts only what is missing, and not one after another."""
    senders = [Sender(number) for number in range(10)]
    alive = {CONDUCTOR, *(lease_of(uuid4()) for _ in range(left_behind))}

    assert senders[:started] == to_start(senders, senders, alive)


def test_its_own_senders_are_not_counted_twice() -> None:
    """A place that died is filled again while the others live; those that nobody knows still count."""
    senders = [Sender(number, flow_run_id=uuid4()) for number in range(3)]
    dead, *living = senders
    alive = {CONDUCTOR, *(lease_of(sender.flow_run_id) for sender in living)}

    assert [dead] == to_start(senders, [dead], alive)
    assert [] == to_start(senders, [dead], {*alive, lease_of(uuid4())})
