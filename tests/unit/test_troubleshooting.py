"""deployments/troubleshooting.md has every message that asks for an action: collected from the program."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import connectors.box.destination  # noqa: F401  with it come the errors of Box
import flows.errors
from connectors.errors import ConnectorError, FatalError, ItemError, TransientError
from flows.reporting.advice import ADVICE
from state.errors import StateError
from state.statuses import IncompleteReason
from tests.forking import ROOT

CHAPTER = (ROOT / "deployments" / "troubleshooting.md").read_text(encoding="utf-8")
#: What stands in the first cell of each row of a table, word by word.
FIRST_CELLS = [line.split("|")[1] for line in CHAPTER.splitlines() if line.startswith("| ")]
KEYS = {key for cell in FIRST_CELLS for key in re.findall(r"`([^`]+)`", cell)}


def kinds_below(kind: type[Exception]) -> Iterator[type[Exception]]:
    """Every class of the program below this one."""
    for below in kind.__subclasses__():
        yield from kinds_below(below)
        if below.__module__.partition(".")[0] in ("connectors", "flows", "state"):
            yield below


def reasons_below(kind: type[ConnectorError]) -> set[str]:
    """The reason codes of these errors."""
    return {below.reason for below in (kind, *kinds_below(kind))}  # type: ignore[attr-defined]


def row_names() -> set[str]:
    """What `check` calls its rows; what is filled in is "…"."""
    found: set[str] = set()
    for path in (ROOT / "flows" / "checks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            value: ast.expr | None = None
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("name", "NAME"):
                value = node.value
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith(
                ("name, ", "(name, ")
            ):
                value = node.value.elts[0] if isinstance(node.value, ast.Tuple) else None
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "ok",
                "warning",
                "problem",
                "_scope",
            ):
                value = node.args[0] if node.args else None
            if (name := text_of(value)) is not None:
                found.add(name)
    return found


def text_of(node: ast.expr | None) -> str | None:
    """A text, or the words of one that has something filled in; None for all else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


def test_every_reason_of_a_failed_entry() -> None:
    """Those of the errors, those that the checkpoint gives, and those that have advice."""
    reasons = reasons_below(ItemError) | reasons_below(TransientError) | set(ADVICE)
    assert len(reasons) > 25
    assert [] == sorted(reason for reason in reasons - {"stopped"} if reason not in KEYS)
    assert "`stopped`" in CHAPTER


def test_every_end_of_a_run() -> None:
    """By its code, with the beginning of its message."""
    kinds = {FatalError, *kinds_below(FatalError)}
    assert flows.errors.CheckFailed in kinds
    assert [] == sorted(kind.reason for kind in kinds if kind.reason not in KEYS)  # type: ignore[attr-defined]
    assert [] == [beginning(kind) for kind in kinds if beginning(kind) not in CHAPTER]


def test_every_message_of_the_checkpoint() -> None:
    """They have no code: by their words."""
    kinds = list(kinds_below(StateError))
    assert len(kinds) >= 7
    assert [] == [beginning(kind) for kind in kinds if beginning(kind) not in CHAPTER]


def test_every_row_of_check() -> None:
    """By its name."""
    names = row_names()
    assert {"login", "scope: manage groups", "tree …", "clock"} <= names
    assert [] == sorted(names - KEYS)


def test_every_reason_of_a_tree() -> None:
    """Why it is not complete."""
    assert [] == sorted(reason.value for reason in IncompleteReason if reason.value not in KEYS)


def test_nothing_that_the_program_does_not_say() -> None:
    """A code in the chapter is one of the program."""
    sources = "".join(
        path.read_text(encoding="utf-8")
        for room in ("flows", "connectors", "state")
        for path in (ROOT / room).rglob("*.py")
    )
    codes = {key for key in KEYS if re.fullmatch(r"[a-z]+(_[a-z]+)+", key)}
    assert codes
    assert [] == sorted(code for code in codes if f'"{code}"' not in sources)


def beginning(kind: type[Exception]) -> str:
    """The first words of a class's message, up to where it says what to do."""
    first = (kind.__doc__ or "").split("\n")[0]
    return re.split(r"[;.,]", first)[0]
