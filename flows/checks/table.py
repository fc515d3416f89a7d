"""The rows of a check for a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.checks.rows import State, sums_words
from flows.words import printable

STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def check_table(shown: dict[str, Any]) -> RenderableType:
    """The document for a person, in the order in which things are put right."""
    table = Table(
        title=printable(f"{shown['plan']}: {shown['state']}"), title_justify="left", show_lines=True
    )
    for column in ("check", "state"):
        table.add_column(column, no_wrap=column == "state", overflow="fold")
    table.add_column("found, and what to do", overflow="fold")
    for check in shown["checks"]:
        text = Text(printable(check["found"]))
        if check["what_to_do"]:
            text.append("\n→ " + printable(check["what_to_do"]), style="italic")
        table.add_row(
            Text(printable(check["name"])), Text(check["state"], style=STYLES[check["state"]]), text
        )
    if shown["state"] == State.OK.value:
        return Group(table)
    return Group(table, Text(sums_words(shown)))
