"""A small share in which names change hands, moved in this process: what `test_renames` and `test_exchanges` share."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

from connectors.box.sandbox import Sandbox
from flows.orchestration.runs import move_share
from flows.plan.file import load_plan
from tests.acceptance.changing import OVERHEAD, program_on
from tests.program import Program
from tests.trees import Tree, build_tree

MOVE, RENAME, MAKE = "PUT /folders/:id", "PUT /files/:id", "POST /folders"
LOOK = "GET /files/:id"
SEND, VERSION, LIST = "POST /files/content", "POST /files/:id/content", "GET /folders/:id/items"

TREE: Tree = {
    "A": {"a.txt": b"one", "b.txt": b"two, longer", "c.txt": b"three", "x": {"in x.txt": b"x"}, "empty": {}},
    "M": {"x": {"in the other x.txt": b"y", "z.txt": b"z"}, "5.txt": b"five"},
}
LONG_AGO = 1_500_000_000


def small_share(root: Path) -> Path:
    """A small local share with old dates."""
    root.mkdir()
    build_tree(root, TREE)
    for number, path in enumerate(sorted(root.rglob("*.txt"))):
        os.utime(path, (LONG_AGO + number, LONG_AGO + number + 0.5))
    return root


def moved_once(folder: Path, box: Sandbox, share: Path) -> Program:
    """The program, after a first complete pass."""
    program = program_on(folder, box, share, None)
    assert migrate(program)["complete"]
    return program


def migrate(program: Program) -> dict[str, object]:
    """Run the plan in this process."""
    summary: dict[str, object] = move_share(load_plan(program.plan_path), check=False)
    return summary


def calls_of(program: Program, box: Sandbox, *, complete: bool = True) -> dict[str, int]:
    """Calls by route of one complete run, without the overhead that every run has, and without listings."""
    box.calls.reset()
    assert complete is migrate(program)["complete"]
    return {route: count for route, count in box.calls.by_route.items() if route not in (*OVERHEAD, LIST)}


def turned(folder: Path, *places: str) -> None:
    """Each file gets the next one's place below this folder, the last one the first one's."""
    (folder / places[-1]).rename(folder / "aside")
    for old, new in reversed(list(pairwise(places))):
        (folder / old).rename(folder / new)
    (folder / "aside").rename(folder / places[0])
