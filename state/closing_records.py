"""Records of a cutover: which of its steps are done, and which trees are closed. No SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class CutoverRecord:
    """A cutover that was begun and is not over."""

    #: Aware.
    begun_at: datetime
    begun_by: str
    #: Step → what is kept of it, with "at" (RFC 3339); only those that are done.
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedTree:
    """A tree that was handed over: no pass moves it."""

    tree_id: int
    name: str
    #: Aware.
    at: datetime
    by: str
