"""`boxhaul simulate`: the time that it foretells is what a pass then takes under Box's limits, its start included."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.test_simulate import build, simulated, with_identities
from tests.program import Program, program_for
from tests.trees import Tree

#: Box's limits with a minute of 24 seconds: ten files a second for each who uploads, which no machine is too slow for.
LIMITS = {"uploads_per_minute": 240, "calls_per_minute": 1000, "window_seconds": 24.0}


@contextmanager
def under_limits(program: Program, box: Sandbox) -> Iterator[None]:
    """The plan knows Box's limits, and Box keeps them."""
    program.plan["box"]["limits"] = LIMITS
    program.write_plan()
    box.limits.update(LIMITS)
    try:
        yield
    finally:
        box.limits.reset()


def assert_as_foretold(
    box: Sandbox, document: dict[str, Any], *, lasted: float, foretold: float, binding: str
) -> None:
    """Time within 15 %, calls within 1 %, and by the limit that was named."""
    calls = document["calls"]["total"]
    told = f"{lasted:.1f} s, foretold {foretold:.1f} s; {box.calls.total} calls, foretold {calls}"
    print(told)
    assert binding == document["binding"], document["bounds"]
    assert 0.85 * foretold < lasted < 1.15 * foretold, told
    assert abs(box.calls.total - calls) <= calls / 100, (told, box.calls.by_route)


@pytest.mark.torture
@pytest.mark.strict_reading  # as test_simulate.py::test_large_files
@pytest.mark.parametrize(
    ("small", "large", "identities", "bandwidth", "binding"),
    [
        pytest.param(800, 0, 0, "", "files", id="many small"),
        pytest.param(1, 4, 0, "2M", "bytes", id="few large"),
        pytest.param(4_000, 3, 4, "", "files", id="mixed with four identities"),
    ],
)
def test_time_under_the_limits(
    tmp_path: Path, box: Sandbox, small: int, large: int, identities: int, bandwidth: str, binding: str
) -> None:
    """A pass of 80 to 100 seconds lasts as long as was foretold, its start and its end included."""
    files: Tree = {f"{n:04}.txt": b"%d" % n for n in range(small)}
    share = build(tmp_path / "share", {"A": files}, large=tuple(f"A/{n}.iso" for n in range(large)))
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, transfer={"bandwidth": bandwidth})
    program.plan["box"]["direct_upload_limit_bytes"] = 20_000_000
    if identities:
        with_identities(program, identities)
    with under_limits(program, box):
        box.calls.reset()
        document = simulated(program)
        begun = time.monotonic()
        finished = program.run("migrate")
        lasted = time.monotonic() - begun

    assert 0 == finished.code, finished.output
    assert_as_foretold(box, document, lasted=lasted, foretold=document["seconds"], binding=binding)


@pytest.mark.torture
def test_time_over_two_windows(tmp_path: Path, box: Sandbox) -> None:
    """A minute under way is open, the next one is closed: the pass ends in the one after that, when it was said."""
    share = build(tmp_path / "share", {"A": {f"{n:04}.txt": b"%d" % n for n in range(500)}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()})
    time.sleep((20 - time.time()) % 60)  # two thirds of a minute are left
    opens = datetime.now(UTC).replace(second=0, microsecond=0)
    minutes = [f"{opens + timedelta(minutes=number):%H:%M}" for number in range(5)]
    window = f"{minutes[0]}-{minutes[1]}, {minutes[2]}-{minutes[4]}"
    with under_limits(program, box):
        box.calls.reset()
        document = simulated(program, "--window", window)
        stopped = program.run("migrate", "--window", window)
        arrived = len(box.files())
        closed = datetime.now(UTC)
        time.sleep(max(0.0, (opens + timedelta(minutes=2) - closed).total_seconds()))
        finished = program.run("migrate", "--window", window)
        ended = datetime.now(UTC)

    assert (1, 0) == (stopped.code, finished.code), stopped.output + finished.output
    assert 0 < arrived < 500
    # Hours are looked at every few seconds.
    assert timedelta(minutes=1) <= closed - opens < timedelta(minutes=1, seconds=20)
    begun, end = (datetime.fromisoformat(document[key]) for key in ("at", "finish_at"))
    lasted, foretold = (ended - begun).total_seconds(), (end - begun).total_seconds()
    assert 60 + document["seconds"] <= foretold + 1  # it stands still for a minute
    assert_as_foretold(box, document, lasted=lasted, foretold=foretold, binding="files")
