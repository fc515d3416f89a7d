"""Findings: what the report's page lists: the first lines of each kind, sums, and events as remarks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from flows.reporting.events import (
    WATCHED,
    WORDS,
    WaitingInShare,
    event_words,
    finding_words,
    handover_words,
    reconciled_words,
)
from state.records import EventLine, ItemLine
from state.statuses import EventKind, ItemStatus, Listed

#: Lines of one list in the HTML, and characters of them all; the CSV has the others.
LISTED, CHARACTERS = 1_000, 150_000

#: Remarks that are known again when a later pass makes them once more.
REMEMBERED = 100_000


class FirstLines(list[ItemLine]):
    """The first lines of one kind, as many as a page holds, and how many there are."""

    def __init__(self) -> None:
        super().__init__()
        self.found = 0

    def fill(self, found: int, lines: Iterable[ItemLine]) -> None:
        """Take the first of these lines."""
        self.found, room = found, CHARACTERS
        for item in islice(lines, LISTED):
            room -= len(item.path) + len(item.detail or "") + len(item.waived_why or "")
            if room <= 0:
                return
            self.append(item)


@dataclass(frozen=True)
class Remark:
    """A line of the report about one folder."""

    path: str
    what: str
    count: int
    names: list[str]


@dataclass
class Findings:
    """What the HTML lists; bounded whatever the share's size (P9)."""

    first: dict[Listed, FirstLines] = field(default_factory=lambda: {kind: FirstLines() for kind in Listed})
    by_reason: dict[tuple[str, str], int] = field(default_factory=dict)
    #: Why something is excluded: no more than the plan's rules and a few kinds of entries.
    excluded_reasons: set[str] = field(default_factory=set)
    #: Waived folders that could never be listed.
    never_seen_count: int = 0
    remarks: list[Remark] = field(default_factory=list)
    remark_count: int = 0
    #: Entries of the share that no tree of the plan covers.
    uncovered_count: int = 0
    #: Tree → what proved it the last time, a Verification.
    proofs: dict[str, str] = field(default_factory=dict)
    #: When `boxhaul verify` ran last, and its result as one line; None: never.
    reconciled: str | None = None

    @property
    def failed(self) -> FirstLines:
        """What failed."""
        return self.first[Listed.FAILED]

    @property
    def renamed(self) -> FirstLines:
        """What has another name in Box."""
        return self.first[Listed.RENAMED]

    @property
    def excluded_in_box(self) -> FirstLines:
        """What was sent once, and excluded by a rule since."""
        return self.first[Listed.EXCLUDED_IN_BOX]

    @property
    def waived(self) -> FirstLines:
        """What a person waived."""
        return self.first[Listed.WAIVED]

    @property
    def gone(self) -> FirstLines:
        """What is not in the share any more."""
        return self.first[Listed.GONE]

    def read_events(self, lines: Iterator[EventLine], *, last_pass: int | None = None) -> None:
        """Pick from the plan's events what a person should know; the same remark of a later pass counts once.

        last_pass: what a watch saw in the share before it waits no more.
        """
        seen: set[int] = set()
        left_out: dict[str, Any] = {}
        waiting = WaitingInShare(last_pass or 0)
        for line in lines:
            if line.kind == EventKind.CHANGED_IN_SHARE:
                waiting.add(line.detail)
                continue
            if line.kind == EventKind.NOT_COVERED:
                left_out = line.detail
                continue
            if line.kind == EventKind.PROVEN:
                self.proofs[line.detail["tree"]] = line.detail["by"]
                continue
            if line.kind in WATCHED:
                self._add(Remark(line.detail["path"], finding_words(line.detail), 1, []))
                continue
            if line.kind in (EventKind.CLOSED, EventKind.REOPENED):
                self._add(Remark("", handover_words(line), line.detail["trees"], []))
                continue
            if line.kind == EventKind.RECONCILED:
                self.reconciled = reconciled_words(line)
                continue
            key = hash((line.kind, json.dumps(line.detail, sort_keys=True)))
            if line.kind not in WORDS or key in seen:
                continue
            if len(seen) < REMEMBERED:
                seen.add(key)
            detail = line.detail
            what = event_words(line.kind, detail)
            self._add(Remark(detail["path"], what, detail["count"], detail["names"]))
        for each in waiting.lines():
            self._add(Remark(*each))
        if left_out.get("count") or left_out.get("unlisted"):
            self.remark_count += 1
            self.uncovered_count = left_out["count"]
            what = event_words(EventKind.NOT_COVERED, left_out)
            self.remarks.insert(0, Remark("", what, left_out["count"], left_out["names"]))

    def _add(self, remark: Remark) -> None:
        self.remark_count += 1
        if len(self.remarks) < LISTED:
            self.remarks.append(remark)

    def note_unused_rules(self, rules: Sequence[str]) -> None:
        """Add a line about exclude rules that matched nothing in a whole pass: a typing error looks like that."""
        if rules:
            what = (
                "exclude rules that matched nothing in the trees; compare the spelling with the share's names"
            )
            self.remark_count += 1
            self.remarks.insert(0, Remark("", what, len(rules), list(rules[:LISTED])))

    def list_lines(self, kind: Listed, found: int, lines: Iterable[ItemLine]) -> None:
        """So many lines are of this kind, and these are the first of them."""
        self.first[kind].fill(found, lines)

    def count_not_moved(self, status: str, reason: str | None, *, in_box: bool, count: int) -> None:
        """So many more failed, or are excluded, for this reason."""
        excluded = status == ItemStatus.EXCLUDED
        if excluded and reason:
            self.excluded_reasons.add(reason)
        if not (excluded and in_box):
            key = (status, reason or "")
            self.by_reason[key] = self.by_reason.get(key, 0) + count
