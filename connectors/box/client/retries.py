"""Retries: which answers of Box are asked for again, how often and how long. Waits for nothing itself.

The first wait is the plan's `limits.backoff_seconds`; connection.py sets it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.box.client.refusal import code_of, refusal_of
from connectors.errors import ConnectionLost, RateLimited, ServerBusy, TransientError


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """Waiting times between repeats: exponential, with jitter, bounded in number and time."""

    first_seconds: float = 0.5
    factor: float = 2.0
    max_seconds: float = 60.0
    #: 0.5 spreads each wait over 50 % to 150 %.
    jitter: float = 0.5
    #: Calls in all, the first one included.
    attempts: int = 8
    #: Waiting in all; the wait that would pass it is not begun.
    total_seconds: float = 300.0

    def seconds(self, failures: int, chance: float | None = None) -> float:
        """Return the wait after so many failures (1, 2, …); chance in [0, 1) replaces the dice."""
        plain = min(self.max_seconds, self.first_seconds * self.factor ** min(failures - 1, 60))
        spread = random.random() if chance is None else chance
        return plain * (1 - self.jitter + 2 * self.jitter * spread)


#: Statuses that are answered by sending the call again. 401 is answered by one new token instead.
RETRIED_STATUSES: Mapping[int, type[TransientError]] = {
    408: ServerBusy,  # the server was tired of waiting for the body
    429: RateLimited,
    509: ServerBusy,  # bandwidth limit of some proxies
}
#: Every other status from 500 on.
RETRIED_5XX = ServerBusy
#: Box's codes that are, whatever the status.
RETRIED_CODES: Mapping[str, type[TransientError]] = {
    "name_temporarily_reserved": ServerBusy,  # another operation holds the name for some seconds
    "operation_blocked_temporary": ServerBusy,  # the subtree is being moved or copied: minutes
    "rate_limit_exceeded": RateLimited,
    "internal_server_error": ServerBusy,
    "bad_gateway": ServerBusy,
    "unavailable": ServerBusy,
}

#: How patiently each is sent again.
RETRIED: Mapping[type[TransientError], Backoff] = {
    RateLimited: Backoff(attempts=40, total_seconds=3600.0),  # Retry-After rules, this only bounds it
    ConnectionLost: Backoff(attempts=8, total_seconds=300.0),  # no answer: the effect is unknown
    ServerBusy: Backoff(attempts=8, total_seconds=300.0),
}

#: The name or the subtree is locked for seconds to minutes by somebody's move or copy.
BLOCKED = Backoff(attempts=12, total_seconds=600.0)
BLOCKED_CODES = frozenset({"name_temporarily_reserved", "operation_blocked_temporary"})
#: Something that is not Box answered: a captive portal, a proxy's page.
ALIEN = Backoff(attempts=4, total_seconds=60.0)


def asked_seconds(error: TransientError) -> float:
    """Return the pause that Box asked for in seconds, 0 where it did not."""
    if isinstance(error, RateLimited):
        return error.retry_after_seconds or 0.0
    refusal = refusal_of(error)
    return (refusal.retry_after_seconds or 0.0) if refusal else 0.0


def rule_of(error: TransientError) -> Backoff:
    """Return how often, and how patiently, a call that ended with this error is sent again."""
    if code_of(error) in BLOCKED_CODES:
        return BLOCKED
    if isinstance(error, ServerBusy) and refusal_of(error) is None:
        return ALIEN
    return next(rule for kind, rule in RETRIED.items() if isinstance(error, kind))
