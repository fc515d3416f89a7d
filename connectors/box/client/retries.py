"""Retries: which answers of Box are asked for again, how often and how long. Waits for nothing itself."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.box.client.errors import code_of, refusal_of
from connectors.box.client.pacer import Backoff
from connectors.errors import ConnectionLost, RateLimited, ServerBusy, TransientError

#: Everything that is sent again, and how patiently. 401 is answered by one new token instead.
RETRIED: Mapping[type[TransientError], Backoff] = {
    RateLimited: Backoff(attempts=40, total_seconds=3600.0),  # 429: Retry-After rules, this only bounds it
    ConnectionLost: Backoff(attempts=8, total_seconds=300.0),  # no answer: the effect is unknown
    ServerBusy: Backoff(attempts=8, total_seconds=300.0),  # 408, 500, 502, 503, 504, 509
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
