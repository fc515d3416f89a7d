"""What was asked of the sandbox: counts, a bounded log, and the requests that Box would have refused."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any, NamedTuple

LOG_SIZE = 20_000
VIOLATIONS_SIZE = 2_000

#: Refusals that say the request itself was wrong, whatever the state of the Box.
FORM_STATUSES = frozenset({400, 405, 411, 413, 415, 416})

#: Codes with such a status that depend on what is there, not on how the request looks.
STATE_CODES = frozenset(
    {"user_already_collaborator", "folder_not_empty", "parts_mismatch", "bad_digest", "digest_mismatch"}
)


class Call(NamedTuple):
    """One answered call; `at` is seconds since the epoch, `seconds` how long the answer took."""

    route: str
    status: int
    user: str | None
    at: float
    seconds: float


class Violation(NamedTuple):
    """A request or an answer that is not as Box documents it, or that Box would have refused."""

    route: str
    kind: str
    message: str


class Calls:
    """Counts since the last reset. `/_sandbox` calls are never among them; token calls are."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start counting anew; the month's counter goes on."""
        self.total = 0
        self.by_route: Counter[str] = Counter()
        self.by_user: Counter[str] = Counter()
        self.by_status: Counter[int] = Counter()
        self.log: deque[Call] = deque(maxlen=LOG_SIZE)
        self.bytes_received = 0

    #: API calls of the running calendar month, which the enterprise's licence limits.
    this_month = 0
    _month = ""

    def count(self, route: str, status: int, user: str | None, started: float, size: int) -> None:
        """Record one answered call."""
        now = time.time()
        self.total += 1
        self.by_route[route] += 1
        self.by_status[status] += 1
        self.bytes_received += size
        if user is not None:
            self.by_user[user] += 1
            self.this_month += 1
        self.log.append(Call(route, status, user, now, now - started))

    def as_dict(self) -> dict[str, Any]:
        """All counts as JSON."""
        return {
            "total": self.total,
            "by_route": dict(self.by_route),
            "by_user": dict(self.by_user),
            "by_status": {str(status): count for status, count in self.by_status.items()},
            "bytes_received": self.bytes_received,
            "this_month": self.this_month,
        }
