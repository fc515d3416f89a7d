"""An inventory for a terminal: problems first, each with what to do, then what there is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.foresight.findings import Severity
from flows.words import counted, printable, size_words

#: Examples of a finding, trees, types and large things that a terminal shows; --json and --csv have more.
EXAMPLES, TREES, TYPES, LARGEST = 2, 30, 8, 5

STYLES = {Severity.PROBLEM: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def inventory_words(document: Mapping[str, Any]) -> str:
    """One line: how much there is, and how much of it makes trouble."""
    sums = [sum(each["severity"] == severity for each in document["findings"]) for severity in Severity]
    kinds = ", ".join(
        f"{counted(number, 'kind')} of {severity.value}"
        for number, severity in zip(sums, Severity, strict=True)
        if number and severity is not Severity.NOTE
    )
    found = f"{counted(document['files'], 'file')} in {counted(document['folders'], 'folder')}"
    return (
        f"{document['plan']}: {found}, {size_words(document['bytes'])} to move; {kinds or 'no trouble found'}"
    )


def inventory_table(document: Mapping[str, Any]) -> RenderableType:
    """The document for a person."""
    parts: list[RenderableType] = [Text(printable(inventory_words(document)), style="bold")]
    if document["findings"]:
        parts.append(_findings(document["findings"]))
    parts.append(_trees(document["trees"]))
    parts += [Text(printable(f"  {line}"), overflow="fold") for line in _lines(document)]
    return Group(*parts)


def _findings(findings: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(show_lines=True)
    table.add_column("finding", overflow="fold")
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("what, where, and what to do", overflow="fold")
    for finding in findings:
        examples = [
            path + (f" ({detail})" if detail else "")
            for path, detail in zip(finding["examples"], finding["details"], strict=True)
        ]
        text = Text(printable(finding["what"]))
        for example in examples[:EXAMPLES]:
            text.append("\n  " + printable(example))
        if len(examples) > EXAMPLES:
            text.append("\n  ...")
        text.append("\n→ " + printable(finding["what_to_do"]), style="italic")
        table.add_row(
            Text(finding["kind"], style=STYLES[Severity(finding["severity"])]),
            f"{finding['count']:,}",
            size_words(finding["bytes"]) if finding["bytes"] else "",
            text,
        )
    return table


def _trees(trees: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = Table()
    table.add_column("tree", overflow="fold")
    for name in ("files", "folders", "bytes"):
        table.add_column(name, justify="right", no_wrap=True)
    largest = sorted(trees, key=lambda tree: -tree["bytes"])
    for tree in largest[:TREES]:
        row = (f"{tree['files']:,}", f"{tree['folders']:,}", size_words(tree["bytes"]))
        table.add_row(Text(printable(tree["name"])), *row)
    if len(trees) <= TREES:
        return table
    return Group(table, Text(f"  and {counted(len(trees) - TREES, 'smaller tree')}; --json has all"))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield "types: " + ", ".join(_class(each["type"] or "(none)", each) for each in document["types"][:TYPES])
    yield "sizes: " + ", ".join(_classes(document["sizes"], "below_bytes", size_words))
    ages = ", ".join(_ages(document["ages"]))
    yield f"not modified for: {ages or 'everything was modified lately'}"
    if document["last_access"] is not None and (unused := ", ".join(_ages(document["last_access"]))):
        yield f"not opened for: {unused}, by the share's own times of last access"
    if document["owners"]:
        yield "owners: " + ", ".join(_class(each["owner"], each) for each in document["owners"][:TYPES])
    for each in document["largest_files"][:LARGEST]:
        if each["bytes"]:
            yield f"large file: {size_words(each['bytes'])}  {each['path']}"
    for each in document["largest_folders"][:LARGEST]:
        yield f"full folder: {counted(each['items'], 'item')}  {each['path']}"
    depth, paths = document["depth"], document["paths"]
    yield f"deepest: {counted(depth['deepest'], 'level')}, longest path: {paths['longest']:,} characters"
    if document["in_checkpoint"]:
        yield "the first run begins with what was walked here: boxhaul migrate"
    if document["growth"] is not None:
        grown = document["growth"]
        sums = f"{grown['files']:+,} files, {grown['folders']:+,} folders, {_signed(grown['bytes'])}"
        yield f"since the inventory of {grown['since'][:16].replace('T', ' ')} UTC: {sums}"


def _class(name: str, each: Mapping[str, Any]) -> str:
    return f"{name} {each['files']:,} ({size_words(each['bytes'])})"


def _classes(classes: Sequence[Mapping[str, Any]], bound: str, words: Any) -> Iterator[str]:
    """Each class that has files, by its bounds."""
    before = None
    for each in classes:
        if each["files"]:
            if each[bound] is None:
                name = f"{words(before)} and more"
            else:
                name = "empty" if before is None else f"below {words(each[bound])}"
            yield _class(name, each)
        before = each[bound]


def _ages(classes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How much nobody modified for at least so long, the longest last."""
    for at, each in enumerate(classes[:-1]):
        older = classes[at + 1 :]
        sums = {name: sum(one[name] for one in older) for name in ("files", "bytes")}
        if sums["files"]:
            yield _class(_days_words(each["below_days"]), sums)


def _days_words(days: int) -> str:
    return counted(days, "day") if days < 365 else counted(days // 365, "year")


def _signed(size: int) -> str:
    return f"{'-' if size < 0 else '+'}{size_words(abs(size))}"
