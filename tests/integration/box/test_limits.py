"""Box's limits are kept by design: no 429 at the very limits, over restarts and with several identities."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from connectors.box.client.pacer import EarlierBlock
from connectors.box.config import BoxConfig, UploadLimits
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from tests.integration.box.files import opener, upload

WINDOW = 1.0
UPLOADS, CALLS = 24, 100


def limited(box: Sandbox, config: BoxConfig) -> BoxConfig:
    """Box's limits at a tenth of their size and a sixtieth of their time, on both sides."""
    box.limits.window_seconds, box.limits.uploads_per_minute, box.limits.calls_per_minute = (
        WINDOW,
        UPLOADS,
        CALLS,
    )
    limits = UploadLimits(uploads_per_minute=UPLOADS, calls_per_minute=CALLS, window_seconds=WINDOW)
    return config.model_copy(update={"limits": limits})


def put_all(destination: BoxDestination, names: Iterable[str], threads: int = 8) -> None:
    """Upload one small file per name, many at a time."""
    left = iter(list(names))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                name = next(left, None)
            if name is None:
                return
            destination.put(upload("0", name, name.encode()), opener(name.encode()))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


@pytest.mark.parametrize("counting", ["sliding", "fixed", "bucket"])
@pytest.mark.gate(1)
def test_no_429_at_the_limit(box: Sandbox, config: BoxConfig, counting: str) -> None:
    """Four windows' worth of uploads from eight threads: never one too many, in whichever way Box counts."""
    scaled = limited(box, config)
    box.limits.counting = counting
    box.limits.bucket_share = 0.5  # a window of a second leaves little time for a slow machine
    with BoxDestination(scaled) as destination:
        put_all(destination, (f"f{n}" for n in range(4 * UPLOADS)))

    assert (0, 4 * UPLOADS) == (box.calls.by_status[429], len(box.files()))


@pytest.mark.torture
@pytest.mark.parametrize("counting", ["sliding", "fixed", "bucket"])
def test_published_limits_in_real_time(box: Sandbox, config: BoxConfig, counting: str) -> None:
    """Two processes, one after the other, at Box's own limits: no 429, and a bucket of a twentieth is enough."""
    box.limits.uploads_per_minute, box.limits.calls_per_minute = 240, 1000
    box.limits.counting, box.limits.bucket_share = counting, 0.05
    written: list[EarlierBlock] = []
    limits = config.model_copy(update={"limits": UploadLimits()})
    began = time.monotonic()
    for life in range(2):
        with BoxDestination(
            limits,
            reserve=lambda *used: written.append((datetime.now(UTC), *used)),
            earlier_blocks=list(written),
        ) as destination:
            put_all(destination, (f"{life}-{n}" for n in range(150)))
    seconds = time.monotonic() - began

    assert (0, 300) == (box.calls.by_status[429], len(box.files()))
    # What a process wrote down beforehand and did not use is lost to the next: an eighth of a window at most.
    assert 300 >= 0.98 * 4 * seconds - 30


def test_no_429_over_restarts(box: Sandbox, config: BoxConfig) -> None:
    """Each process writes its blocks down and takes over what the last one wrote: still never one too many."""
    written: list[EarlierBlock] = []

    def reserve(uploads: int, calls: int) -> None:
        written.append((datetime.now(UTC), uploads, calls))

    scaled = limited(box, config)
    for life in range(4):
        with BoxDestination(scaled, reserve=reserve, earlier_blocks=list(written)) as destination:
            put_all(destination, (f"{life}-{n}" for n in range(20)))

    assert (0, 80) == (box.calls.by_status[429], len(box.files()))
    assert sum(uploads for _, uploads, _ in written) >= 80


def test_latency_does_not_break_the_limit(box: Sandbox, config: BoxConfig) -> None:
    """Answers that take a third of the window, sixteen threads: no 429."""
    scaled = limited(box, config)
    box.limits.latency_seconds = WINDOW / 3
    with BoxDestination(scaled) as destination:
        put_all(destination, (f"f{n}" for n in range(3 * UPLOADS)), threads=16)

    assert (0, 3 * UPLOADS) == (box.calls.by_status[429], len(box.files()))


def test_parts_keep_the_limit_of_calls(box: Sandbox, config: BoxConfig) -> None:
    """A large file's parts count as calls: three windows of parts, no 429."""
    scaled = limited(box, config)
    box.settings.part_size = 100
    data = bytes(range(256)) * 100  # 256 parts
    with BoxDestination(scaled) as destination:
        receipt = destination.put(upload("0", "big", data), opener(data))

    assert (256, 0) == (receipt.parts_sent, box.calls.by_status[429])


def test_a_wrong_belief_about_the_limit_is_survived(box: Sandbox, config: BoxConfig) -> None:
    """A plan that claims more than Box allows: 429s come, Retry-After is kept, everything arrives."""
    scaled = limited(box, config)
    bold = scaled.model_copy(update={"limits": UploadLimits(uploads_per_minute=60, window_seconds=WINDOW)})
    with BoxDestination(bold) as destination:
        put_all(destination, (f"f{n}" for n in range(60)))

        assert destination.statistics().rate_limited == box.calls.by_status[429] >= 1
    assert 60 == len(box.files())


def test_the_meter_agrees_with_box(box: Sandbox, config: BoxConfig) -> None:
    """call_counts() is what Box counted, route by route."""
    with BoxDestination(config) as destination:
        put_all(destination, (f"f{n}" for n in range(20)))
        destination.whoami()
        list(destination.list_folder("0"))
        counted = destination.call_counts()
        statistics = destination.statistics()

    assert dict(box.calls.by_route) == counted
    assert (23, 20, sum(counted.values())) == (len(box.files()) + 3, statistics.uploads, statistics.calls)
