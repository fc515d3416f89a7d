"""Box's clock beside ours, by the Date header of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer's headers, and the seconds by our clock between which Box wrote them."""

    headers: Mapping[str, str]
    asked_at: float
    heard_at: float


def skew_seconds(heard: Heard, believed: float | None) -> float | None:
    """Return Box's clock minus ours, in seconds; what was believed when the answer has no date.

    Box tells whole seconds, and an answer may come long after it was written: a slow line or a busy machine is no wrong
    clock. So what is believed (at first: that both clocks agree) stays while the answer allows it, and moves no further
    than it must otherwise.
    """
    try:
        date = parsedate_to_datetime(heard.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return believed
    lowest, highest = date - heard.heard_at, date + 1.0 - heard.asked_at
    return min(max(believed or 0.0, lowest), highest)
