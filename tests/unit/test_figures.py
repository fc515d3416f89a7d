"""The report's pictures for odd names and odd shares: drawn all the same, with every name as a text."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from flows.orchestration.page import slowest_rows
from flows.reporting.pictures.drawing import Figure
from flows.reporting.pictures.figures import figures
from flows.reporting.shape import Shape
from state.statuses import ItemStatus
from tests.unit.test_shape import NOW, File, course, file, fill, sample, span

ODD = (
    "<script>alert(1)</script>",
    "\udc80undecodable",
    "bell\x07",
    "\u202egnp.exe",
    "${datum.x}",
    "'\"`&amp;",
    "\x1b[2J",
)


def document(*trees: dict[str, Any]) -> dict[str, Any]:
    """A status document, as far as the pictures ask for it."""
    return {"trees": list(trees), "calls": {"total": 743}}


def tree(name: str, **more: Any) -> dict[str, Any]:
    """One tree in it."""
    return {
        "name": name, "source": name, "in_plan": True, "bytes": {"total": 5}, "failures_by_reason": {},
        "collaborators": [], "still_in": [], **more,
    }  # fmt: skip


def drawn(trees: list[dict[str, Any]], files: list[File]) -> list[Figure]:
    """The pictures, after a look that each is XML, in both widths."""
    shape = Shape(trees, now=NOW, shown=12)
    fill(shape, files)
    samples = [sample(1, 0, 3), sample(1, 600, 603, 2)]
    went = course(
        uploaded=3, pending=4, samples=samples, spans=[span(0, 600, killed=True)], arrived=[10, 30, 90]
    )
    found = figures(document(*trees), shape, went)
    for figure in found:
        for svg in (figure.wide, figure.narrow):
            root = ElementTree.fromstring(svg)
            assert "img" == root.get("role")
            assert figure.says == root.get("aria-label")
        assert all(len(figure.columns) == len(row) for row in figure.rows)
    return found


@pytest.mark.parametrize("name", ODD)
def test_names_are_texts_in_every_picture(name: str) -> None:
    """Whatever a tree, a folder, a reason or a person is called."""
    person = {"login": name, "role": "viewer", "status": "accepted"}
    trees = [tree("A"), tree(name, failures_by_reason={name: 2}, collaborators=[person])]
    files = [file(f"A/{name}/{number}", at=10 * number, size=9) for number in range(3)]
    files += [file("A/other/f", size=5), file("A/f", size=5, status=ItemStatus.FAILED)]
    found = drawn(trees, files)

    assert ["progress", "share", "failures", "people", "sizes", "ages", "slowest"] == [
        each.key for each in found
    ]
    for figure in found:
        assert "<script" not in figure.wide + figure.narrow
        assert not [char for char in figure.wide + figure.says if ord(char) < 32 and char != "\n"]


def test_share_of_empty_files_and_of_many_trees() -> None:
    """Where nothing has a size there is no picture of sizes by area; of thousands of trees the largest are shown."""
    empty = drawn([tree("A")], [file("A/f", size=0)])
    many = [tree(f"tree {number:04}") for number in range(3_000)]
    shape = Shape(many, now=NOW, shown=12)
    for number, each in enumerate(many):
        shape.trees[each["name"]]["in Box"] = number
    [share] = [each for each in figures(document(*many), shape, None) if each.key == "share"]

    assert "share" not in [each.key for each in empty]
    assert 41 == len(share.rows)
    assert "other trees" == share.rows[-1][0]
    assert len(share.wide) < 60_000


def test_table_of_slow_folders_on_the_page_of_a_run_leaves_pauses_out() -> None:
    """What `orchestration.page` shows is what the report has: a night between two runs makes no folder slow."""
    files = [
        file("A/slow/1", at=0), file("A/slow/2", at=300),
        file("A/waited/1", at=0), file("A/waited/2", at=80_000), file("A/waited/3", at=80_010),
    ]  # fmt: skip
    rows = slowest_rows(drawn([tree("A")], files))

    assert [("A/slow", "2"), ("A/waited", "3")] == [(row["Folder"], row["Files"]) for row in rows]
    assert ["5 min", "10 s"] == [row["Time"] for row in rows]
    assert [] == slowest_rows([])
