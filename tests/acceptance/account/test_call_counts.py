"""What the plan's books say of its calls, whoever writes them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from connectors.box.sandbox import Sandbox
from flows.transfer.migration import open_migration
from tests.acceptance.account.conftest import Account

THREADS, ROUNDS = 4, 10


def test_calls_are_counted_once(account: Account, box: Sandbox) -> None:
    """The timekeeper and the end of a run write them down at the same moment: each call counts once."""
    with open_migration(account.plan) as migration, ThreadPoolExecutor(THREADS) as threads:
        together = Barrier(THREADS)

        def save(_: int) -> None:
            together.wait()
            migration.call_counts.save()

        for _ in range(ROUNDS):
            list(migration.box.list_folder("0"))
            list(threads.map(save, range(THREADS)))
        counted = migration.checkpoint.call_counts(migration.plan_id)

    assert ROUNDS == counted["GET /folders/:id/items"] == box.calls.by_route["GET /folders/:id/items"]
