"""What servers keep for themselves on a share: it does not move, and is told."""

from __future__ import annotations

import csv
from pathlib import Path

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import sums_add_up
from tests.program import program_for
from tests.trees import build_tree

KEPT = (
    "~snapshot",
    ".snapshot",
    "#recycle",
    "@eaDir",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
)


def test_what_servers_keep_for_themselves_is_excluded_and_told(tmp_path: Path, box: Sandbox) -> None:
    """At the root and in a tree, by default; the report has each with its rule, and a file of such a name moves."""
    share = tmp_path / "share"
    share.mkdir()
    kept = {name: {"old.txt": b"old"} for name in KEPT}
    build_tree(share, {**kept, "Legal": {**kept, "a.txt": b"a", ".Trashes": b"only a file"}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()})

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert {"Legal/a.txt", "Legal/.Trashes"} == set(box.files())
    sums_add_up(program)
    program.run("report", "--plain")
    (table,) = program.folder.rglob("items.csv")
    with open(table, encoding="utf-8-sig", newline="") as file:
        told = {row["path"].lstrip("'"): row for row in csv.DictReader(file)}
    for name in KEPT:
        row = told[f"Legal/{name}"]
        assert "excluded" == row["status"]
        assert f"rule: {name}/" in row.values()
