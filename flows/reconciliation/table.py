"""The result of a verification, for a terminal. Pure."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.reporting.events import COMPARED_WITH
from flows.words import counted, printable, size_words

#: Differences that a terminal shows.
SHOWN = 50


def verification_table(document: dict[str, Any]) -> RenderableType:
    """The headline, then the first differences."""
    lines: list[RenderableType] = [Text(line) for line in verification_words(document)]
    if document["differences"]:
        lines.append(_table(document))
        more = document["difference_count"] - min(SHOWN, len(document["differences"]))
        if more:
            lines.append(Text(f"and {counted(more, 'difference')} more; --csv FILE has all of them"))
    return Group(*lines)


def verification_words(document: dict[str, Any]) -> list[str]:
    """What was compared, and the result: one line, and a second one when files were read again."""
    checked = document["checked"]
    compared = (
        f"{counted(checked['files'], 'file')} and {counted(checked['folders'], 'folder')}"
        f" ({size_words(checked['bytes'])}) compared with {COMPARED_WITH[document['mode']]}"
    )
    count = document["difference_count"]
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in document["by_kind"].items())
    result = f"{counted(count, 'difference')} ({kinds})" if count else "everything agrees"
    lines = [printable(f"{document['plan']}: {compared}: {result}")]
    read = document["read_again"]
    return [*lines, f"{size_words(read['bytes'])} read again: {read['confidence']}"] if read else lines


def _table(document: dict[str, Any]) -> Table:
    table = Table()
    for column in ("difference", "path", "what is known", "by", "at"):
        table.add_column(column, overflow="fold")
    for each in document["differences"][:SHOWN]:
        row = (each["kind"], each["path"], each["detail"], each["by"], each["at"])
        table.add_row(*(Text(printable(value or "")) for value in row))
    return table
