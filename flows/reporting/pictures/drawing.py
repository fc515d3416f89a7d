"""Drawing: Vega, the grammar of graphics below Altair, makes the SVG; vl-convert runs it in this process.

Loaded when a report is written, and not before: it brings an engine of 80 MB. No picture has a script, a font or an
address of its own. Colours are the page's custom properties, so that one drawing is for light, dark and paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

#: Widths in which every picture is drawn: for a screen or paper, and for a phone. Pixels.
WIDE, NARROW = 720, 342

INK, SOFT, LINE, EDGE = "var(--ink)", "var(--soft)", "var(--line)", "var(--edge)"
FILLS = {
    "in Box": "var(--in-box)",
    "to send": "var(--to-send)",
    "failed": "url(#failed)",
    "left out": "url(#left-out)",
}
_CONFIG = {
    "font": "system-ui, sans-serif",
    "axis": {
        "domainColor": EDGE,
        "tickColor": EDGE,
        "gridColor": LINE,
        "labelColor": SOFT,
        "titleColor": SOFT,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "text": {"fill": INK, "fontSize": 12},
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture, what it says in one sentence, and its numbers as a table."""

    key: str
    title: str
    #: What a reader should take from it; also the picture's text alternative.
    says: str
    wide: str
    narrow: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    #: States that a legend names.
    legend: tuple[str, ...] = ()


def draw(spec: dict[str, Any], *, width: str, says: str) -> str:
    """One picture as an SVG element; `width`: wide or narrow, the class that the page shows or hides."""
    import vl_convert

    whole = {"$schema": "https://vega.github.io/schema/vega/v5.json", "background": None, "config": _CONFIG}
    whole |= spec | {"marks": _silent(spec["marks"])}
    svg = vl_convert.vega_to_svg(whole, allowed_base_urls=[])
    _, _, inside = svg.partition(">")
    box = svg[svg.index('viewBox="') :].split('"')[1]
    root = f'<svg class="{width}" viewBox="{box}" role="img" aria-label="{escape(says)}"'
    return f'{root} xmlns="http://www.w3.org/2000/svg">{inside}'


def _silent(marks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The marks without roles of their own: to a screen reader the picture is one image with one text."""
    return [
        {
            **mark,
            "aria": False,
            **({"marks": _silent(mark["marks"])} if "marks" in mark else {}),
            **({"axes": [{**axis, "aria": False} for axis in mark["axes"]]} if "axes" in mark else {}),
        }
        for mark in marks
    ]


def text(x: Any, y: Any, content: Any, **more: Any) -> dict[str, Any]:
    """The encoding of one text mark; values as Vega has them: {"field": …}, {"value": …}."""
    return {"enter": {"x": x, "y": y, "text": content, **more}}
