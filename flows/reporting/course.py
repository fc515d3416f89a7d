"""The course of a migration: what arrived when, when it ran and stood still, and what was forecast. Pure, bounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from flows.plan.model import MigrationPlan
from flows.reporting.shape import Amount, Arrivals
from flows.run.forecast import seconds_at_least, seconds_left, uploads_per_minute
from flows.run.sampling import LONGEST
from state.history_records import AtWork, Sample

#: Intervals into which the whole time is cut.
INTERVALS = 96

#: Kills that are marked, the latest of them.
KILLS_SHOWN = 50


@dataclass(frozen=True)
class Forecast:
    """How many files were, or are, expected to be in Box at which time; whoever forecasts hands in one of these."""

    name: str
    #: Seconds since 1970, files.
    points: Sequence[tuple[float, float]]


@dataclass
class Interval:
    """What happened between two times; seconds since 1970."""

    begin: float
    end: float
    arrived: Amount = field(default_factory=Amount)
    calls: float = 0
    rate_limited: int = 0


@dataclass(frozen=True, kw_only=True)
class Course:
    """All of it; seconds since 1970."""

    begin: float
    end: float
    intervals: list[Interval]
    #: What was in Box before the first arrival whose time is known.
    before: Amount
    #: Files that are to move, and those of them that are in Box.
    to_move: int
    uploaded: int
    spans: Sequence[AtWork]
    forecasts: list[Forecast]

    @property
    def pauses(self) -> list[tuple[float, float]]:
        """From when to when no run was on; those that are too short to be seen are left out."""
        if not self.spans:
            return []
        shortest, found, until = (self.end - self.begin) / 150, [], self.begin
        for span in sorted(self.spans, key=lambda span: span.began):
            if span.began.timestamp() - until > shortest:
                found.append((until, span.began.timestamp()))
            until = max(until, span.ended.timestamp())
        return [*found, (until, self.end)] if self.end - until > shortest else found

    @property
    def kills(self) -> list[float]:
        """When a process was killed."""
        return sorted(span.ended.timestamp() for span in self.spans if span.killed)[-KILLS_SHOWN:]

    @property
    def seconds_at_work(self) -> float:
        """How long at least one process was at work."""
        total, until = 0.0, -math.inf
        for span in sorted(self.spans, key=lambda span: span.began):
            began, ended = span.began.timestamp(), span.ended.timestamp()
            total += max(0.0, ended - max(began, until))
            until = max(until, ended)
        return total


def course_of(
    plan: MigrationPlan,
    document: dict[str, Any],
    arrivals: Arrivals,
    samples: Sequence[Sample],
    spans: Sequence[AtWork],
) -> Course | None:
    """The course of the whole plan; None where no run has left a trace yet."""
    arrived = arrivals.in_order()
    begun = [span.began.timestamp() for span in spans]
    spans = [_seen_last(span, arrived, begun) for span in spans]
    times = [time - arrivals.step / 2 for time, _ in arrived]
    times += [time.timestamp() for span in spans for time in (span.began, span.ended)]
    if not times:
        return None
    begin, end = min(times), max(*times, min(times) + 1.0)
    files = document["totals"]["files"]
    intervals = _intervals(begin, end)
    for time, amount in arrived:
        interval = intervals[_place(time - arrivals.step / 2, intervals)]
        interval.arrived.files += amount.files
        interval.arrived.size += amount.size
    _count_calls(intervals, samples)
    course = Course(
        begin=begin,
        end=end,
        intervals=intervals,
        before=arrivals.before,
        to_move=files["total"] - files["excluded"] - files["waived"],
        uploaded=files["uploaded"],
        spans=spans,
        forecasts=[],
    )
    course.forecasts.extend(_forecasts(course, plan, document))
    return course


def _seen_last(span: AtWork, arrived: Sequence[tuple[float, Amount]], begun: Sequence[float]) -> AtWork:
    """A killed process worked on after its last sample: until the last file that arrived before its next sample was
    due, and before another process began."""
    last = span.ended.timestamp()
    until = min([last + LONGEST, *(time for time in begun if time > last)])
    later = [time for time, _ in arrived if span.killed and last < time <= until]
    return replace(span, ended=datetime.fromtimestamp(max(later), UTC)) if later else span


def _intervals(begin: float, end: float) -> list[Interval]:
    number = max(1, min(INTERVALS, math.floor(end - begin)))
    width = (end - begin) / number
    return [Interval(begin + place * width, begin + (place + 1) * width) for place in range(number)]


def _place(time: float, intervals: Sequence[Interval]) -> int:
    first = intervals[0]
    place = int((time - first.begin) / (first.end - first.begin))
    return min(max(place, 0), len(intervals) - 1)


def _count_calls(intervals: list[Interval], samples: Sequence[Sample]) -> None:
    """Calls between two samples of a process, evenly over the time between them."""
    before: Sample | None = None
    for sample in samples:
        same = before is not None and before.worker_id == sample.worker_id
        earlier = before if same and before is not None else sample
        calls = sample.done.calls - (earlier.done.calls if same else 0)
        limited = sample.done.rate_limited - (earlier.done.rate_limited if same else 0)
        since, until = earlier.at.timestamp(), sample.at.timestamp()
        first, last = _place(since, intervals), _place(until, intervals)
        for interval in intervals[first : last + 1]:
            overlap = min(until, interval.end) - max(since, interval.begin)
            part = overlap / (until - since) if until > since else 1 / (last - first + 1)
            interval.calls += calls * max(0.0, part)
        intervals[last].rate_limited += limited
        before = sample


def _forecasts(course: Course, plan: MigrationPlan, document: dict[str, Any]) -> list[Forecast]:
    """What Box's limits allow at most, from the beginning; and from now on, at the pace there was."""
    least = seconds_at_least(course.to_move, plan.box)
    found = [Forecast("by Box's limits", [(course.begin, 0), (course.begin + least, course.to_move)])]
    files, size = document["totals"]["files"]["pending"], document["totals"]["bytes"]
    worked = course.seconds_at_work
    if not files or not worked:
        return found
    left = seconds_left(
        files=files,
        size=max(0, size["total"] - size["uploaded"]),
        files_per_second=course.uploaded / worked,
        bytes_per_second=size["uploaded"] / worked,
        uploads_per_minute=uploads_per_minute(plan.box),
    )
    if left:
        points = [(course.end, course.uploaded), (course.end + left, course.uploaded + files)]
        found.append(Forecast("at the pace so far", points))
    return found
