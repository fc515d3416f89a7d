"""The pacer: whatever the latency, a server that counts in sliding windows never sees more than the limit."""

from __future__ import annotations

import random
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.box.client.pacer import EarlierBlock, Pacer
from connectors.box.client.retries import Backoff
from connectors.errors import Stopped

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """Simulated time, calls in flight, and what the server counted when."""

    dice: random.Random
    latency: float
    now: float = 0.0
    in_flight: list[tuple[float, ExitStack]] = field(default_factory=list)
    uploads: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Time passes; answers that arrive meanwhile give their places back."""
        until = self.now + seconds
        while due := [each for each in self.in_flight if each[0] <= until]:
            first = min(due, key=lambda each: each[0])
            self.in_flight.remove(first)
            self.now = max(self.now, first[0])
            first[1].close()
        self.now = max(self.now, until)

    def begin(self, pacer: Pacer, *, upload: bool) -> None:
        """One call: the server counts it at some instant between sending and answer."""
        stack = ExitStack()
        stack.enter_context(pacer.call(upload=upload))
        answer = self.now + self.dice.uniform(0, self.latency)
        counted = self.dice.uniform(self.now, answer)
        self.calls.append(counted)
        if upload:
            self.uploads.append(counted)
        self.in_flight.append((answer, stack))
        self.sleep(0)

    def pacer(self, uploads: int, calls: int, window: float) -> Pacer:
        return Pacer(
            uploads=uploads,
            calls=calls,
            window_seconds=window,
            clock=lambda: self.now,
            sleep=self.sleep,
            now=lambda: START + timedelta(seconds=self.now),
        )


def most_in_window(moments: list[float], window: float) -> int:
    """The largest count that a sliding window (t - window, t] ever holds."""
    ordered, first, most = sorted(moments), 0, 0
    for last, moment in enumerate(ordered):
        while ordered[first] <= moment - window:
            first += 1
        most = max(most, last - first + 1)
    return most


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 5.0, 200.0]))
def test_the_server_never_counts_more_than_the_limit(seed: int, latency: float) -> None:
    """Uploads and calls stay within both windows, for latencies from nothing to three windows."""
    dice = random.Random(seed)
    world = World(dice, latency)
    pacer = world.pacer(uploads=12, calls=30, window=60)
    for _ in range(150):
        world.begin(pacer, upload=dice.random() < 0.5)
        if dice.random() < 0.1:
            world.sleep(dice.uniform(0, 40))

    assert most_in_window(world.uploads, 60) <= 12
    assert most_in_window(world.calls, 60) <= 30


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 2.0, 90.0]))
def test_the_limit_outlives_the_process(seed: int, latency: float) -> None:
    """A process that dies at any instant and one that takes over together stay within the limit."""
    dice = random.Random(seed)
    world = World(dice, latency)
    written: list[EarlierBlock] = []

    def reserve(uploads: int, calls: int) -> None:
        written.append((START + timedelta(seconds=world.now), uploads, calls))

    for _ in range(4):
        pacer = world.pacer(uploads=16, calls=40, window=60)
        pacer.set_budget(reserve=reserve, earlier=list(written))
        for _ in range(dice.randint(1, 60)):
            world.begin(pacer, upload=dice.random() < 0.7)
        # The process dies and its connections with it: the server counts none of its calls any more.
        world.in_flight.clear()
        world.uploads = [moment for moment in world.uploads if moment <= world.now]
        world.calls = [moment for moment in world.calls if moment <= world.now]
        world.now += dice.uniform(0, 5)

    assert most_in_window(world.uploads, 60) <= 16
    assert most_in_window(world.calls, 60) <= 40


def most_tokens_missing(moments: list[float], rate: float) -> float:
    """How many tokens a bucket must hold that gets so many a second, for none of these calls to be refused."""
    missing = most = before = 0.0
    for moment in sorted(moments):
        missing = max(0.0, missing - (moment - before) * rate) + 1
        most, before = max(most, missing), moment
    return most


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([(240, 1000), (10, 40)]))
def test_calls_are_spread_evenly(seed: int, latency: float, limits: tuple[int, int]) -> None:
    """However Box counts: a bucket of a twentieth of the budget is enough, over rests and restarts, too (P10)."""
    dice = random.Random(seed)
    world = World(dice, latency)
    uploads, calls = limits
    written: list[EarlierBlock] = []
    for _ in range(3):
        pacer = world.pacer(uploads=uploads, calls=calls, window=60)
        pacer.set_budget(
            reserve=lambda *used: written.append((START + timedelta(seconds=world.now), *used)),
            earlier=list(written),
        )
        for _ in range(uploads):
            world.begin(pacer, upload=dice.random() < 0.8)
            if dice.random() < 0.02:
                world.sleep(dice.uniform(0, 20))

    # Two calls more than at once may come where the limit is small: the first of a process, and one that catches up.
    assert most_tokens_missing(world.uploads, uploads / 60) <= max(3, uploads / 20)
    assert most_tokens_missing(world.calls, calls / 60) <= max(3, calls / 20)


@pytest.mark.parametrize("latency", [0.0, 0.3, 1.0])
def test_nothing_of_the_budget_is_lost(latency: float) -> None:
    """Ten minutes of work without a rest: at least 98 percent of the uploads that Box allows."""
    world = World(random.Random(1), latency)
    pacer = world.pacer(uploads=240, calls=1000, window=60)
    while world.now < 600:
        world.begin(pacer, upload=True)

    assert len(world.uploads) >= 0.98 * 2400


def test_the_limit_is_used_up() -> None:
    """With quick answers the whole budget of every window is used: ten windows, ten budgets."""
    world = World(random.Random(1), latency=0.01)
    pacer = world.pacer(uploads=24, calls=100, window=6)
    while world.now < 60:
        world.begin(pacer, upload=True)

    assert len(world.uploads) >= 240


@pytest.mark.parametrize(
    ("latency", "expected"),
    [(0.0, [(0, 2, 10), (2, 2, 10), (4, 2, 10)]), (1e6, [(0, 2, 10), (2, 4, 12), (4, 6, 14)])],
)
def test_blocks_are_reserved_before_they_are_used(
    latency: float, expected: list[tuple[int, int, int]]
) -> None:
    """An eighth of the window at a time, with what is still in flight, written down before the call begins."""
    world = World(random.Random(1), latency)
    pacer = world.pacer(uploads=16, calls=80, window=60)
    blocks: list[tuple[int, int, int]] = []
    pacer.set_budget(reserve=lambda uploads, calls: blocks.append((len(world.calls), uploads, calls)))
    for _ in range(5):
        world.begin(pacer, upload=True)

    assert expected == blocks


@given(calls=st.integers(0, 60), uploads=st.integers(0, 12))
def test_what_was_not_used_is_given_back_once(calls: int, uploads: int) -> None:
    """What is written down, less what is given back, is what was used or over-reserved before the last block."""
    world = World(random.Random(1), latency=0.0)
    pacer = world.pacer(uploads=16, calls=80, window=60)
    blocks: list[tuple[int, int]] = []
    pacer.set_budget(reserve=lambda *block: blocks.append(block))
    for number in range(calls + uploads):
        world.begin(pacer, upload=number < uploads)
    used = len(world.calls) - 10 * max(0, len(blocks) - 1)

    unused = pacer.give_back()

    assert (0, 0) == pacer.give_back()
    if blocks and not uploads:
        assert blocks[-1][1] - unused[1] == used
    world.begin(pacer, upload=True)
    assert (calls + uploads > 0) + 1 <= len(blocks), "the next call reserves anew"


def test_earlier_blocks_count_until_their_time_is_over() -> None:
    """A block until one window after the next one, the last one until one window from now."""
    world = World(random.Random(1), latency=0.0)
    pacer = world.pacer(uploads=10, calls=10, window=60)
    earlier = [(START - timedelta(seconds=age), 3, 3) for age in (90, 50, 20)]
    pacer.set_budget(reserve=None, earlier=earlier)
    begun = []
    for _ in range(10):
        world.begin(pacer, upload=True)
        begun.append(round(world.now))

    assert [0, 10, 16, 22, 40, 46, 52, 60, 66, 72] == begun


def test_blocks_from_the_future_hold_nobody_up() -> None:
    """A clock that was an hour ahead when they were reserved: they count for one window from now, like the last one."""
    world = World(random.Random(1), latency=0.0)
    pacer = world.pacer(uploads=4, calls=10, window=60)
    ahead = START + timedelta(hours=1)
    pacer.set_budget(reserve=None, earlier=[(ahead, 4, 4), (ahead, 0, 0)])
    world.begin(pacer, upload=True)

    assert 60 == round(world.now)


def test_a_refused_reservation_leaves_as_it_is() -> None:
    """What reserve() raises ends the call, unchanged, and no place is lost by it."""
    world = World(random.Random(1), latency=0.0)
    pacer = world.pacer(uploads=1, calls=1, window=60)

    def refuse(uploads: int, calls: int) -> None:
        raise LookupError("lease lost")

    pacer.set_budget(reserve=refuse)
    with pytest.raises(LookupError, match="lease lost"), pacer.call(upload=True):
        raise AssertionError("the call must not begin")
    pacer.set_budget(reserve=None)
    with pacer.call(upload=True):
        pass

    assert world.now == 0.0


def test_a_pause_holds_every_call_back() -> None:
    """After the server asked for 100 s nothing begins before 100 s are over."""
    world = World(random.Random(1), latency=0.0)
    pacer = world.pacer(uploads=10, calls=10, window=60)
    pacer.pause(100)
    world.begin(pacer, upload=False)

    assert world.now >= 100
    assert pacer.waited_seconds >= 100


def test_a_stop_ends_every_wait() -> None:
    """Threads that wait for a place, and wait(), end with Stopped when the event is set."""
    stop = threading.Event()
    pacer = Pacer(uploads=1, calls=1, window_seconds=3600, stop=stop)
    with pacer.call(upload=True):
        pass
    ended: list[str] = []

    def wait_for_a_place() -> None:
        with suppress(Stopped):
            with pacer.call(upload=True):
                ended.append("began")
            return
        ended.append("stopped")

    threads = [threading.Thread(target=wait_for_a_place) for _ in range(3)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(timeout=30)

    assert ["stopped"] * 3 == ended
    with pytest.raises(Stopped):
        pacer.wait(3600)


def test_pressure_prefers_the_idle_identity() -> None:
    """The fuller the upload window, the higher the number that identities are chosen by."""
    pacer = Pacer(uploads=10, calls=10)
    before = pacer.pressure()
    with pacer.call(upload=True):
        during = pacer.pressure()
    with pacer.call():
        after_a_call = pacer.pressure()

    assert (0.0, 0.1, 0.1) == (before, during, after_a_call)


def test_backoff_doubles_up_to_its_bound_within_the_jitter() -> None:
    """0.5 s, 1 s, 2 s, … 60 s, each spread over 50 % to 150 %."""
    backoff = Backoff()

    assert [0.5, 1.0, 2.0, 60.0, 60.0] == [backoff.seconds(n, chance=0.5) for n in (1, 2, 3, 9, 10_000)]
    assert (0.25, 0.75) == (backoff.seconds(1, chance=0.0), backoff.seconds(1, chance=1.0))
    assert all(0.25 <= backoff.seconds(1) <= 0.75 for _ in range(50))


def test_a_pacer_without_a_budget_is_refused() -> None:
    """Zero calls per window would wait for ever."""
    with pytest.raises(ValueError, match="at least one"):
        Pacer(uploads=0, calls=1)
