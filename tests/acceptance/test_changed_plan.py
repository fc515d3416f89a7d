"""A plan that its user changes between two runs of it: the next one does what the plan says now."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import sums_add_up
from tests.program import Program, program_for
from tests.trees import build_tree

FILES = 30


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """One tree of documents and mailboxes, side by side."""
    root = tmp_path / "share"
    root.mkdir()
    names = [f"{number:02}.{kind}" for number in range(FILES) for kind in ("txt", "pst")]
    build_tree(root, {"Accounting": {name: name.encode() for name in names}})
    return root


@pytest.fixture
def program(tmp_path: Path, box: Sandbox, share: Path) -> Program:
    """The program, which sends one file at a time."""
    trees = [{"source": "Accounting"}]
    transfer = {"threads": 1, "batch_items": 5}
    return program_for(tmp_path / "run", box, {"url": share.as_uri()}, trees=trees, transfer=transfer)


def mailboxes(box: Sandbox) -> int:
    """How many of them are in Box."""
    return sum(path.endswith(".pst") for path in box.files())


def test_rule_that_is_added_after_an_interruption(program: Program, box: Sandbox) -> None:
    """What was found before and is excluded now is not sent any more, from the first batch on."""
    box.limits.latency_seconds = 0.1
    assert program.kill_when(lambda: mailboxes(box) >= 2)
    box.limits.latency_seconds = None
    before = mailboxes(box)
    program.write_plan(exclude=["*.pst"])

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert mailboxes(box) <= before + 1  # one was on its way
    assert FILES == len(box.files()) - mailboxes(box)
    [tree] = sums_add_up(program)["trees"]
    assert (FILES, FILES, 0) == tuple(tree["items"][key] for key in ("uploaded", "excluded", "pending"))


def test_same_plan_goes_on_with_its_pass(program: Program, box: Sandbox) -> None:
    """Nothing changed in the plan: the next run continues the pass."""
    box.limits.latency_seconds = 0.1
    assert program.kill_when(lambda: mailboxes(box) >= 2)
    box.limits.latency_seconds = None
    number = program.status()["pass"]

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    assert number == program.status()["pass"]
    assert 2 * FILES == len(box.files())
