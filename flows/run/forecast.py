"""Forecast: how long a share takes under Box's limits; the one place that knows the formula. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.box.config import BoxConfig
from flows.words import duration_words, size_words


def uploads_per_minute(box: BoxConfig, users: int | None = None) -> float:
    """What so many users may send together in a minute of ours: Box counts the uploads of each by itself.

    `users`: None for the plan's identities, or the service account alone. A sandbox's minute may be a shorter one.
    """
    limits = box.limits
    users = max(1, len(box.identities)) if users is None else users
    return limits.uploads_per_minute * 60 / limits.window_seconds * users


def seconds_at_least(files: int, box: BoxConfig) -> float:
    """Seconds that so many uploads last at the pace that Box's limits allow; never sooner than this."""
    return round(files * 60 / uploads_per_minute(box), 1)


def seconds_left(
    *,
    files: int,
    size: int,
    files_per_second: float,
    bytes_per_second: float,
    uploads_per_minute: float,
) -> float | None:
    """Seconds until so many files of `size` bytes are sent: Box's limit, or the measured rates where they are slower.

    None where nothing was measured yet. A minute of small files says nothing about the large ones to come, and the
    other way round; so the kinder of the two rates counts, which is wrong for shorter.
    """
    if not files:
        return 0.0
    by_rate = [
        left / rate
        for left, rate in ((files, files_per_second), (size, bytes_per_second))
        if rate > 0 and left
    ]
    return max(files * 60 / uploads_per_minute, min(by_rate)) if by_rate else None


def left_words(seconds: float | None, *, walks_on: bool) -> str:
    """How long it takes, for a person; while the share is still walked there may be more."""
    if seconds is None or (walks_on and not seconds):
        return "time left unknown yet"
    if not seconds:
        return "nothing left to send"
    return f"{'at least' if walks_on else 'about'} {duration_words(seconds)} left"


def forecast_words(summary: Mapping[str, Any]) -> str:
    """What a dry run found: keys files_to_send, bytes_to_send, seconds_at_least."""
    return (
        f"{summary['files_to_send']:,} files, {size_words(summary['bytes_to_send'])} to send;"
        f" at least {duration_words(summary['seconds_at_least'])} under Box's limits. Nothing was sent."
    )
