"""A timetable of bandwidths, as rclone's --bwlimit takes it. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY, _WEEK = 24 * 60, 7 * 24 * 60
_RATE = re.compile(r"(\d+(?:\.\d+)?)([BKMGTP]?)(?:I?B)?", re.IGNORECASE | re.ASCII)
_TIME = re.compile(r"(?:([A-Za-z]{3})-)?(\d{1,2}):(\d{2})", re.ASCII)

EXAMPLE = '4M, or "08:00,4M 20:00,off", or "Mon-08:00,4M Fri-20:00,off"'


@dataclass(frozen=True)
class Timetable:
    """From which minute of the week on how many bytes a second may leave; None: as many as there are."""

    minutes: tuple[int, ...]
    rates: tuple[int | None, ...]

    @classmethod
    def parse(cls, text: str) -> Timetable | None:
        """None for "" and "off". KiB a second without a suffix, else B, K, M, G, T, P. ValueError."""
        words = text.split()
        if not words:
            return None
        if len(words) == 1 and "," not in words[0]:
            rate = _rate(words[0])
            return None if rate is None else cls((0,), (rate,))
        table = dict(slot for word in words for slot in _slots(word))
        minutes = tuple(sorted(table))
        return cls(minutes, tuple(table[minute] for minute in minutes))

    def rate(self, now: datetime) -> int | None:
        """Return the bytes a second at this moment; `now` in the zone whose hours are meant."""
        minute = now.weekday() * _DAY + now.hour * 60 + now.minute
        # Before the first of the week the last one lasts.
        return self.rates[bisect_right(self.minutes, minute) - 1]


def _slots(word: str) -> list[tuple[int, int | None]]:
    time, comma, rate = word.partition(",")
    found = _TIME.fullmatch(time)
    if not comma or found is None:
        raise ValueError(f"{word!r} is no TIME,RATE; write for example {EXAMPLE}")
    day, hour, minute = (found[1] or "").lower(), int(found[2]), int(found[3])
    if hour > 23 or minute > 59 or (day and day not in _DAYS):
        raise ValueError(f"{time!r} is no time of a day; write for example {EXAMPLE}")
    days = [_DAYS.index(day)] if day else range(7)
    return [((number * _DAY + hour * 60 + minute) % _WEEK, _rate(rate)) for number in days]


def _rate(word: str) -> int | None:
    if word.lower() == "off":
        return None
    found = _RATE.fullmatch(word)
    rate = int(float(found[1]) * 1024 ** "BKMGTP".index(found[2].upper() or "K")) if found else 0
    if not rate:
        raise ValueError(f"{word!r} is no bandwidth; write for example {EXAMPLE}")
    return rate
