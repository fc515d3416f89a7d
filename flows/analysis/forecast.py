"""Forecast: how long a share takes under Box's limits; the one place that knows the formula. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.box.config import BoxConfig
from flows.words import duration_words, size_words


def uploads_per_minute(box: BoxConfig) -> int:
    """What the plan's identities may send together: Box counts the uploads of each user by itself."""
    return box.limits.uploads_per_minute * max(1, len(box.identities))


def seconds_at_least(files: int, box: BoxConfig) -> float:
    """Seconds that so many uploads last at the pace that Box's limits allow; never sooner than this."""
    return round(files * 60 / uploads_per_minute(box), 1)


def forecast_words(summary: Mapping[str, Any]) -> str:
    """What a dry run found: keys files_to_send, bytes_to_send, seconds_at_least."""
    return (
        f"{summary['files_to_send']:,} files, {size_words(summary['bytes_to_send'])} to send;"
        f" at least {duration_words(summary['seconds_at_least'])} under Box's limits. Nothing was sent."
    )
