"""The lease of a process beside what PostgreSQL does with a frozen one."""

from __future__ import annotations

from flows.run.leases import LEASE_SECONDS
from state.database.engine import IDLE_SECONDS


def test_what_a_frozen_process_holds_is_free_before_its_lease_ends() -> None:
    """Two transactions, one that waits for the other, are undone one after the other."""
    assert 2 * IDLE_SECONDS < LEASE_SECONDS
