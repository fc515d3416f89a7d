"""Bandwidth: timetables as rclone writes them, and what one process does with its spans of the line."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from connectors.box.client.bandwidth import Bandwidth
from connectors.box.client.errors import NotBox
from connectors.errors import Stopped
from flows.plan.bandwidth import Timetable

MB = 1024**2


@pytest.mark.parametrize(
    ("text", "when", "rate"),
    [
        ("4M", "Mon 00:00", 4 * MB),
        ("512", "Sun 23:59", 512 * 1024),
        ("100B", "Sun 23:59", 100),
        ("1.5g", "Wed 12:00", int(1.5 * 1024**3)),
        ("08:00,4M 20:00,off", "Tue 07:59", None),
        ("08:00,4M 20:00,off", "Tue 08:00", 4 * MB),
        ("08:00,4M 20:00,off", "Tue 19:59", 4 * MB),
        ("08:00,4M 20:00,off", "Tue 20:00", None),
        ("08:00,4M 20:00,1M", "Mon 03:00", MB),
        ("Mon-08:00,4M Fri-20:00,off", "Thu 01:00", 4 * MB),
        ("Mon-08:00,4M Fri-20:00,off", "Sat 09:00", None),
        ("Mon-08:00,4M Fri-20:00,off", "Mon 07:00", None),
    ],
)
def test_timetables(text: str, when: str, rate: int | None) -> None:
    """The entry that began last counts, over midnight and over the end of the week."""
    day, clock = when.split()
    number = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].index(day)
    hour, minute = map(int, clock.split(":"))
    table = Timetable.parse(text)
    assert table is not None
    # 2026-06-01 is a Monday.
    assert rate == table.rate(datetime(2026, 6, 1 + number, hour, minute, tzinfo=UTC))


@pytest.mark.parametrize("text", ["fast", "0", "08:00", "8,4M 25:00,off", "Mun-08:00,4M", "4M off", "08:00,"])
def test_bad_timetables(text: str) -> None:
    """One line that shows how to write it."""
    with pytest.raises(ValueError, match="write for example"):
        Timetable.parse(text)


def test_no_limit() -> None:
    """Nothing and "off" are no limit at all."""
    assert Timetable.parse("") is Timetable.parse("off") is None


class Line:
    """A line that this test owns, on a clock that stands until somebody waits for it."""

    def __init__(self) -> None:
        self.now, self.free_at, self.reserved, self.rate = 100.0, 0.0, 0, 1_000_000
        self.limited = True

    def clock(self) -> float:
        return self.now

    def reserve(self, seconds: float) -> float:
        begins = max(self.free_at, self.now)
        self.free_at, self.reserved = begins + seconds, self.reserved + 1
        return begins - self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False


def used_by(line: Line) -> Bandwidth:
    """A process on this line."""
    stop = threading.Event()
    stop.wait = line.wait  # type: ignore[assignment, method-assign]
    return Bandwidth(lambda: line.rate if line.limited else None, line.reserve, stop, clock=line.clock)


@pytest.mark.parametrize("piece", [1_000, 70_001, 131_072])
def test_rate_is_kept_whatever_the_pieces(piece: int) -> None:
    """Ten seconds of pieces take ten seconds, and ten reservations each."""
    line = Line()
    bandwidth, began = used_by(line), line.now
    for _ in range(10_000_000 // piece):
        bandwidth.wait(bandwidth.piece_bytes(piece))
    sent = sum([min(piece, 100_000)] * (10_000_000 // piece))
    assert (line.now - began) * line.rate == pytest.approx(sent, rel=0.03)
    assert line.reserved <= 10 * (line.now - began) + 5


def test_two_share_one_line() -> None:
    """Each waits for the other's spans."""
    line = Line()
    one, two, began = used_by(line), used_by(line), line.now
    for _ in range(100):
        one.wait(50_000)
        two.wait(50_000)
    assert line.now - began == pytest.approx(10.0, rel=0.05)


def test_nothing_is_reserved_without_a_limit() -> None:
    """It may be limited later."""
    line = Line()
    line.limited = False
    body = used_by(line).paced(b"x" * 300_000)
    assert (300_000, 300_000) == (body.len, len(body.read(1_000_000)))
    assert (0, 100.0) == (line.reserved, line.now)


def test_body_is_given_out_whole_and_in_small_pieces() -> None:
    """No byte is lost or doubled, and none is longer on its way than a tenth of a second."""
    line = Line()
    line.rate = 10_000
    content = bytes(range(256)) * 100
    body = used_by(line).paced(bytearray(content))
    pieces = list(iter(lambda: bytes(body.read(131_072)), b""))
    assert content == b"".join(pieces)
    assert 1_000 == max(map(len, pieces))


def test_stop_ends_the_wait() -> None:
    """And leaves the transport as it is."""
    stop = threading.Event()
    stop.set()
    bandwidth = Bandwidth(lambda: 1, lambda seconds: seconds, stop)
    with pytest.raises(NotBox) as caught:
        bandwidth.paced(b"x" * 1000).read(1000)
    assert isinstance(caught.value.error, Stopped)
