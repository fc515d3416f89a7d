"""The status of a plan on a terminal of 80 columns."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from flows.reporting.status import status_table, sums_of

COUNTS = {"total": 615, "uploaded": 613, "failed": 2, "excluded": 0, "waived": 0, "pending": 0, "gone": 0}


def tree(name: str, **more: Any) -> dict[str, Any]:
    """A tree in which two entries failed."""
    return {
        "name": name,
        "state": "incomplete",
        "incomplete_reason": "failed items",
        "detail": "2 access_denied",
        "closed": None,
        "in_plan": True,
        "as_of": None,
        "items": COUNTS,
        "files": COUNTS,
        "bytes": {"total": 8_700_000, "uploaded": 8_700_000},
        "collaborators": [],
        "still_in": [],
        **more,
    }


def shown(*trees: dict[str, Any], failures: list[dict[str, Any]], columns: int = 80) -> str:
    """What a terminal of this width has of them."""
    document = {
        "plan": "p",
        "pass": 1,
        "trees": list(trees),
        "totals": sums_of(trees),
        "failures": failures,
        "gone": {"in_box": 0, "kept": 0, "trashed": 0},
        "forecast": None,
        "calls": {"total": 3},
        "eta_seconds": 0,
    }
    out = io.StringIO()
    Console(width=columns, file=out).print(status_table(document))
    return out.getvalue()


def test_no_word_is_torn_in_a_terminal_of_80_columns() -> None:
    """Names as people give them, and states, are whole; why a tree is not complete has a line of its own."""
    text = shown(
        tree("Engineering"),
        tree("Human Resources"),
        tree("Legal", state="closed", closed={"at": "2026-11-29T10:00:00", "by": "ann"}),
        failures=[],
    )
    for word in ("Engineering", "Resources", "incomplete", "moved"):
        assert word in text, text
    assert "  Human Resources: incomplete: failed items (2 access_denied)\n" in text
    assert "  Legal: closed by ann on 2026-11-29 10:00 UTC\n" in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_failed_is_named() -> None:
    """The first ones by path and reason, and how many more there are; a name that holds an escape stays text."""
    first = [{"tree": "HR", "path": f"HR/pay\x1b[31m{n}.xlsx", "reason": "access_denied"} for n in range(2)]
    text = shown(tree("HR"), tree("Legal"), failures=first)
    assert "  failed: HR/pay\\x1b[31m0.xlsx (access_denied)\n" in text
    assert "  and 2 more, which boxhaul report lists\n" in text
    assert "more, which" not in shown(tree("HR"), failures=first)


def test_nothing_failed() -> None:
    """No line is wasted on it."""
    counts = {**COUNTS, "uploaded": 615, "failed": 0}
    text = shown(tree("HR", state="complete", items=counts), failures=[])
    assert "failed:" not in text
    assert "HR: complete" not in text
