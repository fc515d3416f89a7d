"""Box's limits per user, and the shaping of the line. Counts calls; does not decide what a call is.

Sliding windows: a call fits while fewer than N calls of the same user lie within the last `window_seconds`.
Refused calls do not count (UNKNOWN at Box), so Retry-After is exact: a call sent then is accepted.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, fields
from time import monotonic
from typing import Any

from connectors.box.sandbox.errors import rate_limited


@dataclass
class Limits:
    """Settable while the sandbox runs; None switches a limit off, which is the default."""

    #: Direct uploads, new versions, session creations and commits per user and window.
    uploads_per_minute: int | None = None
    #: All API calls per user and window.
    calls_per_minute: int | None = None
    #: Length of the window; smaller ones let tests run the published limits faster.
    window_seconds: float = 60.0
    #: Added to every answer.
    latency_seconds: float = 0.0
    #: Bandwidth of one connection, for bodies in both directions.
    bytes_per_second: float | None = None
    #: API calls of the whole enterprise in a calendar month; counted always, refused beyond it when set.
    calls_per_month: int | None = None
    _calls: dict[str, deque[float]] = field(default_factory=dict, repr=False)
    _uploads: dict[str, deque[float]] = field(default_factory=dict, repr=False)

    def charge(self, user_ids: tuple[str, ...], is_upload: bool) -> None:
        """Take one call from each user's budget or raise 429 and take nothing."""
        if self.calls_per_minute is None and self.uploads_per_minute is None:
            return
        now = monotonic()
        windows: list[deque[float]] = []
        wait = 0.0
        for user_id in user_ids:
            if self.calls_per_minute is not None:
                window = self._calls.setdefault(user_id, deque())
                wait = max(wait, self._wait(window, self.calls_per_minute, now))
                windows.append(window)
            if is_upload and self.uploads_per_minute is not None:
                window = self._uploads.setdefault(user_id, deque())
                wait = max(wait, self._wait(window, self.uploads_per_minute, now))
                windows.append(window)
        if wait > 0:
            raise rate_limited(max(1, math.ceil(wait)))
        for window in windows:
            window.append(now)

    def check_allotment(self, calls_this_month: int) -> None:
        """429 when the month's calls are used up; the wait is a day, since months have no Retry-After."""
        if self.calls_per_month is not None and calls_this_month >= self.calls_per_month:
            raise rate_limited(86_400)

    def update(self, values: dict[str, Any]) -> None:
        """Set several limits by name; ValueError names the first unknown one."""
        known = {f.name for f in fields(self) if not f.name.startswith("_")}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown limit {name!r}; known: {', '.join(sorted(known))}")
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """The settable values."""
        return {f.name: getattr(self, f.name) for f in fields(self) if not f.name.startswith("_")}

    def reset(self) -> None:
        """Forget the windows and switch every limit off."""
        self.update(Limits().as_dict())
        self.forget()

    def forget(self) -> None:
        """Start with empty windows, keeping the limits."""
        self._calls.clear()
        self._uploads.clear()

    def _wait(self, window: deque[float], limit: int, now: float) -> float:
        horizon = now - self.window_seconds
        while window and window[0] <= horizon:
            window.popleft()
        if len(window) < limit:
            return 0.0
        return window[len(window) - limit] + self.window_seconds - now
