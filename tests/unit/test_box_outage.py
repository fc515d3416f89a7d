"""Outage: one probe tells a call's own failure from a Box that is away; then everybody waits, and not for ever."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from connectors.box.client.outage import Outage, Outages
from connectors.errors import BoxUnreachable, FatalError, Stopped

START = datetime(2026, 1, 1, 12, 3, tzinfo=UTC)


@dataclass
class World:
    """Simulated time, and a Box that answers at some of it."""

    back_at: float = 0.0
    now: float = 0.0
    probes: list[float] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)

    def outage(self, *, minutes: float = 60.0, first_pause: float = 0.5) -> Outage:
        return Outage(
            limit_seconds=minutes * 60,
            first_pause_seconds=first_pause,
            clock=lambda: self.now,
            wall_clock=lambda: START + timedelta(seconds=self.now),
        )

    def probe(self) -> bool:
        self.probes.append(self.now)
        return self.now >= self.back_at

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged as a warning."""
    caplog.set_level(logging.WARNING, logger="connectors.box")
    return lambda: [record.getMessage() for record in caplog.records]


def test_a_box_that_answers_is_not_away(told: Callable[[], list[str]]) -> None:
    """One probe, no wait, no word: the failure is the call's own."""
    world = World()
    outage = world.outage()

    assert not outage.was_waited_out(outage.ended, world.probe, world.sleep)
    assert ([0.0], [], []) == (world.probes, world.sleeps, told())


def test_a_box_that_is_away_is_waited_for(told: Callable[[], list[str]]) -> None:
    """Two warnings, one when it begins and one when it is over, and the call is worth a new beginning."""
    world = World(back_at=1800)
    outage = world.outage(first_pause=0.1)
    outage.unanswered()

    assert outage.was_waited_out(outage.ended, world.probe, world.sleep)
    assert 1 == outage.ended
    assert 1800 <= world.now < 1830
    assert 2 == len(told())
    assert "Box has not answered since 12:03 UTC; waiting for it, 60 minutes at most" == told()[0]
    assert "Box answers again after 30 minutes; going on" == told()[1]


def test_pauses_grow_to_half_a_minute() -> None:
    """Quick at first, then about every half minute: an hour costs some hundred probes."""
    world = World(back_at=3000)
    world.outage().was_waited_out(0, world.probe, world.sleep)

    assert world.sleeps[0] < 1
    assert 45 >= max(world.sleeps) > 30
    assert 80 < len(world.probes) < 250


def test_pauses_keep_to_the_plans_own_scale() -> None:
    """Where the first wait of a call is a hundredth, the longest pause is one, too."""
    world = World(back_at=30)
    world.outage(first_pause=0.005).was_waited_out(0, world.probe, world.sleep)

    assert 0.45 >= max(world.sleeps) > 0.1


def test_patience_ends() -> None:
    """After the limit one fatal line says how long, since when, and that the next run goes on."""
    world = World(back_at=1e9)
    outage = world.outage(minutes=10)
    with pytest.raises(BoxUnreachable) as caught:
        outage.was_waited_out(0, world.probe, world.sleep)

    assert isinstance(caught.value, FatalError)
    assert pytest.approx(600) == world.now
    text = str(caught.value)
    assert "Box has not answered for 10 minutes (since 12:03 UTC)" in text
    assert "the next run goes on" in text
    assert "\n" not in text


def test_after_the_limit_nobody_waits_again() -> None:
    """Other calls of the run that ends probe once and stop, too; a Box that is back is taken as it is."""
    world = World(back_at=1e9)
    outage = world.outage(minutes=10)
    for _ in range(3):
        with pytest.raises(BoxUnreachable):
            outage.was_waited_out(0, world.probe, world.sleep)
    assert pytest.approx(600) == world.now

    world.back_at = 0.0
    assert outage.was_waited_out(0, world.probe, world.sleep)
    assert not outage.was_waited_out(outage.ended, world.probe, world.sleep)


def test_nobody_waits_against_the_plan() -> None:
    """outage_minutes: 0 means not to wait, and costs no probe."""
    world = World(back_at=1e9)

    assert not world.outage(minutes=0.0).was_waited_out(0, world.probe, world.sleep)
    assert [] == world.probes


def test_each_host_has_outages_of_its_own() -> None:
    """Their names, their ends; and that any of them answered is known of Box as a whole."""
    outages = Outages("api.box.com", limit_seconds=600, first_pause_seconds=0.001)
    assert not outages.heard
    outages.answered("api.box.com")
    upload, answers = outages.of("upload.box.com"), iter([False, True])
    assert upload is outages.of("upload.box.com")
    with pytest.raises(BoxUnreachable, match=r"^Box's upload host upload.box.com has not answered"):
        Outage("Box's upload host upload.box.com", limit_seconds=1e-9, first_pause_seconds=1).was_waited_out(
            0, lambda: False, lambda _: None
        )
    assert upload.was_waited_out(0, lambda: next(answers), lambda _: None)

    assert outages.heard
    assert {"api.box.com": 0, "upload.box.com": 1} == outages.ended()
    assert not outages.of("api.box.com").was_waited_out(0, lambda: True, lambda _: None)


def test_a_call_that_failed_within_the_outage_begins_anew_without_a_probe() -> None:
    """Its failures were the outage's, even if its patience ended just after Box was back."""
    world = World(back_at=10)
    outage = world.outage()
    before = outage.ended
    assert outage.was_waited_out(before, world.probe, world.sleep)
    probes = len(world.probes)

    assert outage.was_waited_out(before, world.probe, world.sleep)
    assert probes == len(world.probes)


def test_the_time_is_that_of_the_first_silence(told: Callable[[], list[str]]) -> None:
    """Since when: the first request without an answer, not the moment at which patience ended."""
    world = World(back_at=400)
    outage = world.outage()
    world.now = 60.0
    outage.unanswered()
    world.now = 300.0
    outage.unanswered()
    outage.was_waited_out(0, world.probe, world.sleep)

    assert "since 12:04 UTC" in told()[0]


def test_a_stop_ends_the_wait() -> None:
    """What interrupts a sleep leaves as it is, and another one can probe then."""
    world = World(back_at=100)
    outage = world.outage()

    def stopped(seconds: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        outage.was_waited_out(0, world.probe, stopped)
    assert outage.was_waited_out(0, world.probe, world.sleep)


def test_one_probes_while_all_wait() -> None:
    """Eight threads: never two probes at once, and everybody begins anew when Box is back."""
    world = World()
    outage = world.outage()
    gate, back = threading.Lock(), threading.Event()
    probing = threading.Event()
    worth: list[bool] = []

    def probe() -> bool:
        assert gate.acquire(blocking=False), "two at once"
        probing.set()
        world.probes.append(0)
        gate.release()
        return back.is_set() and len(world.probes) > 1

    def sleep(seconds: float) -> None:
        back.wait(0.001)

    def call() -> None:
        worth.append(outage.was_waited_out(0, probe, sleep))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert probing.wait(10)
    back.set()
    for thread in threads:
        thread.join(10)

    assert [True] * 8 == worth
    assert 1 == outage.ended
