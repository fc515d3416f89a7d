"""Records of what a watch reads and sees: how far in Box's events, and what is to be told. No SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from state.statuses import EventKind


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchPlace:
    """How far a plan has read Box's events."""

    #: Box's name of the stream.
    stream: str
    #: As Box gave it.
    position: str
    #: Date of the newest event that was read, by Box's clock; None: none was.
    seen_until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchFinding:
    """What somebody did in Box that is to be told. Fits into an event of the plan, whose detail it is."""

    #: Box's id of the event; it is written down once.
    event_id: str
    kind: EventKind
    #: By Box's clock, aware.
    at: datetime
    tree_id: int
    tree: str
    #: edited, renamed, moved, …
    what: str
    #: As the report has it; of what the plan does not know, under the name that it has in Box.
    path: str
    box_id: str
    #: Who, for people, and his Box user id.
    by: str
    by_id: str
    #: What else there is to say, one line.
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareFinding:
    """Entries of one tree of the share to which the same was done, and which the next pass sees to; for an event."""

    #: What was done to which entry, as one word for each: it is told once until the next pass.
    marks: Sequence[str]
    #: When it was seen, by the clock of this machine, aware.
    at: datetime
    #: None for a tree that the checkpoint does not have yet.
    tree_id: int | None
    tree: str
    #: created, changed, renamed, …
    what: str
    #: Of the first of them.
    path: str
    count: int
    #: The first few of them, by their paths.
    names: Sequence[str]
    #: What else there is to say, one line.
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class InBox:
    """An entry of the source as it is found by its id in Box."""

    tree_id: int
    tree: str
    #: When the tree came into the plan, aware; None: not known.
    begun_at: datetime | None
    path: str
    #: When Box took a file that was there before and is this plan's by a lost answer, or by choice; None for others.
    adopted_at: datetime | None = None
