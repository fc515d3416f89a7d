"""Box's timestamps: RFC 3339 in, the enterprise's offset out, whole seconds. No other date arithmetic."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from connectors.box.sandbox.errors import bad_request

_PATTERN = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d{1,3})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_STANDARD = timezone(timedelta(hours=-8))
_SUMMER = timezone(timedelta(hours=-7))


def parse_date(text: object, name: str) -> int:
    """Seconds since the epoch for an RFC 3339 text with a zone.

    Raises 400 for anything else and for instants before 1970 (box.md §4.5). Up to three fractional digits
    are taken and dropped, because Box keeps whole seconds; more are refused, being documented nowhere.
    """
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise bad_request(f"Invalid value '{text}'. '{name}' should be an RFC 3339 timestamp", name)
    day, clock, zone = match.groups()
    try:
        seconds = int(datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone == 'Z' else zone}").timestamp())
    except (ValueError, OverflowError) as exc:
        raise bad_request(f"Invalid value '{text}' for '{name}'", name) from exc
    if seconds < 0:
        raise bad_request(f"'{name}' is before 1970-01-01T00:00:00Z", name)
    return seconds


@lru_cache(maxsize=1 << 16)
def format_date(seconds: int) -> str:
    """The text that Box sends: the enterprise's own offset, which changes with daylight saving.

    A client that compares texts instead of instants fails here as it fails at Box.
    """
    zone = _SUMMER if _is_summer(seconds) else _STANDARD
    return datetime.fromtimestamp(seconds, zone).isoformat(timespec="seconds")


def format_utc(seconds: int) -> str:
    """The text in UTC with a `Z`, in which the upload host gives the end of a session's life."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_optional(seconds: int | None) -> str | None:
    """`format_date`, or None for None."""
    return None if seconds is None else format_date(seconds)


@lru_cache(maxsize=512)
def _summer_of(year: int) -> tuple[int, int]:
    # Second Sunday of March to first Sunday of November, 10:00 and 09:00 UTC. The rule of the zone database
    # is not needed: any offset is right as long as it names the same instant, and bare systems lack the data.
    march = datetime(year, 3, 8, 10, tzinfo=UTC)
    november = datetime(year, 11, 1, 9, tzinfo=UTC)
    start = march + timedelta(days=(6 - march.weekday()) % 7)
    end = november + timedelta(days=(6 - november.weekday()) % 7)
    return int(start.timestamp()), int(end.timestamp())


def _is_summer(seconds: int) -> bool:
    start, end = _summer_of(datetime.fromtimestamp(seconds, UTC).year)
    return start <= seconds < end
