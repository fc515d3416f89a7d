"""What a person types has one normal form of Unicode, what the share holds may have another."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import report_items
from tests.program import program_for
from tests.trees import build_tree

COMPOSED = "Gehälter"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def test_waived_as_it_is_typed(tmp_path: Path, box: Sandbox) -> None:
    """A path that is typed composed waives, and un-waives, what a Mac's folder holds decomposed."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"All": {DECOMPOSED: {"bad.txt": b"bad"}, "ok.txt": b"ok"}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "All"}])
    box.faults.next("POST /files/content").about("bad.txt").status(403, error="forbidden_by_policy").times(
        None
    )
    assert 1 == program.run("migrate").code
    path = f"All/{COMPOSED}"

    waived = program.run("waive", path, "--why", "not needed")

    assert 0 == waived.code, waived.output
    assert "waived" == report_items(program)[f"All/{DECOMPOSED}/bad.txt"]["status"]
    taken_back = program.run("unwaive", path)
    assert 0 == taken_back.code, taken_back.output
    assert "pending" == report_items(program)[f"All/{DECOMPOSED}/bad.txt"]["status"]
