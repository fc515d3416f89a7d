"""Treemap: the share by bytes, a rectangle for each tree and for the largest folders in it, coloured by state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from flows.reporting.pictures.drawing import EDGE, FILLS, INK, text
from flows.reporting.shape import STATES
from flows.words import printable

#: Trees that have a rectangle of their own.
TREES_SHOWN = 40

#: The strip with a tree's name.
STRIP = 18

OTHERS, OWN = "other trees", "other folders and files"


def treemap(
    trees: Mapping[str, Counter[str]],
    folders: Mapping[str, Mapping[str, Counter[str]]],
    *,
    width: int,
    height: int,
) -> dict[str, Any]:
    """The picture. `trees`: tree → state → bytes; `folders`: the same of the folders of trees that show theirs."""
    nodes = _nodes(trees, folders)
    layout = {
        "type": "treemap",
        "field": "size",
        "sort": {"field": "value", "order": "descending"},
        "method": "squarify",
        "ratio": 1.4,
        "paddingInner": 2,
        "paddingTop": STRIP,
        "round": True,
        # The root has a strip, too, which lies above the picture.
        "size": [width, height + STRIP],
    }
    stratify = {"type": "stratify", "key": "id", "parentKey": "parent"}
    data = [
        {"name": "all", "values": nodes, "transform": [stratify, layout]},
        {"name": "trees", "source": "all", "transform": [_only("datum.depth == 1")]},
        {"name": "cells", "source": "all", "transform": [_only("datum.leaf")]},
    ]
    return {
        "width": width,
        "height": height,
        "padding": 1,
        "autosize": "none",
        "data": data,
        "marks": [*(_slices(place, state) for place, state in enumerate(STATES)), _frames(), *_names()],
    }


def _only(condition: str) -> dict[str, Any]:
    return {"type": "filter", "expr": condition}


def largest_trees(trees: Mapping[str, Counter[str]]) -> list[tuple[str, Counter[str]]]:
    """Those that are shown, the largest first; the others as one."""
    order = sorted(trees.items(), key=lambda pair: (-pair[1].total(), pair[0]))
    shown = [(name, sizes) for name, sizes in order[:TREES_SHOWN] if sizes.total()]
    rest: Counter[str] = Counter()
    for _, sizes in order[TREES_SHOWN:]:
        rest.update(sizes)
    return [*shown, (OTHERS, rest)] if rest.total() else shown


def _nodes(
    trees: Mapping[str, Counter[str]], folders: Mapping[str, Mapping[str, Counter[str]]]
) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = [{"id": 0, "parent": None, "leaf": False}]
    for name, sizes in largest_trees(trees):
        tree_id = len(nodes)
        nodes.append({"id": tree_id, "parent": 0, "name": printable(name), "leaf": False})
        inside = {each: below for each, below in folders.get(name, {}).items() if below.total()}
        # A tree of which only one part is known is one rectangle without a name of its own.
        parts = [(each or OWN, below) for each, below in inside.items()] if len(inside) > 1 else [("", sizes)]
        for part, below in parts:
            nodes.append(_cell(len(nodes), tree_id, part, below))
    return nodes


def _cell(number: int, parent: int, name: str, sizes: Counter[str]) -> dict[str, Any]:
    """A leaf, with the share of it that each state and those before it have."""
    total, sum_, ends = sizes.total(), 0, [0.0]
    for state in STATES:
        sum_ += sizes[state]
        ends.append(sum_ / total)
    cell = {"id": number, "parent": parent, "name": printable(name), "size": total, "leaf": True}
    return cell | {f"end{place}": end for place, end in enumerate(ends)}


def _slices(place: int, state: str) -> dict[str, Any]:
    """Of every cell the part that has this state."""
    across = "datum.x0 + (datum.x1 - datum.x0) * datum.end"
    return {
        "type": "rect",
        "from": {"data": "cells"},
        "encode": {
            "enter": {
                "x": {"signal": f"{across}{place}"},
                "x2": {"signal": f"{across}{place + 1}"},
                "y": {"field": "y0", "offset": -STRIP},
                "y2": {"field": "y1", "offset": -STRIP},
                "fill": {"value": FILLS[state]},
            }
        },
    }


def _frames() -> dict[str, Any]:
    return {
        "type": "rect",
        "from": {"data": "cells"},
        "encode": {
            "enter": {
                "x": {"field": "x0"},
                "x2": {"field": "x1"},
                "y": {"field": "y0", "offset": -STRIP},
                "y2": {"field": "y1", "offset": -STRIP},
                "stroke": {"value": EDGE},
            }
        },
    }


def _names() -> list[dict[str, Any]]:
    """Of trees and cells, where there is room; cut off with an ellipsis where there is too little."""
    # A browser's letters may be wider than those that were measured.
    inner = {"signal": "max(0, 0.85 * (datum.x1 - datum.x0 - 8))"}
    halo = {
        "stroke": {"value": "var(--paper)"},
        "strokeWidth": {"value": 2.5},
        "strokeOpacity": {"value": 0.8},
    }
    tree = text(
        {"field": "x0", "offset": 2},
        {"field": "y0", "offset": -STRIP + STRIP / 2},
        {"signal": "datum.x1 - datum.x0 > 30 ? datum.name : ''"},
        baseline={"value": "middle"},
        fontWeight={"value": "bold"},
        limit=inner,
        fill={"value": INK},
    )
    cell = text(
        {"field": "x0", "offset": 5},
        {"field": "y0", "offset": -STRIP + 14},
        {"signal": "datum.x1 - datum.x0 > 36 && datum.y1 - datum.y0 > 20 ? datum.name : ''"},
        limit=inner,
        fill={"value": INK},
        **halo,
    )
    return [
        {"type": "text", "from": {"data": "trees"}, "encode": tree},
        {"type": "text", "from": {"data": "cells"}, "encode": cell},
    ]
