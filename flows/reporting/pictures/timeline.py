"""Timeline: panels below one another with one axis of time; when no run was on, and where one was killed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flows.reporting.pictures.drawing import INK, SOFT, text

#: Room for the numbers on the left, and between two panels.
LEFT, BETWEEN, AXIS = 70, 34, 34

#: Times in milliseconds since 1970, as Vega has them.
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line through some points."""

    points: Sequence[Point]
    colour: str
    dash: tuple[int, ...] = ()
    width: float = 2


@dataclass(frozen=True)
class Bars:
    """What happened between two times, at which rate."""

    spans: Sequence[tuple[float, float, float]]
    fill: str


@dataclass(frozen=True)
class Panel:
    """One of the pictures below one another."""

    title: str
    height: int
    #: The upper end of its scale.
    most: float
    #: What the numbers of the scale are divided by, how they are written, as d3 has it, and what stands behind them.
    divisor: float = 1
    numbers: str = ",d"
    unit: str = ""
    lines: Sequence[Line] = ()
    bars: Sequence[Bars] = ()
    #: Marks at these times, at the panel's upper edge.
    marks: Sequence[float] = ()


@dataclass(frozen=True)
class Background:
    """What all panels have behind them."""

    begin: float
    end: float
    #: From when to when no run was on.
    pauses: Sequence[tuple[float, float]]
    #: When a process was killed.
    kills: Sequence[float]


def timeline(panels: Sequence[Panel], background: Background, *, width: int) -> dict[str, Any]:
    """The picture."""
    inner, marks, top = width - LEFT - 14, [], 20
    for place, panel in enumerate(panels):
        is_last = place == len(panels) - 1
        marks.append(_panel(panel, background, top=top, width=inner, with_axis=is_last))
        top += panel.height + BETWEEN
    height = top - BETWEEN + AXIS
    scale = {
        "name": "x",
        "type": "utc",
        "domain": [background.begin, background.end],
        "range": [0, inner],
    }
    return {"width": width, "height": height, "padding": 2, "scales": [scale], "marks": marks}


def _panel(panel: Panel, background: Background, *, top: int, width: int, with_axis: bool) -> dict[str, Any]:
    number = f"format(datum.value / {panel.divisor}, '{panel.numbers}') + '{panel.unit}'"
    y_axis = {
        "orient": "left",
        "scale": "y",
        "tickCount": max(2, panel.height // 40),
        "grid": True,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
        "encode": {"labels": {"update": {"text": {"signal": number}}}},
    }
    x_axis = {"orient": "bottom", "scale": "x", "tickCount": max(3, width // 90), "labelOverlap": True}
    y = {"name": "y", "type": "linear", "domain": [0, panel.most], "range": [panel.height, 0]}
    marks = [_title(panel), *_behind(panel, background)]
    marks += [_bars(panel, bars) for bars in panel.bars]
    marks += [_line(line) for line in panel.lines]
    return {
        "type": "group",
        "encode": {
            "enter": {
                "x": {"value": LEFT},
                "y": {"value": top},
                "width": {"value": width},
                "height": {"value": panel.height},
            }
        },
        "scales": [{**y, "nice": panel.most > 1}],
        "axes": [y_axis, *([x_axis | {"title": "time (UTC)"}] if with_axis else [])],
        "marks": [*marks, *_marks(panel)],
    }


def _title(panel: Panel) -> dict[str, Any]:
    where = ({"value": -LEFT + 4}, {"value": -10})
    return {"type": "text", "encode": text(*where, {"value": panel.title}, fill={"value": SOFT})}


def _behind(panel: Panel, background: Background) -> list[dict[str, Any]]:
    pauses = {
        "type": "rect",
        "from": {"data": "pauses"},
        "encode": {
            "enter": {
                "x": {"scale": "x", "field": "begin"},
                "x2": {"scale": "x", "field": "end"},
                "y": {"value": 0},
                "height": {"value": panel.height},
                "fill": {"value": "var(--pause)"},
            }
        },
    }
    kills = {
        "type": "rule",
        "from": {"data": "kills"},
        "encode": {
            "enter": {
                "x": {"scale": "x", "field": "at"},
                "y": {"value": 0},
                "y2": {"value": panel.height},
                "stroke": {"value": "var(--failed)"},
                "strokeWidth": {"value": 2},
                "strokeDash": {"value": [2, 3]},
            }
        },
    }
    return [
        {
            "type": "group",
            "data": [
                {
                    "name": "pauses",
                    "values": [{"begin": begin, "end": end} for begin, end in background.pauses],
                },
                {"name": "kills", "values": [{"at": at} for at in background.kills]},
            ],
            "marks": [pauses, kills],
        }
    ]


def _bars(panel: Panel, bars: Bars) -> dict[str, Any]:
    rows = [{"begin": begin, "end": end, "value": value} for begin, end, value in bars.spans]
    bar = {
        "x": {"scale": "x", "field": "begin"},
        "x2": {"scale": "x", "field": "end"},
        "y": {"scale": "y", "field": "value"},
        "y2": {"value": panel.height},
        "fill": {"value": bars.fill},
    }
    return {
        "type": "group",
        "data": [{"name": "rows", "values": rows}],
        "marks": [{"type": "rect", "from": {"data": "rows"}, "encode": {"enter": bar}}],
    }


def _line(line: Line) -> dict[str, Any]:
    rows = [{"at": at, "value": value} for at, value in line.points]
    encoding = {
        "x": {"scale": "x", "field": "at"},
        "y": {"scale": "y", "field": "value"},
        "stroke": {"value": line.colour},
        "strokeWidth": {"value": line.width},
        "strokeDash": {"value": list(line.dash)},
    }
    return {
        "type": "group",
        "data": [{"name": "rows", "values": rows}],
        "marks": [{"type": "line", "from": {"data": "rows"}, "encode": {"enter": encoding}}],
    }


def _marks(panel: Panel) -> list[dict[str, Any]]:
    symbol = {
        "x": {"scale": "x", "field": "at"},
        "y": {"value": 4},
        "shape": {"value": "triangle-down"},
        "size": {"value": 60},
        "fill": {"value": "var(--failed)"},
        "stroke": {"value": INK},
        "strokeWidth": {"value": 0.5},
    }
    return [
        {
            "type": "group",
            "data": [{"name": "rows", "values": [{"at": at} for at in panel.marks]}],
            "marks": [{"type": "symbol", "from": {"data": "rows"}, "encode": {"enter": symbol}}],
        }
    ]
