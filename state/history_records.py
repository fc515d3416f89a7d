"""Records of a plan's history: what its processes had done at which time, and when each was at work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What one process has done since it began."""

    #: Calls to Box, and how many of them were answered with 429.
    calls: int
    rate_limited: int
    #: Bytes that left for Box, also of files that did not arrive.
    bytes_sent: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What one process had done at one time."""

    worker_id: int
    #: Aware.
    at: datetime
    done: Done
    #: The process ended by itself right after it; a killed one has no such sample.
    last: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AtWork:
    """From when to when a process was at work on the plan. Times are aware."""

    began: datetime
    #: Where it was killed: when it was seen last.
    ended: datetime
    killed: bool
    #: It is at work now; `ended` is now.
    running: bool
