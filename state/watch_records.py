"""Records of what is read of Box's events: how far, and what is to be told. No SQL."""

from __future__ import annotations

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
class InBox:
    """An entry of the source as it is found by its id in Box."""

    tree_id: int
    tree: str
    #: When the tree came into the plan, aware; None: not known.
    begun_at: datetime | None
    path: str
    #: When Box took a file that was there before and is this plan's by a lost answer, or by choice; None for others.
    adopted_at: datetime | None = None
