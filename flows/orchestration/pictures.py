"""The report's pictures on a run's page, as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flows.orchestration.overview import cell
from flows.reporting.pictures.alone import address
from flows.reporting.pictures.drawing import Figure

#: How a state is drawn, in words.
LOOKS = {"in Box": "blue", "to send": "white", "failed": "red stripes", "left out": "grey dots"}

#: Lines of a picture's table; the report has them all.
ROWS_SHOWN = 20


def in_markdown(figures: Sequence[Figure]) -> str:
    """Return the pictures one below the other, each with its sentence, its legend and its first numbers."""
    return "\n\n".join(part for figure in figures for part in _parts(figure))


def _parts(figure: Figure) -> Iterator[str]:
    yield f"## {figure.title}"
    yield cell(figure.says)
    yield f"![{cell(figure.says)}]({address(figure)})"
    if figure.legend:
        yield " · ".join(f"{LOOKS[state]}: {state}" for state in figure.legend)
    rows = [figure.columns, ("---",) * len(figure.columns), *figure.rows[:ROWS_SHOWN]]
    yield "\n".join(f"| {' | '.join(cell(each) for each in row)} |" for row in rows)
    if len(figure.rows) > ROWS_SHOWN:
        yield f"The first {ROWS_SHOWN} of {len(figure.rows):,}; the report has all."
