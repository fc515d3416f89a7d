"""A rehearsal for a terminal: what happened, the verdict, and what is to be expected of the real thing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from flows.foresight.forecast_table import expected_words, forecast_lines
from flows.reporting.status import status_table
from flows.words import counted, duration_words, printable, size_words

#: The sample of who named none.
WHOLE = "100%"

PASSED = "The rehearsal passed: what moved arrived and was proven{people}. Look closer: boxhaul report {plan}"
NOT_PASSED = "The rehearsal did not pass; the real run would end the same way. See why: boxhaul report {plan}"


def rehearsal_table(document: Mapping[str, Any]) -> RenderableType:
    """The document for a person."""
    table = Table(title=Text(printable(_title(document))), title_justify="left", show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("how much", overflow="fold")
    for what, much in _rows(document):
        table.add_row(what, Text(printable(much)))
    people = ", and its people are in the local Box" if document["people"] else ""
    verdict = (PASSED if document["complete"] else NOT_PASSED).format(
        plan=f"{document['folder']}/plan.yaml", people=people
    )
    style = "bold green" if document["complete"] else "bold red"
    return Group(
        status_table(document["status"]),
        table,
        Text(printable(verdict), style=style, overflow="fold"),
        Text("Of the real thing, as if nothing had moved yet:", style="bold"),
        *(Text(printable(f"  {line}"), overflow="fold") for line in _expected(document)),
    )


def _title(document: Mapping[str, Any]) -> str:
    minute = document["minute_seconds"]
    limits = "without limits" if minute is None else f"a minute of Box's lasting {duration_words(minute)}"
    return f"{document['plan']}, rehearsed: {document['sample']} of the files, {limits}"


def _rows(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    files, trees = document["files"], document["trees"]
    yield "trees complete", f"{trees['complete']:,} of {trees['total']:,}"
    yield (
        "files",
        f"{files['uploaded']:,} arrived and proven, {size_words(document['bytes']['uploaded'])};"
        f" {files['excluded']:,} left out by rules{'' if document['sample'] == WHOLE else ' and the sample'}",
    )
    reasons = ", ".join(f"{reason} ({count:,})" for reason, count in document["failures"].items())
    yield "failed", reasons or "nothing"
    yield "people", f"{counted(document['people'], 'person or group', 'people and groups')} let in"
    refused = document["rate_limited"]
    yield "Box calls", f"{document['calls']['total']:,}, {refused:,} of them refused by Box's limits (429)"
    yield "took", f"{duration_words(document['seconds'])}, {document['files_per_second']:,} files a second"


def _expected(document: Mapping[str, Any]) -> Iterator[str]:
    forecast = document["forecast"]
    yield expected_words(forecast)
    yield from forecast_lines(forecast)
    yield _pace(document)


def _pace(document: Mapping[str, Any]) -> str:
    """Whether this machine and share keep up with what Box allows."""
    forecast, here = document["forecast"], document["files_per_second"]
    users, seconds = forecast["identities"], forecast["seconds"]
    allowed = forecast["uploads"] / seconds if seconds else 0.0
    so_many = (
        f"{here:,} files a second here, walk and proof included; {allowed:.1f} are what the forecast needs"
    )
    if here >= allowed:
        return f"{so_many} by {counted(users, 'uploading user')}: this machine and share keep up"
    return f"{so_many}: this machine or share is slower than Box, and the real run lasts longer than forecast"
