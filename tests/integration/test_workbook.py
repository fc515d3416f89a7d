"""The report's workbook as a spreadsheet program reads it: texts are texts, and Excel's limits are kept and said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from flows.reporting import workbook as module
from flows.reporting.report import write_report
from flows.reporting.status import status_document
from state.checkpoint import Checkpoint
from tests.integration.state.scene import Scene
from tests.integration.test_report import plan_in

NAMES = (
    "=1+1",
    "+1",
    "-2+3",
    "@SUM(1)",
    '=HYPERLINK("http:x")',
    "_x0041_",
    "007",
    "line\nbreak",
    "\x1b[2J",
)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A plan "p" with a tree "A" in a checkpoint of its own."""
    with Checkpoint.open(f"sqlite:///{tmp_path / 'state.db'}") as checkpoint:
        yield Scene(checkpoint, source_url="https://files.example.com/s")


def sheets(tmp_path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Sheet → its rows."""
    path = next(path for path in write_report(plan_in(tmp_path, trees=[])) if path.suffix == ".xlsx")
    book = load_workbook(path)
    assert not [cell for sheet in book for row in sheet for cell in row if cell.data_type == "f"]
    return {sheet.title: [tuple(cell.value for cell in row) for row in sheet] for sheet in book}


def test_names_are_texts_whatever_they_look_like(tmp_path: Path, scene: Scene) -> None:
    """No formula, no link, no number, no escape of Excel's own, nothing that a terminal would obey."""
    scene.walk(dict.fromkeys(NAMES, 1))
    rows = sheets(tmp_path)["items"]
    column = rows[0].index("path")

    # Excel takes _x0041_ for A, and _x005F_ for the underscore that keeps it from that.
    shown = {
        name.replace("_x0041_", "_x005F_x0041_").replace("\n", "\\x0a").replace("\x1b", "\\x1b")
        for name in NAMES
    }
    assert {f"A/{name}" for name in shown} == {row[column] for row in rows[1:]}


def test_numbers_are_those_of_status(tmp_path: Path, scene: Scene) -> None:
    """Trees, items and failures have the sums of the status document; dates are dates."""
    moment = datetime(2020, 5, 17, 12, tzinfo=UTC)
    scene.walk({"f": (10, int(moment.timestamp()) * 10**9), "g": 20, "h": (5, -(10**19)), "sub": {"i": 1}})
    scene.create_folders()
    scene.fail("g")
    scene.send_everything()
    found, document = sheets(tmp_path), status_document(plan_in(tmp_path, trees=[]))
    items = [dict(zip(found["items"][0], row, strict=True)) for row in found["items"][1:]]
    [tree] = [dict(zip(found["trees"][0], row, strict=True)) for row in found["trees"][1:]]

    assert document["totals"]["items"]["total"] == len(items) == tree["entries total"]
    assert 1 == document["totals"]["items"]["failed"] == len(found["failures"]) - 1 == tree["entries failed"]
    assert "Have the program closed" in str(found["failures"][1])
    assert document["totals"]["bytes"]["uploaded"] == tree["bytes in Box"]
    by_path = {item["path"]: item for item in items}
    assert moment.replace(tzinfo=None) == by_path["A/f"]["modified"]
    assert "s after 1970" in by_path["A/h"]["modified"], "before Excel's calendar begins"


def test_rows_that_excel_does_not_hold_are_told(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last row says how many are left out, and where they are."""
    monkeypatch.setattr(module, "ROWS", 10)
    scene.walk({f"file {number:02}": 1 for number in range(30)})
    rows = sheets(tmp_path)["items"]

    assert 10 == len(rows)
    assert "… and 22 more: Excel holds no more rows; items.csv has all" == rows[-1][0]


def test_long_text_is_cut_where_excel_would_lose_it() -> None:
    """Beyond 32,767 characters Excel drops the whole of it."""
    assert module.CELL == len(module.cell_text("x" * 40_000))
