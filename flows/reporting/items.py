"""Every item of a plan as a line of CSV and of JSON, for auditors; streamed, whatever the share's size."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TextIO

from flows.words import printable
from state.records import ItemLine

#: A cell that begins with one of these is a formula to a spreadsheet; a file's name must never be one.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

COLUMNS = (
    "tree",
    "path",
    "kind",
    "status",
    "reason",
    "detail",
    "size",
    "sha1",
    "box_id",
    "box_version_id",
    "box_name",
    "renamed",
    "modified",
    "uploaded_at",
    "attempts",
    "waived_by",
    "waived_why",
    "waived_at",
    "note",
)


#: Lines that are written together.
AT_ONCE = 500

#: What may begin a formula; an empty text does not.
_SUSPICIOUS = frozenset(FORMULA_STARTS)

_OBJECT = "{" + ", ".join(f"{json.dumps(column)}: %s" for column in COLUMNS) + "}"

_JSON_BOOL = {True: "true", False: "false"}

#: A text as JSON has it, in ASCII.
_quoted = json.encoder.encode_basestring_ascii


def write_lines(
    lines: Iterator[ItemLine],
    table_file: TextIO,
    array_file: TextIO,
    others: Sequence[Callable[[ItemLine], None]],
) -> None:
    """Write every line as CSV into the one file and as JSON into the other; the others see each of them, too."""
    table = csv.writer(table_file)
    table.writerow(COLUMNS)
    array_file.write("[")
    between = "\n"
    while items := list(islice(lines, AT_ONCE)):
        rows = [_values(item) for item in items]
        table.writerows(map(_cells, rows))
        array_file.write(between + ",\n".join(map(_json_text, rows)))
        between = ",\n"
        for take in others:
            for item in items:
                take(item)
    array_file.write("\n]\n")


def item_row(item: ItemLine) -> dict[str, Any]:
    """One item as the CSV and the JSON have it; times in UTC."""
    return dict(zip(COLUMNS, _values(item), strict=True))


def _values(item: ItemLine) -> tuple[Any, ...]:
    """The same in the order of the columns."""
    modified_ns, uploaded_at, waived_at = item.modified_ns, item.uploaded_at, item.waived_at
    return (
        item.tree,
        item.path,
        item.kind.value,
        item.status.word,
        item.reason,
        item.detail,
        item.size,
        item.sha1,
        item.box_id,
        item.box_version_id,
        item.box_name,
        item.renamed,
        None if modified_ns is None else _utc(modified_ns),
        None if uploaded_at is None else uploaded_at.isoformat(),
        item.attempts,
        item.waived_by,
        item.waived_why,
        None if waived_at is None else waived_at.isoformat(),
        item.note,
    )


def _cells(row: Sequence[Any]) -> list[Any]:
    """The row as csv_cell() has each of its values."""
    return [
        value
        if value is None
        or value.__class__ is not str
        or (value.isprintable() and value[:1] not in _SUSPICIOUS)
        else csv_cell(value)
        for value in row
    ]


def _json_text(row: Sequence[Any]) -> str:
    """The row as json.dumps() writes the object, without making one."""
    return _OBJECT % tuple(
        [
            _quoted(value)
            if value.__class__ is str
            else "null"
            if value is None
            else _JSON_BOOL[value]
            if value.__class__ is bool
            else value
            for value in row
        ]
    )


def how_renamed(item: ItemLine) -> str:
    """Say how a name in Box differs that looks the same; "" where it can be seen."""
    name = item.path.rpartition("/")[2]
    if name == item.box_name or unicodedata.normalize("NFC", name) != item.box_name:
        return ""
    form = "NFD" if unicodedata.is_normalized("NFD", name) else "another one"
    return f"the same letters: Unicode form NFC in Box, {form} in the share"


def _utc(nanoseconds: int) -> str:
    """RFC 3339 with a second's precision; the raw number when no calendar holds it."""
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return str(nanoseconds)


def csv_cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula, on one line, without terminal escapes."""
    if value is None:
        return ""
    text = str(value)
    if not isinstance(value, str):
        return text
    text = printable(text)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
