"""Several plans at once: where each stands, as documents and as one table. Reads their checkpoints alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from connectors.errors import ConnectorError
from flows.errors import PlanError
from flows.plan.file import load_plan
from flows.reporting.status import status_document
from flows.words import counted, duration_words, printable, size_words
from state.errors import StateError

#: Endings of plan files.
ENDINGS = (".yaml", ".yml")


def plan_files(paths: Sequence[Path]) -> list[Path]:
    """Return these plan files, and in place of each folder those in it, by name. PlanError for a folder without any."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(each for each in path.iterdir() if each.suffix in ENDINGS and each.is_file())
        if not inside:
            raise PlanError(f"{path}: no plan is in this folder (*{', *'.join(ENDINGS)})")
        found += inside
    return list(dict.fromkeys(found))


def documents(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yield the status of each plan, with its `file`; of one that has none, file and `error`."""
    for path in paths:
        try:
            # Read anew each time: what stands beside a plan counts until the next one is read.
            document = status_document(load_plan(path))
        except (PlanError, StateError, ConnectorError) as exc:
            document = {"plan": None, "error": str(exc)}
        yield {"file": str(path), **document}


def several_table(found: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A row for each plan, and their sums."""
    table = Table(title=Text(counted(len(found), "plan")), title_justify="left")
    for name in ("plan", "state"):
        table.add_column(name, overflow="fold")
    for name in ("in Box", "failed", "pending", "bytes", "left"):
        table.add_column(name, justify="right", no_wrap=True)
    for document in found:
        if "error" in document:
            table.add_row(
                Text(printable(Path(document["file"]).name)), Text(printable(document["error"]), "red")
            )
        else:
            table.add_row(Text(printable(document["plan"])), _state(document), *_numbers([document]))
    known = [document for document in found if "error" not in document]
    if len(known) > 1:
        table.add_section()
        table.add_row(Text("all"), Text(""), *_numbers(known), style="bold")
    return table


def _state(document: Mapping[str, Any]) -> Text:
    trees = [tree for tree in document["trees"] if tree["in_plan"]]
    total = len(trees) + len(document["not_begun"])
    done = sum(tree["state"] in ("complete", "closed") for tree in trees)
    words = f"{done:,} of {counted(total, 'tree')} complete"
    if document.get("running"):
        return Text(f"running; {words}", "yellow")
    return Text(words, "green" if total and done == total else "red")


def _numbers(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of files alone: in Box of how many, failed, pending; bytes; time under Box's limits, at the same time."""
    files = {
        name: sum(each["totals"]["files"][name] for each in found)
        for name in ("total", "uploaded", "failed", "pending", "excluded", "waived")
    }
    size = sum(each["totals"]["bytes"]["uploaded"] for each in found)
    left = max((each["eta_seconds"] or 0 for each in found), default=0)
    moving = files["total"] - files["excluded"] - files["waived"]
    return [
        f"{files['uploaded']:,} / {moving:,}",
        f"{files['failed']:,}",
        f"{files['pending']:,}",
        size_words(size),
        duration_words(left) if left else "-",
    ]
