"""The chart of a migration: how much of the whole is in Box, and how it came there, over all of its runs. Pure; SVG.

Every part of it is told by words as well as by its colour or pattern. Its background is white in a dark page, too.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from flows.words import counted, printable

#: Points of the curve; when there are more, every other one goes.
CHART_POINTS = 120

WIDTH, HEIGHT, LEFT, RIGHT = 880, 330, 70, 860

#: Upper and lower edge of the bar, and of the curve below it.
BAR, CURVE = (44, 74), (140, 290)

IN_BOX, FAILED = "#0061d5", "#8a1c12"


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The files of all trees that the plan names and some run has begun."""

    #: Those that are to move.
    total: int
    uploaded: int
    #: Those of them that are failed now.
    failed: int

    @property
    def left(self) -> int:
        """Neither in Box nor failed."""
        return max(0, self.total - self.uploaded - self.failed)

    @property
    def words(self) -> str:
        """The same in one line."""
        percent = f" ({100 * self.uploaded // self.total} %)" if self.total else ""
        return (
            f"{self.uploaded:,} of {counted(self.total, 'file')} in Box{percent},"
            f" {self.failed:,} failed, {self.left:,} to send"
        )


class History:
    """How many files were in Box at which time, in bounded memory however long it lasts (P9)."""

    def __init__(self) -> None:
        self.points: list[tuple[datetime, int]] = []

    def add(self, at: datetime, files: int) -> None:
        """So many files were in Box then; times come in their order."""
        self.points.append((at, files))
        if len(self.points) > CHART_POINTS:
            # The first and the newest stay.
            self.points = self.points[:-1][::2] + self.points[-1:]


def chart(name: str, whole: Whole, history: History) -> str:
    """The chart as an image in Markdown, complete in itself."""
    svg = _svg(name, whole, history.points)
    return f"![{whole.words}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _svg(name: str, whole: Whole, points: Sequence[tuple[datetime, int]]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        ' font-family="sans-serif" font-size="14" fill="#222">'
        '<defs><pattern id="f" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="8" height="8" fill="#fff"/><rect width="4" height="8" fill="{FAILED}"/></pattern></defs>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text x="{LEFT}" y="28" font-size="17">{escape(printable(name))}: {escape(whole.words)}</text>'
        + _bar(whole)
        + _curve(whole, points)
        + "</svg>"
    )


def _bar(whole: Whole) -> str:
    """How the whole is divided, and what each part is called."""
    parts = (
        (whole.uploaded, IN_BOX, f"in Box: {whole.uploaded:,}"),
        (whole.failed, "url(#f)", f"failed, striped: {whole.failed:,}"),
        (whole.left, "#fff", f"to send, empty: {whole.left:,}"),
    )
    top, bottom = BAR
    drawn, x = [], float(LEFT)
    for number, fill, _ in parts:
        width = (RIGHT - LEFT) * number / max(1, sum(number for number, _, _ in parts))
        drawn.append(
            f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{bottom - top}" fill="{fill}"/>'
        )
        x += width
    drawn.append(
        f'<rect x="{LEFT}" y="{top}" width="{RIGHT - LEFT}" height="{bottom - top}" fill="none" stroke="#222"/>'
    )
    for place, (_, fill, words) in enumerate(parts):
        x = LEFT + place * 240
        drawn.append(
            f'<rect x="{x}" y="{bottom + 12}" width="14" height="14" fill="{fill}" stroke="#222"/>'
            f'<text x="{x + 22}" y="{bottom + 24}">{words}</text>'
        )
    return "".join(drawn)


def _curve(whole: Whole, points: Sequence[tuple[datetime, int]]) -> str:
    """Files in Box over time, up to the line of all that are to move."""
    top, bottom = CURVE
    axes = (
        f'<line x1="{LEFT}" y1="{bottom}" x2="{RIGHT}" y2="{bottom}" stroke="#222"/>'
        f'<line x1="{LEFT}" y1="{top}" x2="{RIGHT}" y2="{top}" stroke="#222" stroke-dasharray="6 4"/>'
        f'<text x="{RIGHT}" y="{top - 6}" text-anchor="end">dashed: all {counted(whole.total, "file")} to move</text>'
        f'<text x="{LEFT}" y="{top - 6}">files in Box, in all runs</text>'
        f'<text x="{LEFT - 8}" y="{bottom}" text-anchor="end">0</text>'
    )
    if not points:
        return axes
    first, last = points[0][0], points[-1][0]
    span = max(1.0, (last - first).total_seconds())
    most = max(1, whole.total, *(files for _, files in points))
    across, up = (RIGHT - LEFT) / span, (bottom - top) / most
    line = " ".join(
        f"{LEFT + across * (at - first).total_seconds():.1f},{bottom - up * files:.1f}"
        for at, files in points
    )
    return (
        axes
        + f'<polyline points="{line}" fill="none" stroke="{IN_BOX}" stroke-width="3"/>'
        + f'<text x="{LEFT}" y="{bottom + 22}">{first:%Y-%m-%d %H:%M} UTC</text>'
        + f'<text x="{RIGHT}" y="{bottom + 22}" text-anchor="end">{last:%Y-%m-%d %H:%M} UTC</text>'
    )
