"""Bars: lying ones with their words on the left and their numbers at the end, in one panel or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flows.reporting.pictures.drawing import INK, SOFT, text

ROW, TOP = 26, 24

#: A browser's letters may be wider than those that were measured.
LETTERS = 0.85


@dataclass(frozen=True)
class Panel:
    """One column of bars."""

    title: str
    values: Sequence[float]
    #: What stands at the end of each bar.
    words: Sequence[str]
    fill: str = "var(--bar)"
    stroke: str | None = None


def bars(labels: Sequence[str], panels: Sequence[Panel], *, width: int, label_width: int) -> dict[str, Any]:
    """The picture: a row for each label."""
    panel_width = (width - label_width) // len(panels)
    marks: list[dict[str, Any]] = [_labels(labels, label_width)]
    for place, panel in enumerate(panels):
        marks.append(_panel(panel, left=label_width + place * panel_width, width=panel_width))
    return {"width": width, "height": TOP + ROW * len(labels), "padding": 2, "marks": marks}


def _labels(labels: Sequence[str], label_width: int) -> dict[str, Any]:
    rows = [{"text": label, "y": TOP + ROW * (place + 0.5)} for place, label in enumerate(labels)]
    return {
        "type": "group",
        "data": [{"name": "rows", "values": rows}],
        "marks": [
            {
                "type": "text",
                "from": {"data": "rows"},
                "encode": text(
                    {"value": label_width - 8},
                    {"field": "y"},
                    {"field": "text"},
                    align={"value": "right"},
                    baseline={"value": "middle"},
                    limit={"value": LETTERS * (label_width - 10)},
                ),
            }
        ],
    }


def _panel(panel: Panel, *, left: int, width: int) -> dict[str, Any]:
    """A column of bars; the longest leaves room for the words of every one."""
    room = max(30, width - 20 - 8 * max(map(len, panel.words), default=0))
    most = max(panel.values, default=0) or 1
    rows = [
        {
            "y": TOP + ROW * place + 4,
            # What is there is seen, however little it is.
            "w": max(1.5, room * value / most) if value else 0,
            "words": words,
        }
        for place, (value, words) in enumerate(zip(panel.values, panel.words, strict=True))
    ]
    bar = {"x": {"value": 0}, "width": {"field": "w"}, "y": {"field": "y"}, "height": {"value": ROW - 8}}
    end = {"field": "w", "offset": 5}
    middle = {"field": "y", "offset": (ROW - 8) / 2}
    title = text(
        {"value": 0},
        {"value": 10},
        {"value": panel.title},
        fill={"value": SOFT},
        baseline={"value": "middle"},
    )
    stroke = {"stroke": {"value": panel.stroke}} if panel.stroke else {}
    return {
        "type": "group",
        "encode": {"enter": {"x": {"value": left}}},
        "data": [{"name": "rows", "values": rows}],
        "marks": [
            {"type": "text", "encode": title},
            {
                "type": "rect",
                "from": {"data": "rows"},
                "encode": {"enter": {**bar, "fill": {"value": panel.fill}, **stroke}},
            },
            {
                "type": "text",
                "from": {"data": "rows"},
                "encode": text(
                    end, middle, {"field": "words"}, fill={"value": INK}, baseline={"value": "middle"}
                ),
            },
        ],
    }
