"""The picture of a migration's course: files in Box against the forecast, bytes a second, calls a minute and 429s."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flows.reporting.course import Course
from flows.reporting.pictures.drawing import NARROW, WIDE, Figure, draw
from flows.reporting.pictures.timeline import Background, Bars, Line, Panel, timeline
from flows.words import counted, duration_words, size_words

FACT, FORECAST = "var(--bar)", "var(--forecast)"

UNITS = ((1, "B"), (10**3, "kB"), (10**6, "MB"), (10**9, "GB"))

#: The first forecast, and every other one.
DASHES = ((7, 4), (2, 4))


def progress_figure(course: Course, calls_total: int) -> Figure:
    """The figure."""
    says = _says(course, calls_total)
    return Figure(
        key="progress",
        title="How it went",
        says=says,
        wide=draw(_spec(course, WIDE), width="wide", says=says),
        narrow=draw(_spec(course, NARROW), width="narrow", says=says),
        columns=("Until (UTC)", "Files in Box", "Bytes in Box", "Box calls", "Answers 429"),
        rows=_rows(course),
    )


def _spec(course: Course, width: int) -> dict[str, Any]:
    until = _until(course)
    background = Background(
        course.begin * 1000,
        until * 1000,
        [(begin * 1000, end * 1000) for begin, end in course.pauses],
        [at * 1000 for at in course.kills],
    )
    return timeline([_files(course, until, width), _bytes(course), _calls(course)], background, width=width)


def _until(course: Course) -> float:
    """As far as a forecast goes, but never so far that what happened is less than half of the picture."""
    ends = [time for forecast in course.forecasts for time, _ in forecast.points]
    return min(max([course.end, *ends]), course.end + (course.end - course.begin))


def _files(course: Course, until: float, width: int) -> Panel:
    total, points = course.before.files, [(course.begin * 1000, float(course.before.files))]
    for interval in course.intervals:
        total += interval.arrived.files
        points.append((interval.end * 1000, float(total)))
    lines = [
        Line([(course.begin * 1000, course.to_move), (until * 1000, course.to_move)], "var(--edge)", width=1)
    ]
    lines += [
        Line(_cut(forecast.points, until), FORECAST, DASHES[min(place, 1)])
        for place, forecast in enumerate(course.forecasts)
    ]
    title = "files in Box; dashed: forecast" + ("; thin line: all that are to move" if width == WIDE else "")
    numbers = ",d" if course.to_move < 1_000_000 else "~s"
    lines.append(Line(points, FACT, width=2.5))
    return Panel(title, 190, max(4, course.to_move), numbers=numbers, lines=lines)


def _cut(points: Sequence[tuple[float, float]], until: float) -> list[tuple[float, float]]:
    """The line, in milliseconds, as far as the picture goes."""
    found: list[tuple[float, float]] = []
    for at, value in points:
        if at > until and found:
            before_at, before = found[-1][0] / 1000, found[-1][1]
            value = before + (value - before) * (until - before_at) / (at - before_at)
            at = until
        found.append((at * 1000, value))
    return found


def _bytes(course: Course) -> Panel:
    spans = [
        (each.begin * 1000, each.end * 1000, each.arrived.size / (each.end - each.begin))
        for each in course.intervals
        if each.arrived.size
    ]
    most = max([10.0, *(value for _, _, value in spans)])
    divisor, unit = next(pair for pair in UNITS if most < 1000 * pair[0] or pair == UNITS[-1])
    title = f"{unit} a second that arrived in Box"
    return Panel(title, 80, most, divisor=divisor, numbers=",~r", unit=f" {unit}", bars=[Bars(spans, FACT)])


def _calls(course: Course) -> Panel:
    spans = [
        (each.begin * 1000, each.end * 1000, 60 * each.calls / (each.end - each.begin))
        for each in course.intervals
        if each.calls
    ]
    marks = [(each.begin + each.end) * 500 for each in course.intervals if each.rate_limited]
    most = max([10.0, *(value for _, _, value in spans)])
    title = "calls to Box a minute; triangles: answers 429"
    return Panel(title, 80, most, bars=[Bars(spans, FACT)], marks=marks)


def _says(course: Course, calls_total: int) -> str:
    limited = sum(each.rate_limited for each in course.intervals)
    percent = f" ({100 * course.uploaded // course.to_move} %)" if course.to_move else ""
    begin, end = _time(course.begin), _time(course.end)
    end = end.removeprefix(begin[:11])  # its day, where that is the same
    lasted = f"{begin} to {end} UTC, {duration_words(course.end - course.begin)}"
    worked = f", of which a run was on for {duration_words(course.seconds_at_work)}" if course.spans else ""
    sentences = [
        f"{course.uploaded:,} of {counted(course.to_move, 'file')} in Box{percent}: {lasted}{worked}.",
        *_forecast_words(course),
        f"{calls_total:,} calls to Box; {counted(limited, 'answer')} 429 (too many requests).",
    ]
    if course.pauses:
        sentences.append(f"Shaded: no run was on ({counted(len(course.pauses), 'time')}).")
    if course.kills:
        killed = counted(len(course.kills), "process was", "processes were")
        sentences.append(f"Dotted and upright: {killed} killed.")
    return " ".join(sentences)


def _forecast_words(course: Course) -> list[str]:
    words = []
    for forecast in course.forecasts:
        (begin, first), (end, last) = forecast.points[0], forecast.points[-1]
        files = counted(round(last - first), "file")
        words.append(
            f"Forecast {forecast.name}: {files} in {duration_words(end - begin)}, until {_time(end)} UTC."
        )
    return words


def _rows(course: Course) -> list[tuple[str, ...]]:
    files, size = course.before.files, course.before.size
    rows: list[tuple[str, ...]] = []
    for each in course.intervals:
        files, size = files + each.arrived.files, size + each.arrived.size
        if each.arrived.files or each.calls or each.rate_limited:
            row = (f"{files:,}", size_words(size), f"{each.calls:,.0f}", f"{each.rate_limited:,}")
            rows.append((_time(each.end, seconds=course.end - course.begin < 7200), *row))
    return rows


def _time(at: float, *, seconds: bool = False) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")
