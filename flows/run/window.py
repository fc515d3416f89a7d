"""Window: the hours of the week in which files may be sent, and what ends a run when they are over. Starts nothing."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from flows.errors import PlanError, WindowClosed
from flows.run.stop import StopSignal

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK_MINUTES = 7 * 24 * 60
DAY_MINUTES = 24 * 60

_HOURS = re.compile(r"\d{1,2}:\d{2}-\d{1,2}:\d{2}")
_DAYS = re.compile(r"[A-Z][a-z]{2}(?:-[A-Z][a-z]{2})?")

EXAMPLE = "Mon-Fri 20:00-06:00, Sat-Sun Europe/Berlin"

#: Seconds between looks at the clock; a clock that is set, or a summer time that begins, is noticed as soon.
LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class Window:
    """Minutes of the week, from Monday 00:00, as half-open spans; the last one may run over the end of the week."""

    spans: tuple[tuple[int, int], ...]
    zone: tzinfo = UTC
    #: As it was written.
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> Window | None:
        """`Mon-Fri 20:00-06:00, Sat-Sun Europe/Berlin`; None for no text: any time.

        Days (`Sat Sun` as well as `Sat-Sun`) without hours are whole days, hours without days every day; hours that end
        before they begin run over midnight. Without a time zone the hours are UTC. PlanError names what is not
        understood.
        """
        if not text.strip():
            return None
        *words, last = text.split()
        zone: tzinfo = UTC
        if "/" in last or last == "UTC":
            zone = _zone(last)
        else:
            words.append(last)
        parts = [part.split() for part in " ".join(words).split(",")]
        return cls(tuple(span for part in parts for span in _spans(part, text)), zone, text)

    def is_open(self, now: datetime) -> bool:
        """Whether files may be sent at this moment."""
        local = now.astimezone(self.zone)
        minute = local.weekday() * DAY_MINUTES + local.hour * 60 + local.minute
        return any(start <= at < end for start, end in self.spans for at in (minute, minute + WEEK_MINUTES))

    def closes(self, now: datetime) -> datetime | None:
        """The first full minute after `now` at which it is closed; None when it never is."""
        at = now.replace(second=0, microsecond=0)
        for _ in range(WEEK_MINUTES + 1):
            if not self.is_open(at):
                return at
            at += timedelta(minutes=1)
        return None

    @contextmanager
    def enforced(self, stop: StopSignal) -> Iterator[None]:
        """Stop the run with WindowClosed when the hours are over while the body lasts."""
        done = threading.Event()

        def watch() -> None:
            while self.is_open(datetime.now(UTC)):
                if done.wait(LOOK_SECONDS):
                    return
            stop.fail(WindowClosed(f"the window {self.text!r} is closed"))

        thread = threading.Thread(target=watch, name="window", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise PlanError(f"window: there is no time zone {name!r}") from exc


def _spans(words: list[str], text: str) -> list[tuple[int, int]]:
    """Days, one word or several, and hours, one word at most, in either order."""
    days = [word for word in words if _DAYS.fullmatch(word)]
    hours = [word for word in words if _HOURS.fullmatch(word)]
    strange = [repr(word) for word in words if word not in (*days, *hours)]
    if strange or not words:
        raise PlanError(
            f"window: {strange[0] if words else repr(text)} is not understood; write for example {EXAMPLE}"
        )
    if len(hours) > 1 or words not in (days + hours, hours + days):
        raise PlanError(
            f"window: {' '.join(words)!r} has hours twice, or days on both sides of them; set a comma between the"
            f" parts, for example {EXAMPLE}"
        )
    start, end = _hours(hours[0], text) if hours else (0, DAY_MINUTES)
    open_days = {day for word in days for day in _days(word, text)} if days else set(range(7))
    return [(day * DAY_MINUTES + start, day * DAY_MINUTES + end) for day in sorted(open_days)]


def _hours(word: str, text: str) -> tuple[int, int]:
    from_hour, from_minute, to_hour, to_minute = (int(number) for number in re.findall(r"\d+", word))
    start, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    if max(from_minute, to_minute) > 59 or start >= DAY_MINUTES or end > DAY_MINUTES or start == end:
        raise PlanError(f"window: {word!r} in {text!r} are no hours of a day")
    return start, end if end > start else end + DAY_MINUTES


def _days(word: str, text: str) -> list[int]:
    first, _, last = word.partition("-")
    last = last or first
    for day in (first, last):
        if day not in DAYS:
            raise PlanError(f"window: {day!r} in {text!r} is no day; days are {', '.join(DAYS)}")
    start, length = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7
    return [(start + step) % 7 for step in range(length + 1)]
