"""Senders: as many threads as make it faster, and none more, whatever the line is like."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable

import pytest

from flows.run.senders import AT_A_STOP, FIRST, LEAST, REST, Senders, Width

Line = Callable[[int], float]


def line(*, latency: float, work: float = 0.001, limit: float = 1e9, crowd: float = 0.0) -> Line:
    """Results a second by the number of threads: each waits for `latency` and works for `work` seconds in turn with
    the others, which costs `crowd` more for each of them; Box's limit cuts off."""
    return lambda width: min(width / (latency + work), 1 / (work + crowd * width), limit)


def settled(width: Width, line: Line, *, measurements: int = 200, noise: float = 0.0, seed: int = 1) -> float:
    """The width in the middle after so many measurements: tries included."""
    dice = random.Random(seed)
    seen = []
    for _ in range(measurements):
        width.measured(line(width.now) * dice.uniform(1 - noise, 1 + noise))
        seen.append(width.now)
    return sorted(seen[measurements // 2 :])[measurements // 4]


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize(
    ("slope", "least", "most"),
    [
        (line(latency=0.0), LEAST, FIRST),
        (line(latency=0.0, crowd=0.0001), LEAST, FIRST),
        (line(latency=0.002), LEAST, 8),
        (line(latency=0.060), 32, 64),
        (line(latency=0.500), 64, 64),
        (line(latency=0.300, limit=4), LEAST, FIRST),
        (line(latency=1.500, limit=4), 4, 16),
        (line(latency=0.300, limit=64), 16, 64),
    ],
)
def test_as_many_as_make_it_faster(slope: Line, least: int, most: int, noise: float) -> None:
    """Few without latency and where Box's limits bind, many over a slow line; a restless machine changes little."""
    for seed in range(5):
        assert least <= settled(Width(64), slope, noise=noise, seed=seed) <= most


def test_a_line_that_becomes_slow_and_fast_again() -> None:
    """What was found is tried again now and then."""
    width = Width(64)
    assert settled(width, line(latency=0.0)) <= FIRST
    assert settled(width, line(latency=0.2), measurements=4 * REST) == 64
    assert settled(width, line(latency=0.0), measurements=16 * REST) <= FIRST


def test_it_grows_within_a_few_measurements() -> None:
    """The start is what is sent slowest over a slow line, and three looks are enough to leave it."""
    width = Width(64)
    for _ in range(3):
        width.measured(line(latency=0.06)(width.now))

    assert 64 == width.now


def test_it_begins_with_what_paid_elsewhere() -> None:
    """As long as nothing was measured; later its own measurements count, and the plan's number always does."""
    width = Width(16)
    width.begin_with(32)
    assert 16 == width.now
    settled(width, line(latency=0.0))
    width.begin_with(32)

    assert width.now <= FIRST
    few = Width(64)
    few.begin_with(1)
    assert FIRST == few.now


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 64])
def test_the_plans_number_is_the_most(most: int) -> None:
    """However much it would pay."""
    width = Width(most)
    for _ in range(300):
        width.measured(line(latency=1.0)(width.now))
        assert min(LEAST, most) <= width.now <= most


def test_everything_runs_once_and_answers() -> None:
    """Results and errors arrive with their jobs."""
    senders, done = Senders(64), []

    def work(number: int) -> int:
        done.append(number)
        if number == 13:
            raise ValueError("13")
        return number * 2

    futures = [senders.submit(work, number) for number in range(2_000)]
    assert "13" == str(futures[13].exception(20))
    assert sum(range(2_000)) * 2 - 26 == sum(f.result(20) for f in futures if f is not futures[13])
    assert [0, 2, 4] == senders.map(lambda number: number * 2, range(3))
    senders.shutdown()
    assert sorted(done) == list(range(2_000))


def test_it_grows_where_waiting_is_all_there_is() -> None:
    """Threads that wait for a slow answer become many, and never more than allowed."""
    senders, most, now, lock = Senders(16), 0, 0, threading.Lock()

    def wait() -> None:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1

    for future in [senders.submit(wait) for _ in range(800)]:
        future.result(60)
    senders.shutdown()

    assert FIRST < most <= 16


def test_those_who_take_long_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large files on their way as many at once as pay for small ones: these would wait for hours."""
    monkeypatch.setattr("flows.run.senders.LONG_SECONDS", 0.02)
    senders, go = Senders(8), threading.Event()
    large = [senders.submit(go.wait, 60) for _ in range(FIRST)]
    try:
        assert [0, 2, 4] == [senders.submit(lambda n: n * 2, number).result(10) for number in range(3)]
        assert AT_A_STOP == senders.width
        large += [senders.submit(go.wait, 60) for _ in range(2 * AT_A_STOP)]
        time.sleep(0.2)
        assert AT_A_STOP == senders.width
    finally:
        go.set()
        assert all(job.result(20) for job in large)
        senders.shutdown()


def test_one_is_one() -> None:
    """A plan that wants one file in flight gets one."""
    senders, seen = Senders(1), set[str]()
    senders.map(lambda _: seen.add(threading.current_thread().name), range(100))
    senders.shutdown()

    assert {"sender_0"} == seen


def test_the_end_cancels_what_waits() -> None:
    """What is under way ends, what waits for its turn is cancelled, and nothing can be begun."""
    senders, going, go = Senders(1), threading.Event(), threading.Event()

    def first() -> str:
        going.set()
        go.wait(20)
        return "done"

    under_way, waiting = senders.submit(first), senders.submit(lambda: "never")
    assert going.wait(20)
    ending = threading.Thread(target=senders.shutdown)
    ending.start()
    while not waiting.cancelled():
        time.sleep(0.01)
    go.set()
    ending.join(20)

    assert "done" == under_way.result(20)
    with pytest.raises(RuntimeError, match="shut down"):
        senders.submit(print)
    senders.shutdown()


def test_a_job_wakes_one_sender() -> None:
    """Of many that have nothing to do, one looks for each job: a crowd that wakes up costs more than the job."""
    most, jobs = 32, 50
    looks = itertools.count()
    senders = Senders(most, clock=lambda: float(next(looks)))
    senders._width.now = most
    begun = threading.Barrier(most)
    try:
        for future in [senders.submit(begun.wait, 10) for _ in range(most)]:
            future.result()
        before = next(looks)
        for _ in range(jobs):
            senders.submit(int).result()
        after = next(looks)
    finally:
        senders.shutdown()

    # Who finds nothing to do looks at the clock, and so does who has done something.
    assert after - before < 5 * jobs
