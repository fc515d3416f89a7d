"""The exit code of every command, and the one line with which a foreseeable failure ends it.

0 done and complete · 1 finished with failed items or incomplete trees · 2 bad usage or plan · 3 stopped by something
fatal · 130 interrupted, state saved.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from flows.errors import Interrupted, PlanError

COMPLETE, INCOMPLETE, BAD_PLAN, FATAL, INTERRUPTED = 0, 1, 2, 3, 130


@contextmanager
def foreseen_errors() -> Iterator[None]:
    """End the process with one line and an exit code for what was foreseen."""
    from connectors.errors import ConnectorError
    from state.errors import StateError

    try:
        yield
    except PlanError as exc:
        _leave(str(exc), BAD_PLAN)
    except (ConnectorError, StateError) as exc:
        _leave(str(exc), FATAL)
    except OSError as exc:
        # What is printed and what is written go to disks alike, and an error of either names none.
        if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _leave(f"what it prints, or writes into a file, is cut off: {exc.strerror}", FATAL)
    except (KeyboardInterrupt, Interrupted) as exc:
        _leave(str(exc) or "interrupted; the state is saved, the same command goes on from here", INTERRUPTED)


def _leave(message: str, code: int) -> None:
    from flows.words import printable

    sys.stderr.write(f"boxhaul: {printable(message)}\n")
    sys.exit(code)
