"""A forecast for a terminal: what a pass would do, by which calls, and until when. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from connectors.box.tiers import LIMITS, Tier
from flows.transfer.choosing import left_out_words
from flows.transfer.quick import quick_words
from flows.words import counted, duration_words, printable, size_words

#: Trees that a terminal shows; --json has all.
TREES = 30

#: What is counted of entries → the head of its column; all of them fit 80 characters.
COLUMNS = {
    "new": "new",
    "changed": "changed",
    "moved": "moved",
    "trashed": "trash",
    "unchanged": "same",
    "failed": "failed",
}

#: What binds, for a person.
BINDING = {
    "files": "Box's limit of uploads for each user",
    "calls": "Box's limit of calls for each user",
    "bytes": "the line, or the bandwidth of the plan",
    "source": "reading the share",
}


def simulation_words(document: Mapping[str, Any]) -> str:
    """One line: what would be sent, by how many calls, how long it takes; and that nothing was sent."""
    return f"{expected_words(document)} Nothing was sent."


def expected_words(document: Mapping[str, Any]) -> str:
    """One line: what is to be sent, by how many calls, how long it takes."""
    items, users = document["items"], document["identities"]
    sent = f"{counted(document['uploads'], 'file')} ({size_words(document['bytes'])}) to send"
    others = [f"{items[name]:,} {words}" for name, words in _OTHERS if items[name]]
    calls = counted(document["calls"]["total"], "Box call")
    lasts = f"at least {duration_words(document['seconds'])} by {counted(users, 'uploading user')}"
    return f"{document['plan']}: {', '.join([sent, *others])}; {calls}, {lasts}."


_OTHERS = (("moved", "moved in Box"), ("trashed", "to Box's trash"), ("failed", "would fail"))


def simulation_table(document: Mapping[str, Any]) -> RenderableType:
    """The document for a person."""
    parts: list[RenderableType] = [Text(printable(simulation_words(document)), style="bold")]
    if document["stops"]:
        parts.append(Text(f"The run would stop: {printable(document['stops'])}", style="bold red"))
    parts += [_trees(document["trees"]), _calls(document["calls"]["by_route"])]
    parts += [Text(printable(f"  {line}"), overflow="fold") for line in forecast_lines(document)]
    return Group(*parts)


def _trees(trees: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = Table(title="entries, folders among them", title_justify="left")
    table.add_column("tree", overflow="fold")
    for name in (*COLUMNS.values(), "bytes"):
        table.add_column(name, justify="right", no_wrap=True)
    for tree in trees[:TREES]:
        counts = (f"{tree['items'][name]:,}" for name in COLUMNS)
        table.add_row(Text(printable(tree["name"])), *counts, size_words(tree["bytes"]))
    if len(trees) <= TREES:
        return table
    return Group(table, Text(f"  and {counted(len(trees) - TREES, 'more tree')}; --json has all"))


def _calls(by_route: Mapping[str, int]) -> Table:
    table = Table()
    table.add_column("Box call", overflow="fold")
    table.add_column("count", justify="right", no_wrap=True)
    for route, count in by_route.items():
        table.add_row(Text(route), f"{count:,}")
    return table


def forecast_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield how long it takes, what binds, and what else there is to say."""
    days = ", ".join(
        f"{users}: {duration_words(lasts * 86_400)}" for users, lasts in document["days"].items()
    )
    yield f"by uploading users: {days}"
    yield f"what binds: {BINDING[document['binding']]}"
    line = document["speeds"]["line"]
    if line is None:
        yield "the line is not among the bounds: boxhaul simulate says it with --line-speed 100MB/s, or --probe"
    else:
        yield f"the line: {size_words(line)} a second"
    if document["finish_at"] is not None:
        yield f"begun now, over at {document['finish_at'][:16].replace('T', ' ')} UTC at the earliest"
    yield _month(document["calls"]["total"], document["allotment"])
    items = document["items"]
    if items["excluded"]:
        yield f"{counted(items['excluded'], 'entry', 'entries')} left out by rules of the plan, or links"
    if items["same_size"]:
        yield (
            f"at most: {counted(items['same_size'], 'changed file has', 'changed files have')} the size that Box has;"
            " a pass reads such files, and sends only those that differ"
        )
    if items["emptied"]:
        yield (
            f"{counted(items['emptied'], 'folder lists', 'folders list')} nothing of what"
            f" {'it' if items['emptied'] == 1 else 'they'} had before and would fail; is a disk mounted there?"
        )
    if (again := document["read_again"])["files"]:
        files = f"{counted(again['files'], 'file')} ({size_words(again['bytes'])})"
        yield f"{files} read again, and those of them that differ sent as well: how many is not known before"
    if document["left_out"]["files"]:
        yield left_out_words(document["left_out"]["files"], document["left_out"]["bytes"])
    if document["quick"] is not None:
        yield quick_words(document["quick"])
    if items["too_large"]:
        yield f"{counted(items['too_large'], 'file')} larger than Box takes; boxhaul inventory lists them"
    if items["renamed"]:
        yield f"{counted(items['renamed'], 'name')} changed for Box; boxhaul inventory lists them"
    if document["shared"]:
        yield f"{counted(document['shared'], 'tree')} would be shared with its people"
    if document["nothing_trashed"] is not None:
        yield f"nothing would go to Box's trash: {document['nothing_trashed']}"
    elif items["held"]:
        yield (
            f"{counted(items['held'], 'file')} gone from the share would stay in Box for now: each may be in another"
            " tree that has it not in Box yet, or one that was waived"
        )
    elif items["gone"] and not items["trashed"]:
        yield f"{counted(items['gone'], 'entry', 'entries')} gone from the share; Box keeps them"


def _month(calls: int, allotment: Mapping[str, Any]) -> str:
    """How much of a month's calls that is."""
    share, tier = calls / allotment["calls_per_month"], allotment["tier"]
    words = (
        f"{share:.1f} times" if share >= 1 else f"{share:.1%} of" if share >= 0.001 else "less than 0.1% of"
    )
    allowed = f"{words} the {allotment['calls_per_month']:,} calls a month"
    if allotment["calls_per_month"] != LIMITS[Tier(tier)].calls_per_month:
        return f"{allowed} that the enterprise has (box: calls_per_month)"
    return f"{allowed} of Box's plan {tier} (box: tier)"
