"""How long a pass takes under Box's limits, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.box.config import BoxConfig
from connectors.box.upload.part_sizes import parts_of
from flows.errors import PlanError
from flows.plan.bandwidth import Timetable
from flows.run.forecast import (
    Speeds,
    Workload,
    bounds,
    finish_at,
    forecast_seconds,
    parse_speed,
    seconds_at_least,
    within_bandwidth,
)
from flows.run.window import Window

BOX = BoxConfig.model_validate({"auth": {"method": "jwt", "config_file": "x.json"}})
MONDAY = datetime(2026, 11, 30, 8, tzinfo=UTC)


def lasts(users: int = 1, speeds: Speeds = Speeds(), **work: Any) -> float:  # noqa: B008  (frozen)
    """Seconds of a pass."""
    return forecast_seconds(Workload(**work), BOX, users=users, speeds=speeds)


def test_uploads_bind_small_files() -> None:
    """240 a minute for each user; the same number as elsewhere."""
    work = {"uploads": 24_000, "sender_calls": 24_000, "other_calls": 100}

    assert 6_000 == lasts(**work) == seconds_at_least(24_000, BOX)
    assert 750 == lasts(users=8, **work)


def test_calls_bind_parts_and_folders() -> None:
    """1,000 a minute for each user; the service account has one of its own beside those who upload."""
    assert 120 == lasts(uploads=2, sender_calls=1_500, other_calls=500)
    assert 30 == lasts(users=4, uploads=2, sender_calls=1_500, other_calls=500)


def test_line_and_source_bind_bytes() -> None:
    """The slower of both."""
    found = bounds(Workload(size=1_000), BOX, users=1, speeds=Speeds(line=10, source=5))

    assert (100, 200) == (found["bytes"], found["source"])


def test_last_listing_comes_after_the_last_file() -> None:
    """Nothing is sent beside it."""
    assert 62 == lasts(uploads=240, sender_calls=240) + lasts(last_calls=100) - 4


@pytest.mark.parametrize(
    ("text", "speed"), [("100MB/s", 1e8), ("1 Gbit/s", 1.25e8), ("2.5kbps", 2_500), ("7B/s", 7)]
)
def test_speeds(text: str, speed: float) -> None:
    """In bytes, or in bits where that is said; thousands, as lines are sold."""
    assert speed == parse_speed(text)


@pytest.mark.parametrize("text", ["", "fast", "100", "100MB", "0MB/s", "-1MB/s"])
def test_what_is_no_speed(text: str) -> None:
    """One line that says how it is written."""
    with pytest.raises(PlanError, match="100MB/s"):
        parse_speed(text)


@pytest.mark.parametrize(
    ("hours", "end"),
    [(1, "Mon 21:00"), (10, "Tue 06:00"), (11, "Tue 21:00"), (50, "Sat 06:00"), (51, "Mon 21:00")],
)
def test_work_stands_still_while_the_window_is_closed(hours: int, end: str) -> None:
    """Ten hours a night from Monday to Friday: the week has fifty."""
    window = Window.parse("Mon-Fri 20:00-06:00")

    assert end == f"{finish_at(MONDAY, hours * 3_600, window):%a %H:%M}"


def test_work_ends_within_a_minute_of_a_window() -> None:
    """The hours begin and end with full minutes; of the minute in which the work begins the rest counts."""
    window, start = Window.parse("08:00-08:01, 08:02-08:03"), MONDAY.replace(second=40)

    assert MONDAY.replace(second=50) == finish_at(start, 10, window)
    assert MONDAY.replace(minute=2, second=15) == finish_at(start, 35, window)
    assert MONDAY + timedelta(days=1, seconds=5) == finish_at(start, 85, window)


@pytest.mark.parametrize(
    ("bandwidth", "size", "line", "mean"),
    [
        ("", 10**9, 10.0, 10.0),
        ("1M", 10**9, None, 1024**2),
        ("1M", 10**9, 10.0, 10.0),
        ("00:00,60B 08:01,120B", 3_600 + 7_200, None, 90.0),  # a minute of each
        ("00:00,60B 08:01,120B", 3_600 + 7_200, 60.0, 60.0),
        ("00:00,60B 08:01,off", 3_600 + 10**9, None, (3_600 + 10**9) / 60),
        ("off", 10**9, None, None),
        ("20:00,4M 08:00,off", 10**9, None, None),  # no limit now: all of it at once
        ("00:00,10B 12:00,20B", 7 * 86_400 * 15 * 3, None, 15.0),  # three whole weeks
    ],
)
def test_bandwidth_of_the_plan(bandwidth: str, size: int, line: float | None, mean: float | None) -> None:
    """What leaves from now on, by its timetable, and never more than the line has."""
    table = Timetable.parse(bandwidth)

    found = within_bandwidth(Speeds(line=line), table, size, now=MONDAY, window=None)

    assert found.line == pytest.approx(mean)


def test_bandwidth_while_the_window_is_open() -> None:
    """The cheap hours of a timetable count only where something is sent in them."""
    table, window = Timetable.parse("00:00,10B 12:00,30B"), Window.parse("00:00-12:00")

    assert 10 == within_bandwidth(Speeds(), table, 10**9, now=MONDAY, window=window).line


def test_without_a_window() -> None:
    """From now on; what no calendar holds has no date."""
    assert MONDAY + timedelta(days=2) == finish_at(MONDAY, 172_800, None)
    assert finish_at(MONDAY, 1e15, None) is None
    assert finish_at(MONDAY, 1e15, Window.parse("Sun 00:00-00:01")) is None


@pytest.mark.parametrize(
    ("size", "parts"), [(20_000_000, 3), (1_400_000_000, 167), (1_400_000_001, 42), (5_000_000_000, 75)]
)
def test_parts(size: int, parts: int) -> None:
    """As Box was seen to choose them."""
    assert parts == parts_of(size)
