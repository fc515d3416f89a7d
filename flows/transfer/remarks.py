"""Remarks on what a listing brings: dates that Box cannot hold, what it does not keep. Pure.

One remark per folder and kind, with a few names: a share where every file has one must not fill the events (P9).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from connectors.entry import LAST_NS, Entry
from state.diff import Change, ChangeKind
from state.statuses import EventKind

#: Names that a remark gives as examples.
NAMED = 5

Remark = tuple[EventKind, dict[str, Any]]


def remarks(path: str, changes: Sequence[Change], listing: Sequence[Entry]) -> Iterator[Remark]:
    """What is worth a line in the report about the new and changed entries of one folder."""
    coming = [
        change.entry
        for change in changes
        if change.entry is not None and change.kind in (ChangeKind.NEW, ChangeKind.CHANGED)
    ]
    found: dict[tuple[EventKind, str], list[str]] = {}
    now_ns = time.time_ns()
    for entry in coming:
        if (kind := _odd_date(entry.modified_ns, now_ns)) is not None:
            found.setdefault((kind, ""), []).append(entry.name)
        if entry.note is not None:
            found.setdefault((EventKind.NOT_KEPT, entry.note), []).append(entry.name)
    for (kind, note), names in found.items():
        yield kind, _detail(path, names) | ({"note": note} if note else {})


def _odd_date(modified_ns: int | None, now_ns: int) -> EventKind | None:
    if modified_ns is None or 0 <= modified_ns <= now_ns:
        return None
    if modified_ns < 0:
        return EventKind.DATES_BEFORE_1970
    # A server's clock may be a little ahead of ours.
    late = EventKind.DATES_IN_THE_FUTURE if modified_ns > now_ns + 86_400 * 10**9 else None
    return EventKind.DATES_TOO_LATE if modified_ns >= LAST_NS else late


def _detail(path: str, names: Sequence[str]) -> dict[str, Any]:
    return {"path": path, "count": len(names), "names": list(names[:NAMED])}
