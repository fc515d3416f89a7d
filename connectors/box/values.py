"""Values of Box's JSON: objects, texts, ids, sizes and times, each read in one place. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.errors import ServerBusy

#: In UTC, and without saying so: that is half of the price of writing a date.
EPOCH = datetime(1970, 1, 1)
LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z; FILETIME goes further


def json_object(data: object, route: str) -> Mapping[str, Any]:
    """Return an answer's JSON object; ServerBusy when it is something else (a proxy's page, an empty body)."""
    if (type(data) is dict or isinstance(data, Mapping)) and data:
        return data
    raise ServerBusy(f"{route}: the answer is not one of Box's ({_kind(data)}); is a proxy in the way?")


def object_of(value: object) -> Mapping[str, Any]:
    """Return the nested object, empty when there is none."""
    if type(value) is dict:  # as JSON gives it; asking for less is ten times as dear
        return value
    return value if isinstance(value, Mapping) else {}


def text_of(value: object) -> str | None:
    """Return the value as text, None when there is none. The SDK gives some values as enum members."""
    if type(value) is str:
        return value
    value = getattr(value, "value", value)
    return None if value is None else str(value)


def id_of(value: object) -> str | None:
    """Return the id of a nested object, None when there is none."""
    return text_of(object_of(value).get("id"))


def size_of(value: object) -> int | None:
    """Return bytes, None when it is no number. Box writes the size of huge folders as 1.2e+11."""
    if type(value) is int:
        return value
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return None


def moment_of(value: object) -> datetime | None:
    """Return a time with its zone (UTC where Box names none), None when there is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def box_date(nanoseconds: int) -> str:
    """Return RFC 3339 in whole seconds, as Box stores them; before 1970 becomes 1970, the earliest Box takes."""
    seconds = min(max(0, nanoseconds // 1_000_000_000), LAST_SECOND)
    return f"{(EPOCH + timedelta(seconds=seconds)).isoformat()}Z"


# --- private ---


def _kind(data: object) -> str:
    return "empty" if not data else type(json.loads(json.dumps(data, default=str))).__name__
