"""Patience: how long a source waits for a server that went away. Decides nothing about what is retried."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from connectors.errors import Stopped


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Back-off for idempotent calls: short at first, then up to a ceiling, bounded in total."""

    #: From the first failure of a call to giving up; 0 tries once.
    seconds: float = 60.0
    first_delay_seconds: float = 0.05
    longest_delay_seconds: float = 3.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False, compare=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False, compare=False)

    def rounds(self, stop: threading.Event | None = None) -> Iterator[None]:
        """One item before each repetition, after having waited; ends when the time is used up.

        Stopped as soon as `stop` is set.
        """
        deadline = self.clock() + self.seconds
        delay = self.first_delay_seconds
        while (left := deadline - self.clock()) > 0:
            seconds = min(left, delay * random.uniform(0.5, 1.0))
            if stop is None:
                self.sleep(seconds)
            elif stop.wait(seconds):
                raise Stopped
            yield
            delay = min(delay * 2, self.longest_delay_seconds)


#: For the first contact, where a mistake in the plan is likelier than a passing fault.
NO_PATIENCE = Patience(seconds=0.0)
