"""What a benchmark found: rows of figures, as a table, as JSON that is kept, and as one picture. Measures nothing."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: Who is measured, in the colour that is ours in the picture.
OURS, OTHERS = "#0061d5", "#9aa0a6"


@dataclass(frozen=True)
class Row:
    """What one program took for one thing."""

    what: str
    who: str
    #: By name with its unit ("CPU ms a file").
    figures: Mapping[str, float]


def table(rows: Sequence[Row]) -> str:
    """The rows as lines for a terminal: a column for each figure that any of them has."""
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    lines = [["what", "who", *names]]
    lines += [[row.what, row.who, *(_shown(row.figures.get(name)) for name in names)] for row in rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            word.ljust(width) if place < 2 else word.rjust(width)
            for place, (word, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def keep(folder: Path, name: str, rows: Sequence[Row]) -> list[Path]:
    """Write NAME.json and NAME.svg into this folder; a benchmark without rows leaves none."""
    if not rows:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    kept, picture = folder / f"{name}.json", folder / f"{name}.svg"
    kept.write_text(json.dumps(document(name, rows), indent=1) + "\n", encoding="utf-8")
    picture.write_text(drawn(name, rows), encoding="utf-8")
    return [kept, picture]


def document(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The rows with what they were measured on."""
    return {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "rows": [asdict(row) for row in rows],
    }


def read(file: Path) -> list[Row]:
    """The rows that were kept."""
    return [Row(**row) for row in json.loads(file.read_text(encoding="utf-8"))["rows"]]


def drawn(name: str, rows: Sequence[Row]) -> str:
    """One picture as SVG: for each figure bars of all rows, each figure on a scale of its own."""
    import vl_convert  # as the report does: it brings an engine of 80 MB

    names = list(dict.fromkeys(figure for row in rows for figure in row.figures))
    charts = [_bars(figure, rows) for figure in names]
    spec = {
        "title": {"text": name, "anchor": "start"},
        "background": "white",
        "vconcat": charts,
        "config": {"font": "system-ui, sans-serif", "view": {"stroke": None}},
    }
    return str(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))


def _bars(figure: str, rows: Sequence[Row]) -> dict[str, Any]:
    values = [
        {"row": f"{row.who}: {row.what}", "ours": row.who.startswith("ours"), "value": row.figures[figure]}
        for row in rows
        if figure in row.figures
    ]
    bars = {
        "y": {"field": "row", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 360}}
    }
    x = {"field": "value", "type": "quantitative", "title": figure, "scale": {"zero": True}}
    color = {
        "field": "ours",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": [True, False], "range": [OURS, OTHERS]},
    }
    return {
        "width": 420,
        "data": {"values": values},
        "encoding": {**bars, "x": x},
        "layer": [
            {"mark": "bar", "encoding": {"color": color}},
            {
                "mark": {"type": "text", "align": "left", "dx": 4},
                "encoding": {"text": {"field": "value", "type": "quantitative", "format": ",.3~r"}},
            },
        ],
    }


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
