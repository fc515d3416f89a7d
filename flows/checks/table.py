"""The rows of a check for a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.checks.rows import State, sums_words
from flows.words import printable

#: The worst first.
ORDER = ("problem", "warning", "ok")

STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def check_table(shown: dict[str, Any], *, every: bool = False) -> RenderableType:
    """The document for a person: problems, then warnings, each in the order in which they are put right, then the
    names of what is in order; with `every` that one has rows, too."""
    table = Table(
        title=printable(f"{shown['plan']}: {shown['state']}"), title_justify="left", show_lines=True
    )
    for column in ("check", "state"):
        table.add_column(column, no_wrap=column == "state", overflow="fold")
    table.add_column("found, and what to do", overflow="fold")
    checks = sorted(shown["checks"], key=lambda check: ORDER.index(check["state"]))
    fine = [] if every else [check for check in checks if check["state"] == State.OK.value]
    for check in checks[: len(checks) - len(fine)]:
        text = Text(printable(check["found"]))
        if check["what_to_do"]:
            text.append("\n→ " + printable(check["what_to_do"]), style="italic")
        table.add_row(
            Text(printable(check["name"])), Text(check["state"], style=STYLES[check["state"]]), text
        )
    parts: list[RenderableType] = (
        [table] if table.rows else [Text(printable(f"{shown['plan']}: all is well"))]
    )
    if fine:
        names = ", ".join(dict.fromkeys(check["name"] for check in fine))
        parts.append(Text(printable(f"ok: {names} (--json has each in full)"), style=STYLES[State.OK.value]))
    if shown["state"] != State.OK.value:
        parts.append(Text(sums_words(shown)))
    return Group(*parts)
