"""Box's limits per user, and the shaping of the line. Counts calls; does not decide what a call is.

How Box counts is UNKNOWN, so `counting` has three ways. In each a call sent after Retry-After is accepted, because
refused calls do not count (UNKNOWN at Box):

* "sliding": a call fits while fewer than N calls of its user lie within the last `window_seconds`.
* "fixed": N calls fit into each window; windows follow each other from the user's first call on.
* "bucket": tokens come back evenly, N in `window_seconds`; no more than `bucket_share` of N are kept.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, fields
from time import monotonic
from typing import Any, Protocol

from connectors.box.sandbox.errors import rate_limited

COUNTINGS = ("sliding", "fixed", "bucket")
FORMS = ("429", "429_bare", "403")


class Counter(Protocol):
    """The calls of one user under one limit."""

    def wait(self, now: float) -> float:
        """Return the seconds until a call fits; 0 when it fits now."""

    def take(self, now: float) -> None:
        """Count one call that fits."""


class SlidingWindow:
    """The times of the calls within the last window."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self.calls: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Return the seconds until the oldest call in the way is out of the window."""
        while self.calls and self.calls[0] <= now - self.seconds:
            self.calls.popleft()
        if len(self.calls) < self.limit:
            return 0.0
        return self.calls[len(self.calls) - self.limit] + self.seconds - now

    def take(self, now: float) -> None:
        """Note the time."""
        self.calls.append(now)


class FixedWindow:
    """A number that starts anew with each window."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self.start: float | None = None
        self.count = 0

    def wait(self, now: float) -> float:
        """Return the seconds until the next window, when this one is full."""
        if self.start is None:
            self.start = now
        passed = (now - self.start) // self.seconds
        if passed >= 1:
            self.start += passed * self.seconds
            self.count = 0
        return 0.0 if self.count < self.limit else self.start + self.seconds - now

    def take(self, now: float) -> None:
        """Count it in the running window."""
        self.count += 1


class TokenBucket:
    """Tokens that come back evenly up to a small store."""

    def __init__(self, limit: int, seconds: float, share: float) -> None:
        self.rate = limit / seconds
        self.size = max(1.0, limit * share)
        self.tokens = self.size
        self.at: float | None = None

    def wait(self, now: float) -> float:
        """Return the seconds until a whole token is there."""
        if self.at is not None:
            self.tokens = min(self.size, self.tokens + (now - self.at) * self.rate)
        self.at = now
        # A billionth less is no reason to refuse: it is the rounding of the sums.
        return 0.0 if self.tokens >= 1 - 1e-9 else (1 - self.tokens) / self.rate

    def take(self, now: float) -> None:
        """Use one up."""
        self.tokens -= 1


@dataclass
class Limits:
    """Settable while the sandbox runs; None switches a limit off, which is the default."""

    #: Direct uploads, new versions, session creations and commits per user and window.
    uploads_per_minute: int | None = None
    #: All API calls per user and window.
    calls_per_minute: int | None = None
    #: Length of the window; smaller ones let tests run the published limits faster.
    window_seconds: float = 60.0
    #: One of `COUNTINGS`.
    counting: str = "sliding"
    #: Share of a window's budget that a bucket keeps for a burst.
    bucket_share: float = 0.1
    #: How a call beyond the limit is refused, one of `FORMS`: 429 with or without Retry-After, or 403 with it.
    refusal: str = "429"
    #: Added to every answer.
    latency_seconds: float = 0.0
    #: Bandwidth of one connection, for bodies in both directions.
    bytes_per_second: float | None = None
    #: API calls of the whole enterprise in a calendar month; counted always, refused beyond it when set.
    calls_per_month: int | None = None
    _counters: dict[tuple[Any, ...], Counter] = field(default_factory=dict, repr=False)

    def charge(self, user_ids: tuple[str, ...], is_upload: bool) -> None:
        """Take one call from each user's budget, or refuse it and take nothing."""
        now = monotonic()
        counters: list[Counter] = []
        for user_id in user_ids:
            if self.calls_per_minute is not None:
                counters.append(self._counter(user_id, "calls", self.calls_per_minute))
            if is_upload and self.uploads_per_minute is not None:
                counters.append(self._counter(user_id, "uploads", self.uploads_per_minute))
        wait = max((counter.wait(now) for counter in counters), default=0.0)
        if wait > 0:
            raise rate_limited(max(1, math.ceil(wait)), self.refusal)
        for counter in counters:
            counter.take(now)

    def check_allotment(self, calls_this_month: int) -> None:
        """429 when the month's calls are used up; the wait is a day, since months have no Retry-After."""
        if self.calls_per_month is not None and calls_this_month >= self.calls_per_month:
            raise rate_limited(86_400, self.refusal)

    def update(self, values: dict[str, Any]) -> None:
        """Set several limits by name; ValueError names the first wrong one."""
        known = self.as_dict()
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown limit {name!r}; known: {', '.join(sorted(known))}")
            allowed = {"counting": COUNTINGS, "refusal": FORMS}.get(name)
            if allowed is not None and value not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}, not {value!r}")
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """The settable values."""
        return {f.name: getattr(self, f.name) for f in fields(self) if not f.name.startswith("_")}

    def reset(self) -> None:
        """Forget the windows and switch every limit off."""
        self.update(Limits().as_dict())
        self.forget()

    def forget(self) -> None:
        """Start counting anew, keeping the limits."""
        self._counters.clear()

    def _counter(self, user_id: str, what: str, limit: int) -> Counter:
        # A changed limit is another counter, which starts anew.
        key = (user_id, what, limit, self.window_seconds, self.counting, self.bucket_share)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._new_counter(limit)
        return counter

    def _new_counter(self, limit: int) -> Counter:
        if self.counting == "fixed":
            return FixedWindow(limit, self.window_seconds)
        if self.counting == "bucket":
            return TokenBucket(limit, self.window_seconds, self.bucket_share)
        return SlidingWindow(limit, self.window_seconds)
