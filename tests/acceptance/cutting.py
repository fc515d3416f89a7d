"""The program, made to die at a step of a cutover:

    python -m tests.acceptance.cutting WHEN STEP -- cutover PLAN …

WHEN is `inside` (the step's work is done, and not written down) or `after` (it is written down).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from flows.closing.steps import Cutover, Step


def main() -> None:
    """Read sys.argv, and run the command of it."""
    end = sys.argv.index("--")
    when, step = sys.argv[1:end]
    sys.argv = [sys.argv[0], *sys.argv[end + 1 :]]
    die_at(when, step)
    from flows.cli import main as program

    program()


def die_at(when: str, step: str) -> None:
    """Wrap the steps in this process."""
    plain, close = Cutover.do, Cutover.close

    def do(self: Cutover, now: Step, work: Callable[[], Mapping[str, Any]]) -> None:
        def dying() -> Mapping[str, Any]:
            kept = work()
            _die((when, step) == ("inside", now.value))
            return kept

        plain(self, now, dying)
        _die((when, step) == ("after", now.value))

    def closed(self: Cutover, accepted: Mapping[str, int]) -> int:
        count = close(self, accepted)
        _die((when, step) == ("after", "close"))
        return count

    Cutover.do, Cutover.close = do, closed  # type: ignore[method-assign]


def _die(now: bool) -> None:
    if now:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
