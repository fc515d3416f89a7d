"""The hours in which files may be sent end while a run is sending."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.migrate import migrate_share
from flows.plan_file import load_plan
from flows.window import Window
from tests.acceptance.proof import assert_arrived, sums_add_up
from tests.program import program_for
from tests.trees import build_tree

FILES, SENT = 200, 30


def test_window_that_ends_in_the_middle(
    tmp_path: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in flight ends and is written down, the tree says "limit reached", and the next run sends the rest."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"All": {f"{number:03}.txt": b"%d" % number for number in range(FILES)}})
    program = program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=[{"source": "All"}])
    # The clock alone: the hours are over once so many files are there.
    monkeypatch.setattr(Window, "is_open", lambda self, moment: len(box.files()) < SENT)
    monkeypatch.setattr("flows.window.LOOK_SECONDS", 0.05)
    box.limits.latency_seconds = 0.05

    summary = migrate_share.fn(load_plan(program.plan_path), window="Mon-Fri 20:00-06:00")

    box.limits.latency_seconds = None
    sent = len(box.files())
    assert SENT <= sent < FILES
    assert not summary["complete"]
    (tree,) = sums_add_up(program)["trees"]
    assert ("incomplete", "limit reached", sent) == (
        tree["state"],
        tree["incomplete_reason"],
        tree["items"]["uploaded"],
    )
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    assert FILES == box.calls.by_route["POST /files/content"]
    assert_arrived(program, box, share)
