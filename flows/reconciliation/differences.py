"""Differences: what a verification may find, and the ledger that counts, keeps and writes down what it found."""

from __future__ import annotations

import csv
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TextIO

from flows.reporting.items import csv_cell

#: Differences that the document and the terminal list; the CSV has them all (P9).
LISTED = 1_000

#: Things that are not told twice; beyond so many one may be (P9).
REMEMBERED = 100_000

COLUMNS = ("kind", "path", "box_id", "detail", "by", "at")


class DifferenceKind(StrEnum):
    """What differs, as documents name it."""

    # --- Box against the checkpoint ---

    #: Box does not have it, and it is not in the trash.
    MISSING_IN_BOX = "missing_in_box"
    #: Box has it, and the checkpoint knows nothing of it.
    EXTRA_IN_BOX = "extra_in_box"
    #: Box has fewer bytes than were sent.
    TRUNCATED = "truncated"
    #: Box has other bytes (sha1) than were sent, as many or more.
    ALTERED = "altered"
    #: Box's current version is an older one than the one that was sent.
    STALE_VERSION = "stale_version"
    RENAMED = "renamed"
    MOVED = "moved"
    #: content_modified_at is not the date of the source.
    WRONG_DATE = "wrong_date"
    #: A second folder of the same name beside the one that was made.
    DUPLICATE_FOLDER = "duplicate_folder"
    TRASHED = "trashed"
    #: It is gone, or in the trash, and something else has its name.
    REPLACED_BY_FOLDER = "replaced_by_folder"
    REPLACED_BY_FILE = "replaced_by_file"
    REPLACED_BY_LINK = "replaced_by_web_link"
    #: Box refuses to show a folder, which is therefore not compared.
    UNREADABLE_IN_BOX = "unreadable_in_box"
    #: By the checkpoint itself something of the tree has not arrived.
    NOT_SETTLED = "not_settled"

    # --- people ---

    COLLABORATOR_ADDED = "collaborator_added"
    COLLABORATOR_MISSING = "collaborator_missing"
    COLLABORATOR_CHANGED = "collaborator_changed"
    LINK_OPENED = "link_opened"
    LINK_MISSING = "link_missing"

    # --- the source against the checkpoint ---

    CHANGED_AT_SOURCE = "changed_at_source"
    NEW_AT_SOURCE = "new_at_source"
    MISSING_AT_SOURCE = "missing_at_source"
    UNREADABLE_AT_SOURCE = "unreadable_at_source"
    #: Size and times are the same, and the bytes that are read now are not those that were sent.
    ALTERED_AT_SOURCE = "altered_at_source"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One difference, for a person and for a script."""

    kind: DifferenceKind
    #: In the source where it is known there; else below the tree's folder in Box.
    path: str
    box_id: str | None = None
    detail: str = ""
    #: Who did it and when, where Box tells.
    by: str | None = None
    at: datetime | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "kind": self.kind.value,
            "path": self.path,
            "box_id": self.box_id,
            "detail": self.detail,
            "by": self.by,
            "at": self.at.isoformat() if self.at else None,
        }


@dataclass
class Checked:
    """What was compared so far."""

    files: int = 0
    folders: int = 0
    bytes: int = 0


@dataclass
class Ledger:
    """Counts what was compared and what differs, keeps the first differences, writes all into the CSV. For threads."""

    table: TextIO | None = None
    checked: Checked = field(default_factory=Checked)
    by_kind: Counter[str] = field(default_factory=Counter)
    first: list[Difference] = field(default_factory=list)
    phase: str = "starting"
    #: Folders or files of the phase, as far as they are known.
    total: int = 0
    done: int = 0
    _seen: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.table is not None:
            csv.writer(self.table).writerow(COLUMNS)

    @property
    def count(self) -> int:
        """How many differences there are."""
        return sum(self.by_kind.values())

    def begin(self, phase: str, total: int) -> None:
        """A new part of the work begins."""
        with self._lock:
            self.phase, self.total, self.done = phase, total, 0

    def compared(self, *, files: int = 0, folders: int = 0, size: int = 0, step: int = 1) -> None:
        """So much was compared; `step`: what it counts of the phase's total."""
        with self._lock:
            self.checked.files += files
            self.checked.folders += folders
            self.checked.bytes += size
            self.done += step

    def add(self, difference: Difference) -> None:
        """One more difference."""
        with self._lock:
            self.by_kind[difference.kind.value] += 1
            if len(self.first) < LISTED:
                self.first.append(difference)
            if self.table is not None:
                row = difference.document()
                csv.writer(self.table).writerow([csv_cell(row[column]) for column in COLUMNS])

    def add_once(self, difference: Difference, key: str) -> None:
        """One more, unless something was said of this very thing: two listings, or two phases, may tell of it."""
        with self._lock:
            if key in self._seen:
                return
            if len(self._seen) < REMEMBERED:
                self._seen.add(key)
        self.add(difference)

    def was_told(self, key: str) -> bool:
        """Tell whether something was said of this very thing."""
        with self._lock:
            return key in self._seen
