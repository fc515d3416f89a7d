"""Every item of a plan as a line of CSV and of JSON, for auditors; streamed, whatever the share's size."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
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
    for number, item in enumerate(lines):
        row = item_row(item)
        table.writerow([csv_cell(row[column]) for column in COLUMNS])
        _write_json(array_file, row, first=number == 0)
        for take in others:
            take(item)
    array_file.write("\n]\n")


def _write_json(file: TextIO, row: dict[str, Any], *, first: bool) -> None:
    file.write(("\n" if first else ",\n") + json.dumps(row, ensure_ascii=True))


def item_row(item: ItemLine) -> dict[str, Any]:
    """One item as the CSV and the JSON have it; times in UTC."""
    modified = None
    if item.modified_ns is not None:
        modified = _utc(item.modified_ns)
    return {
        "tree": item.tree,
        "path": item.path,
        "kind": item.kind.value,
        "status": item.status.word,
        "reason": item.reason,
        "detail": item.detail,
        "size": item.size,
        "sha1": item.sha1,
        "box_id": item.box_id,
        "box_version_id": item.box_version_id,
        "box_name": item.box_name,
        "renamed": item.renamed,
        "modified": modified,
        "uploaded_at": item.uploaded_at.isoformat() if item.uploaded_at else None,
        "attempts": item.attempts,
        "waived_by": item.waived_by,
        "waived_why": item.waived_why,
        "waived_at": item.waived_at.isoformat() if item.waived_at else None,
        "note": item.note,
    }


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
