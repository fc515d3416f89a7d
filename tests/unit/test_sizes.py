"""The house stays readable: how long files and functions may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]

#: Lines of a file; the sandbox's may be a little longer, since a route of Box is one piece.
FILE_LINES, SANDBOX_LINES, TEST_LINES = 420, 450, 440
#: Lines of a function, with its signature and docstring.
FUNCTION_LINES, MEDIAN_LINES = 50, 9


def sources() -> Iterator[Path]:
    """All of the program but the migrations, which nobody changes."""
    for package in ("flows", "connectors", "state"):
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" not in path.parts:
                yield path


def functions() -> Iterator[tuple[str, int]]:
    """Each function with its place and its lines."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                place = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
                yield place, node.end_lineno - node.lineno + 1


def test_files_are_short() -> None:
    """Somebody reads a file in one go."""
    limits = {path: SANDBOX_LINES if "sandbox" in path.parts else FILE_LINES for path in sources()}
    limits |= dict.fromkeys((ROOT / "tests").rglob("*.py"), TEST_LINES)
    lines = {path: path.read_bytes().count(b"\n") for path in limits}
    assert len(lines) > 300
    assert [] == [f"{path}: {lines[path]}" for path, limit in limits.items() if lines[path] > limit]


def test_functions_are_short() -> None:
    """A function fits on a screen, and most of them on a small part of it."""
    lines = dict(functions())
    assert [] == [f"{place}: {count}" for place, count in lines.items() if count > FUNCTION_LINES]
    assert median(lines.values()) <= MEDIAN_LINES
