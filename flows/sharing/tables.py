"""What was done about people and uploaders, for a terminal. Pure."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from flows.words import printable


def collaboration_table(document: dict[str, Any]) -> RenderableType:
    """The summary as a table: who, what was done (or would be), and how it stands."""
    title = f"{document['plan']}{': what would change' if document['dry_run'] else ''}"
    table = Table(title=printable(title), title_justify="left")
    for column in ("tree", "who", "role", "action", "status", "note"):
        table.add_column(column, overflow="fold")
    for tree in document["trees"]:
        if tree["waiting"]:
            tree_name, waiting = Text(printable(tree["name"])), Text(printable(tree["waiting"]))
            table.add_row(tree_name, "", "", "waits", "", waiting)
        for each in tree["people"]:
            row = (tree["name"], each["who"], each["role"], each["action"], each["status"], each["detail"])
            table.add_row(*(Text(printable(value or "")) for value in row))
    if not table.rows:
        nothing = "nothing would change" if document["dry_run"] else "nothing was to do"
        return Text(printable(f"{document['plan']}: nobody is named for its trees or let in; {nothing}"))
    return table


def identities_text(document: dict[str, Any]) -> str:
    """What was done, and the lines that belong into the plan."""
    if "created" in document:
        lines = [f"created {each['id']}  {each['login']}  {each['name']}" for each in document["created"]]
        return "\n".join([*map(printable, lines), "", "Put this into the plan:", *_plan_lines(document)])
    if "retired" in document:
        lines = [f"retired {each}" for each in document["retired"]] or ["nobody to retire"]
        return "\n".join([*lines, "", "The plan keeps:", *_plan_lines(document)])
    lines = [_line(each) for each in document["identities"]]
    return "\n".join(map(printable, lines)) or "no identities: the service account uploads alone"


def _line(identity: dict[str, Any]) -> str:
    planned = "in the plan" if identity["in_plan"] else "not in the plan"
    return f"{identity['id']}  {identity['status']}  {planned}  {identity['name'] or ''}"


def _plan_lines(document: dict[str, Any]) -> list[str]:
    ids = ", ".join(f'"{each}"' for each in document["identities"])
    return ["box:", f"  identities: [{ids}]"]
