"""Quick: a pass by time, which looks only at files that are not older than a moment. Sends nothing.

It lists every folder: the date of a folder says nothing of what changed in a file in it, or below. What it spares is
what follows from a listing: older files are neither read nor sent, and nothing is counted as gone. A new file that has
id, size and date of another one has moved, or is a second name of it: which of both, a whole pass finds out.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.entry import Entry, EntryKind
from state.diff import Change, ChangeKind


@dataclass
class QuickLook:
    """What a quick pass looks at, and how much it left for a whole one. For threads."""

    since: datetime
    _left: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def chosen(self, changes: Sequence[Change]) -> list[Change]:
        """Those of these changes that are recorded; the others are counted, and found again by the next whole pass.

        What rules exclude, and what could not be looked at, is recorded whatever its age.
        """
        kept = [change for change in changes if self._is_chosen(change)]
        self.leave(len(changes) - len(kept))
        return kept

    def leave(self, count: int) -> None:
        """So many differences more wait for a whole pass."""
        with self._lock:
            self._left += count

    def document(self) -> dict[str, Any]:
        """For the summary of the run."""
        return {"since": self.since.astimezone(UTC).isoformat(timespec="seconds"), "left": self._left}

    def _is_chosen(self, change: Change) -> bool:
        if change.kind is ChangeKind.MISSING:
            return False
        if change.kind not in (ChangeKind.NEW, ChangeKind.CHANGED) or change.entry is None:
            return True
        return change.entry.kind is not EntryKind.FILE or not self._is_older(change.entry)

    def _is_older(self, entry: Entry) -> bool:
        """Neither written nor changed otherwise since; a file without a date may be anything, and is looked at."""
        times = [time for time in (entry.modified_ns, entry.changed_ns) if time is not None]
        return bool(times) and max(times) < int(self.since.timestamp() * 10**9)


def quick_words(quick: dict[str, Any]) -> str:
    """One line about a quick pass, for a person."""
    moment = quick["since"][:16].replace("T", " ")
    left = quick["left"]
    told = (
        f"{left:,} older or moved entries wait for one"
        if left != 1
        else "1 older or moved entry waits for one"
    )
    return (
        f"quick pass: only what changed since {moment} UTC was looked at; this was no whole pass"
        f"{f', and {told}' if left else ''}"
    )
