"""Since: the moment of a quick pass, as a person writes it: `7d`, `2026-11-20`, `2026-11-20T18:00+01:00`. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flows.errors import PlanError

_SPAN = re.compile(r"([1-9][0-9]{0,3})([hdw])", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}

EXAMPLE = "7d, 12h, 2026-11-20 or 2026-11-20T18:00"


def since(text: str, now: datetime) -> datetime | None:
    """Return the moment, aware; None for no text. A span is counted back from `now`; a date without a time zone is
    UTC. PlanError for what is neither, and for a moment to come, at which nothing would be looked at."""
    if not text.strip():
        return None
    moment = _moment(text.strip(), now)
    if moment > now:
        raise PlanError(f"since: {text!r} is still to come; nothing would be looked at")
    return moment


def _moment(text: str, now: datetime) -> datetime:
    if found := _SPAN.fullmatch(text):
        try:
            return now - timedelta(hours=int(found[1]) * _HOURS[found[2]])
        except OverflowError:
            raise PlanError(
                f"since: {text!r} is before every calendar; write for example {EXAMPLE}"
            ) from None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PlanError(f"since: {text!r} is no span and no date; write for example {EXAMPLE}") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
