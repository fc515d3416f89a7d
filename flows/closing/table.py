"""A cutover, or its rehearsal, as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.words import duration_words, printable


def cutover_table(document: Mapping[str, Any]) -> RenderableType:
    """Each step with how long it took, or will take, and what came of it."""
    table = Table(title=Text(printable(_title(document))), title_justify="left")
    table.add_column("step")
    table.add_column("took" if not document["rehearsal"] else "will take", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for step in document["steps"]:
        table.add_row(step["step"], _time(step), Text(printable(step["detail"])))
    return Group(table, *(Text(printable(f"  {words}"), style="bold") for words in document["words"]))


def _title(document: Mapping[str, Any]) -> str:
    if document["rehearsal"]:
        return f"{document['plan']}: the cutover, rehearsed; nobody was let in and nothing was closed"
    return f"{document['plan']}: the cutover"


def _time(step: Mapping[str, Any]) -> str:
    if step["seconds"] is None:
        return "-" if not step["done"] else "done before"
    return duration_words(step["seconds"])
