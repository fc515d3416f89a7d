"""The table of several plans."""

from __future__ import annotations

from rich.console import Console

from flows.reporting.several import several_table


def test_closed_trees_are_complete() -> None:
    """A cutover handed them over; nothing of them is open."""
    counts = dict.fromkeys(("total", "uploaded", "failed", "pending", "excluded", "waived"), 0)
    document = {
        "plan": "p",
        "trees": [{"in_plan": True, "state": state} for state in ("complete", "closed", "verified")],
        "not_begun": [],
        "totals": {"files": counts, "bytes": {"uploaded": 0}},
        "eta_seconds": None,
    }
    console = Console(width=80, record=True)
    with console.capture() as shown:
        console.print(several_table([document]))
    assert "2 of 3 trees complete" in shown.get()
