"""The report as a workbook for those who filter: items, failures, trees and people; written row by row, in no memory.

No cell is ever a formula or a link: every text is written as a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from flows.reporting.advice import advice_for
from flows.reporting.status import COUNTED, person_name
from flows.words import printable
from state.records import ItemLine
from state.statuses import ItemStatus

#: What Excel takes on one sheet, its first row included, and in one cell.
ROWS, CELL = 1_048_576, 32_767

ITEMS = (
    "tree", "path", "kind", "status", "reason", "detail", "size", "modified", "uploaded_at", "box_id",
    "name in Box",
)  # fmt: skip
FAILURES = ("tree", "path", "kind", "reason", "detail", "what to do", "attempts", "size", "modified")
TREES = (
    "tree", "in the plan", "state", "why not complete", "detail", "Box folder",
    *(f"entries {name}" for name in COUNTED), *(f"files {name}" for name in COUNTED), "bytes to move", "bytes in Box",
)  # fmt: skip
PEOPLE = ("tree", "person or group", "role", "status", "in the plan")

#: Characters that a column is wide; what is not named is 12.
WIDTHS = {"path": 60, "tree": 24, "detail": 40, "what to do": 60, "modified": 19, "uploaded_at": 19}

#: Columns of dates, and how they are shown.
DATES, DATE_FORMAT = ("modified", "uploaded_at"), "yyyy-mm-dd hh:mm:ss"

#: Excel counts days, and this is 1970-01-01; its calendar ends with the year 9999.
DAY_OF_1970, LAST_DAY = 25_569, 2_958_465


class _Sheet:
    """One sheet: a frozen header with a filter, and rows until it is full."""

    def __init__(self, book: Any, name: str, columns: Sequence[str], all_are_in: str) -> None:
        self._sheet = book.add_worksheet(name)
        self._columns = len(columns)
        self._all_are_in = all_are_in
        self.rows = self.left_out = 0
        date = book.add_format({"num_format": DATE_FORMAT})
        for place, column in enumerate(columns):
            form = date if column in DATES else None
            self._sheet.set_column(place, place, WIDTHS.get(column, 12), form)
        self._sheet.freeze_panes(1, 0)
        self._write(columns, book.add_format({"bold": True}))

    def add(self, values: Sequence[Any]) -> None:
        """One row more; when the sheet is full but for its last row, it is counted alone."""
        if self.rows == ROWS - 1:
            self.left_out += 1
        else:
            self._write(values)

    def end(self) -> None:
        """There are no more rows; say so where some found no place."""
        if self.left_out:
            self._write(
                [f"… and {self.left_out:,} more: Excel holds no more rows; {self._all_are_in} has all"]
            )
        self._sheet.autofilter(0, 0, max(1, self.rows - 1), self._columns - 1)

    def _write(self, values: Sequence[Any], form: Any = None) -> None:
        write_string, write_number = self._sheet.write_string, self._sheet.write_number
        for place, value in enumerate(values):
            if value is None or value == "":
                continue
            if isinstance(value, str):
                write_string(self.rows, place, cell_text(value), form)
            else:
                write_number(self.rows, place, value, form)
        self.rows += 1


class Workbook:
    """The sheets, filled as the report's lines come by."""

    def __init__(self, book: Any, trees: Sequence[Mapping[str, Any]]) -> None:
        self._items = _Sheet(book, "items", ITEMS, "items.csv")
        self._failures = _Sheet(book, "failures", FAILURES, "items.csv")
        self._trees = _Sheet(book, "trees", TREES, "boxhaul status --json")
        self._people = _Sheet(book, "people", PEOPLE, "boxhaul status --json")
        self._plans = {tree["name"]: tree["in_plan"] for tree in trees}
        for tree in trees:
            self._add_tree(tree)

    def take(self, item: ItemLine) -> None:
        """One line of the report."""
        head, size = (item.tree, item.path, item.kind.value), item.size
        modified = None if item.modified_ns is None else _day(item.modified_ns / 1e9)
        uploaded = None if item.uploaded_at is None else _day(item.uploaded_at.timestamp())
        name = item.box_name if item.renamed else None
        self._items.add(
            (*head, item.status.word, item.reason, item.detail, size, modified, uploaded, item.box_id,
             name)
        )  # fmt: skip
        if item.status is ItemStatus.FAILED and self._plans.get(item.tree):
            reason = item.reason or ""
            self._failures.add(
                (*head, reason, item.detail, advice_for(reason), item.attempts, size, modified)
            )

    def end(self) -> None:
        """There are no more lines."""
        for sheet in (self._items, self._failures, self._trees, self._people):
            sheet.end()

    def _add_tree(self, tree: Mapping[str, Any]) -> None:
        state = (
            tree["in_plan"],
            tree["state"],
            tree["incomplete_reason"],
            tree["detail"],
            tree["box_folder_id"],
        )
        counts = [tree[part][name] for part in ("items", "files") for name in COUNTED]
        self._trees.add((tree["name"], *state, *counts, tree["bytes"]["total"], tree["bytes"]["uploaded"]))
        for people, planned in ((tree["collaborators"], True), (tree["still_in"], False)):
            for person in people:
                row = (tree["name"], person_name(person), person["role"], person["status"], _yes(planned))
                self._people.add(row)


@contextmanager
def workbook(file: IO[bytes], folder: Path, trees: Sequence[Mapping[str, Any]]) -> Iterator[Workbook]:
    """A workbook that is whole in this file when the body ends; until then its rows lie in `folder`. OSError."""
    import xlsxwriter
    from xlsxwriter.exceptions import XlsxWriterException

    with TemporaryDirectory(prefix=".report-", dir=folder) as rows:
        book = xlsxwriter.Workbook(file, {"constant_memory": True, "tmpdir": rows})
        book.use_zip64()
        try:
            sheets = Workbook(book, trees)
            yield sheets
            sheets.end()
            book.close()
        except XlsxWriterException as exc:
            raise OSError(str(exc)) from exc
        finally:
            _close_rows(book)


def _close_rows(book: Any) -> None:
    """Close the files with the rows, which a workbook that was not finished leaves open."""
    for sheet in book.worksheets():
        with suppress(OSError):  # what waits in memory for a full disk
            sheet.row_data_fh.close()


def cell_text(text: str) -> str:
    """A text as a cell holds it: no control characters, and no longer than Excel takes."""
    text = printable(text)
    return text if len(text) <= CELL else f"{text[: CELL - 1]}…"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _day(seconds: float) -> float | str:
    """A time of 1970 as Excel counts it; a text where its calendar does not hold it."""
    day = seconds / 86_400 + DAY_OF_1970
    return day if 1 <= day <= LAST_DAY else f"{seconds:.0f} s after 1970-01-01"
