"""A picture that stands alone, as an image of another page: with its own colours, which the report's page has for all.

Always light, on white: an image does not know in which of its modes the page around it is shown.
"""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path

from flows.reporting.pictures.drawing import Figure

#: A name lies readable on any state's looks, as on the report's page.
_TEXT = (
    'text { font-family: system-ui, "DejaVu Sans", sans-serif; paint-order: stroke; stroke-linejoin: round; }'
)


def address(figure: Figure) -> str:
    """Return the picture as a data: address of an SVG image."""
    opening, _, inside = figure.wide.partition(">")
    background = '<rect width="100%" height="100%" fill="var(--paper)"/>'
    svg = f"{opening}>{_looks()}{background}{inside}"
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


@cache
def _looks() -> str:
    templates = Path(__file__).parents[1] / "templates"
    colours, _, _ = (templates / "report.css").read_text(encoding="utf-8").partition("@media")
    patterns = (templates / "patterns.svg").read_text(encoding="utf-8")
    return f"<style>{colours}{_TEXT}</style><defs>{patterns}</defs>"
