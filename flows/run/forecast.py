"""Forecast: how long a share takes under Box's limits; the one place that knows the formula. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from connectors.box.config import BoxConfig
from flows.errors import PlanError
from flows.plan.bandwidth import Timetable
from flows.run.window import WEEK_MINUTES, Window
from flows.words import counted, duration_words, size_words

#: Numbers of uploading users for which a forecast is made.
USERS = (1, 2, 4, 8)

MINUTE = timedelta(minutes=1)


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


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a pass asks of Box and of the line."""

    #: Calls that Box counts as uploads: files, and for each large one its session and its commit.
    uploads: int = 0
    #: All calls of those who upload, these uploads and parts.
    sender_calls: int = 0
    #: Calls of the service account while files are sent: folders, listings of what has arrived, people.
    other_calls: int = 0
    #: Calls of it that come when the last file has arrived, and so last longer than the sending.
    last_calls: int = 0
    #: Bytes that are sent.
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """Bytes a second that the line and the source give; None: not known, and no bound."""

    line: float | None = None
    source: float | None = None


def parse_speed(text: str) -> float:
    """Return the bytes a second of `100MB/s` or `1Gbit/s`. PlanError for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(b|bit)(?:/s|ps)\s*", text, re.IGNORECASE)
    if match is None or not float(match[1]):
        raise PlanError(f"--line-speed: {text!r} is no speed; write for example 100MB/s or 1Gbit/s")
    size = float(match[1]) * 10.0 ** (3 * " kmgt".index(match[2].lower() or " "))
    return size / 8 if match[3].lower() == "bit" else size


def bounds(work: Workload, box: BoxConfig, *, users: int, speeds: Speeds) -> dict[str, float]:
    """Seconds that a pass lasts at least, by what each of its limits allows: files, calls, bytes, source.

    `users`: who upload; one of them is the service account itself, more are app users beside it.
    """
    per_minute = box.limits.calls_per_minute * 60 / box.limits.window_seconds
    together = work.sender_calls + work.other_calls
    calls = together if users <= 1 else max(work.sender_calls / users, work.other_calls)
    found = {"files": work.uploads * 60 / uploads_per_minute(box, users), "calls": calls * 60 / per_minute}
    if speeds.line:
        found["bytes"] = work.size / speeds.line
    if speeds.source:
        found["source"] = work.size / speeds.source
    return found


def forecast_seconds(work: Workload, box: BoxConfig, *, users: int, speeds: Speeds) -> float:
    """Seconds of a whole pass: the hardest of its bounds, and what is left to ask when the last file has arrived."""
    per_minute = box.limits.calls_per_minute * 60 / box.limits.window_seconds
    return max(bounds(work, box, users=users, speeds=speeds).values()) + work.last_calls * 60 / per_minute


def within_bandwidth(
    speeds: Speeds, table: Timetable | None, size: int, *, now: datetime, window: Window | None
) -> Speeds:
    """Return what the line gives once the plan's bandwidth holds: on average, while so many bytes leave from now on.

    Nothing leaves while the window is closed. `now`: in the zone whose hours the timetable means. In hours without a
    limit the line gives what it has; where that is not known, whatever is left then leaves at once.
    """
    if table is None or not size:
        return speeds
    hours = [now + number * MINUTE for number in range(WEEK_MINUTES)]
    rates = [_slower(table.rate(at), speeds.line) for at in hours if window is None or window.is_open(at)]
    known = [rate for rate in rates if rate is not None]
    seconds, left = 0.0, float(size)
    if len(known) == len(rates):
        weeks, left = divmod(left, 60 * sum(known))
        seconds = weeks * 60 * len(rates)
    for rate in rates:
        if rate is None or left <= 60 * rate:
            seconds += left / rate if rate is not None else 0
            break
        seconds, left = seconds + 60, left - 60 * rate
    return replace(speeds, line=size / seconds) if seconds else speeds


def _slower(rate: float | None, other: float | None) -> float | None:
    return min((each for each in (rate, other) if each is not None), default=None)


def finish_at(start: datetime, seconds: float, window: Window | None) -> datetime | None:
    """When so many seconds of work are done that begins now and stands still while the window is closed.

    None: beyond every calendar.
    """
    try:
        if window is None:
            return start + timedelta(seconds=seconds)
        open_minutes = sum(window.is_open(start + number * MINUTE) for number in range(WEEK_MINUTES))
        weeks, left = divmod(seconds, open_minutes * 60)
        if weeks and not left:  # it is over with the last open minute, not when the week is
            weeks, left = weeks - 1, open_minutes * 60
        at = start + timedelta(weeks=weeks)
        while left > 0:
            # Hours begin and end with full minutes, whenever the work began.
            following = at.replace(second=0, microsecond=0) + MINUTE
            if window.is_open(at):
                lasts = min(left, (following - at).total_seconds())
                left -= lasts
                if left <= 0:
                    return at + timedelta(seconds=lasts)
            at = following
        return at
    except OverflowError:
        return None


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


def beside_the_fact(forecast: Mapping[str, Any], *, calls_since: int, pending: int) -> str:
    """One line: what the last simulation said, and what came of it by now.

    `calls_since`: calls to Box since then; `pending`: files that are still to be sent.
    """
    when = forecast["at"][:16].replace("T", " ")
    return (
        f"forecast of {when} UTC: {counted(forecast['calls']['total'], 'Box call')},"
        f" {counted(forecast['uploads'], 'file')} to send; since then {counted(calls_since, 'Box call')},"
        f" {counted(pending, 'file')} pending"
    )
