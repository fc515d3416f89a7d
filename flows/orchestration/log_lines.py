"""What the log of a flow run says of its progress: a line at least each minute, and one for each entry that fails.

Beyond a bound the failures are only counted: the log is Prefect's database, and the report has each of them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flows.orchestration.terminal import line
from flows.run.leases import Part
from flows.run.log_file import of_tree
from flows.transfer.migration import Migration
from flows.words import printable
from state.records import ItemLine
from state.reports.lines import failures

log = logging.getLogger(__name__)

#: Seconds between two lines, less than a minute by what a busy machine may take to write one.
LINE_SECONDS = 50.0

#: Seconds between looks for new failures; the checkpoint is asked when their number has changed alone.
LOOK_SECONDS = 5.0

#: Failures of one run that have a line each.
TOLD_AT_MOST = 1_000


@contextmanager
def told(migration: Migration, say: Callable[[str], object], warn: Callable[[str], object]) -> Iterator[None]:
    """Say how far the run is while the body lasts, and warn of what fails."""
    lines = _Lines(migration, say, warn)
    done = threading.Event()
    thread = threading.Thread(target=lines.write_until, args=(done,), name="log lines", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=LOOK_SECONDS)


class _Lines:
    def __init__(
        self, migration: Migration, say: Callable[[str], object], warn: Callable[[str], object]
    ) -> None:
        self._migration = migration
        self._say = say
        self._warn = warn
        self._failed = 0
        #: What has a line.
        self._told: set[tuple[str, str, str]] = set()

    def write_until(self, done: threading.Event) -> None:
        """Write now and then, and of the last failures at the end."""
        said = time.monotonic()
        while not done.wait(LOOK_SECONDS):
            self._try(self._tell_failures)
            if time.monotonic() - said > LINE_SECONDS - LOOK_SECONDS:
                said = time.monotonic()
                self._try(self._tell_progress)
        self._try(self._tell_failures)

    def _try(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as exc:  # noqa: BLE001  the bytes go on, whatever a log does
            log.debug("no line in the log: %s", type(exc).__name__)

    def _tell_progress(self) -> None:
        migration = self._migration
        statistics = migration.box.statistics()
        migration.progress.called(
            calls=statistics.calls, rate_limited=statistics.rate_limited, bytes_sent=statistics.bytes_sent
        )
        self._say(line(migration.progress.snapshot()).plain)

    def _tell_failures(self) -> None:
        """Of all processes, by the one that conducts: what failed for those that only send is in the checkpoint."""
        migration = self._migration
        number = migration.progress.snapshot().failed
        if migration.part is Part.SENDING or not migration.trees or number == self._failed:
            return
        names = {tree.name for tree in migration.trees}
        for each in failures(migration.checkpoint, migration.plan_id):
            key = (each.tree, each.path, each.reason or "")
            if each.tree not in names or key in self._told:
                continue
            if len(self._told) == TOLD_AT_MOST:
                self._warn(
                    f"{TOLD_AT_MOST:,} failures have a line; the report has the others, they are counted here"
                )
                self._told.add(key)
            if len(self._told) > TOLD_AT_MOST:
                break
            self._told.add(key)
            with of_tree(each.tree):
                self._warn(failure_words(each))
        self._failed = number


def failure_words(failed: ItemLine) -> str:
    """One line about an entry that failed: where it is, the reason as the report names it, and what happened."""
    detail = f": {failed.detail}" if failed.detail else ""
    return printable(f"failed: {failed.path or failed.tree} ({failed.reason or 'unknown'}{detail})")
