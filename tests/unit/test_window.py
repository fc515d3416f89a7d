"""The hours in which files may be sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flows.errors import PlanError
from flows.run.window import Window

NIGHTS = "Mon-Fri 20:00-06:00, Sat-Sun"


def parsed(text: str) -> Window:
    """A window that there is."""
    window = Window.parse(text)
    assert window is not None
    return window


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of the week of Monday, 5 January 2026."""
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        (at(5, 19, 59), False),
        (at(5, 20), True),
        (at(6, 5, 59), True),
        (at(6, 6), False),
        (at(9, 23), True),
        (at(10, 12), True),
        (at(11, 23, 59), True),
        (at(12, 0), False),
    ],
)
def test_nights_and_week_ends(moment: datetime, is_open: bool) -> None:
    """Hours run over midnight into the next day; days without hours are whole days."""
    assert is_open is parsed(NIGHTS).is_open(moment)


def test_sunday_night_runs_into_monday() -> None:
    """The week is a circle."""
    assert parsed("Sun 22:00-04:00").is_open(at(5, 3))
    assert not parsed("Sun 22:00-04:00").is_open(at(5, 4))


def test_days_may_run_over_the_end_of_the_week() -> None:
    """Fri-Mon is Friday, Saturday, Sunday and Monday."""
    open_days = [day for day in range(5, 12) if parsed("Fri-Mon").is_open(at(day, 12))]

    assert [5, 9, 10, 11] == open_days


@pytest.mark.parametrize(
    ("text", "open_days"),
    [("Sat Sun", [10, 11]), ("Mon-Tue Fri", [5, 6, 9]), ("Fri Mon-Tue Mon", [5, 6, 9])],
)
def test_days_may_be_several_words(text: str, open_days: list[int]) -> None:
    """All of them count, with hours before or after them as well as without."""
    for window in (parsed(text), parsed(f"{text} 11:00-13:00"), parsed(f"11:00-13:00 {text}")):
        assert open_days == [day for day in range(5, 12) if window.is_open(at(day, 12))]


def test_hours_are_of_the_time_zone() -> None:
    """20:00 in Berlin is 19:00 UTC in winter."""
    window = parsed("20:00-06:00 Europe/Berlin")

    assert window.is_open(at(5, 19))
    assert not window.is_open(at(5, 18, 59))


def test_it_closes_at_the_end_of_its_hours() -> None:
    """The moment at which a run must have stopped; never, where every minute is open."""
    assert at(6, 6) == parsed(NIGHTS).closes(at(5, 21, 30))
    assert parsed("Mon-Sun").closes(at(5, 21)) is None


def test_no_text_is_any_time() -> None:
    """A run without a window is never stopped by one."""
    assert Window.parse("  ") is None


@pytest.mark.parametrize(
    "text",
    [
        "Montag 20:00-06:00",
        "20-06",
        "20:00-20:00",
        "25:00-26:00",
        "Mon,",
        "Mon 20:00-06:00 Mars/Olympus",
        "20:00-23:00 01:00-06:00",
        "Mon 20:00-23:00 Tue",
        "Mon 20:00-23:00 Tue 01:00-06:00",
    ],
)
def test_what_is_not_understood_is_said(text: str) -> None:
    """A typing error is a plan error that begins with the name of the field."""
    with pytest.raises(PlanError, match=r"^window: "):
        Window.parse(text)


def test_hours_that_end_are_told_in_the_plan_s_own_zone() -> None:
    """Over midnight, and over the change to winter time in Berlin, where 02:30 comes twice."""
    window = Window.parse("Sat 22:00-03:00 Europe/Berlin")

    assert window is not None
    expected = {
        "2026-10-24T19:59:00+00:00": False,
        "2026-10-24T20:00:00+00:00": True,
        "2026-10-25T00:30:00+00:00": True,
        "2026-10-25T01:30:00+00:00": True,
        "2026-10-25T02:00:00+00:00": False,
    }
    assert expected == {moment: window.is_open(datetime.fromisoformat(moment)) for moment in expected}
