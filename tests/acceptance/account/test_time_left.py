"""The time that is left, as a run shows it while Box's limits bind, held against when the last file really arrived."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from flows.orchestration.watching import watching_with
from flows.transfer.migration import Migration
from tests.acceptance.account.conftest import Account
from tests.trees import build_tree

#: Box's limits with a minute of twelve seconds: twenty uploads a second.
LIMITS = {"uploads_per_minute": 240, "calls_per_minute": 1000, "window_seconds": 12.0}

FILES = 900

#: Files of the last seconds are in the hands of senders and of the recorder: no share of what is left then.
LAST_SECONDS = 3.0


class TimeLeft:
    """What a run says of the time that is left, each quarter of a second."""

    def __init__(self) -> None:
        self.said: list[tuple[float, float | None]] = []

    @contextmanager
    def watcher(self, migration: Migration) -> Iterator[None]:
        """Look until the run ends."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.25):
                self.said.append((time.time(), migration.progress.snapshot().eta_seconds))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()


@pytest.mark.torture  # three quarters of a minute under Box's limits have to pass
def test_time_left_is_right_over_the_last_three_quarters(account: Account, box: Sandbox, share: Path) -> None:
    """Never more than a tenth off, and it is said all the time."""
    shutil.rmtree(share)
    share.mkdir()
    build_tree(
        share,
        {tree: {f"{n:04}.txt": b"%d" % n for n in range(FILES // 2)} for tree in ("Accounting", "Legal")},
    )
    account.change_box(limits=LIMITS)
    box.limits.update(LIMITS)
    shown = TimeLeft()
    try:
        with watching_with(shown.watcher):
            assert account.migrate(check=False)["complete"]
    finally:
        box.limits.reset()

    sent = [call.at for call in box.calls.log if call.route == "POST /files/content"]
    begun, ended = min(sent), max(sent)
    quarter = begun + (ended - begun) / 4
    looks = [(ended - at, left) for at, left in shown.said if quarter <= at <= ended - LAST_SECONDS]
    assert len(looks) > 60
    wrong = [
        (round(truth, 1), left) for truth, left in looks if left is None or abs(left - truth) > 0.1 * truth
    ]
    assert [] == wrong
