"""A folder of Box that is out of sight for a moment: what is hidden from us is not gone, and is not sent again (P3)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items, sums_add_up
from tests.program import Program, program_for
from tests.trees import build_tree

SENT = "POST /files/content"
FILES, BEFORE = 30, 8


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Two trees, one with a folder in it."""
    root = tmp_path / "share"
    root.mkdir()
    names = [f"f{number:02}.txt" for number in range(FILES // 3)]
    files = {name: name.encode() for name in names}
    build_tree(root, {"A": {"sub": files, **files}, "B": files})
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program with a landing folder of its own, which sends one file at a time to a Box that takes a while."""
    program = program_for(
        tmp_path / "run",
        box,
        {"url": share.as_uri()},
        trees=[{"source": "A"}, {"source": "B"}],
        transfer={"threads": 1, "batch_items": 5},
    )
    landing = box.person().make_folder("landing")
    program.write_plan(box=program.plan["box"] | {"landing_folder_id": landing})
    box.limits.update({"latency_seconds": 0.05})
    return program


@pytest.mark.parametrize(
    ("hidden", "calls", "code"),
    [
        ("landing", 1, 0),
        ("landing", 4, 0),
        ("landing", None, 3),
        ("landing/A", 1, 0),
        ("landing/A", 4, 0),
        ("landing/A", None, 1),
        ("landing/A/sub", 3, 0),
    ],
)
@pytest.mark.gate(2)
def test_folder_out_of_sight_in_the_middle_of_a_run(
    program: Program, box: Sandbox, share: Path, hidden: str, calls: int | None, code: int
) -> None:
    """The landing folder, a tree's or one below answers 404 while files are sent: what is there stays known as it is,
    nothing is sent twice; where it goes on the run says so, and the next one completes."""
    process = program.start("migrate")
    deadline = time.monotonic() + 60
    while not (hidden in box.folders() and len(box.files()) >= BEFORE):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    folder, before = box.tree()[hidden]["id"], box.files()
    box.faults.hide(folder, calls=calls)

    output = "".join(process.communicate(timeout=200))
    sums_add_up(program)
    missed = box.calls.by_status[404]
    box.faults.show(folder)

    assert code == process.returncode, output
    known = {line["box_id"] for line in report_items(program).values() if line["status"] == "uploaded"}
    assert {file.id for file in before.values()} <= known
    assert 0 == program.run("migrate").code
    assert_arrived(program, box, share)
    assert box.calls.by_route[SENT] <= FILES + missed
    assert {path: file.id for path, file in before.items()}.items() <= {
        path: file.id for path, file in box.files().items()
    }.items()
