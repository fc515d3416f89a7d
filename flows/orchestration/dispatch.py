"""Batches in flight until nothing is left to send, for the process that conducts and for those that only send."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from flows.orchestration.tasks import (
    BATCHES_IN_FLIGHT,
    Pending,
    complete_tree,
    run,
    settle,
    start,
    upload_batch,
    walk_share,
)
from flows.run.leases import LEASE_NAME, Part
from flows.transfer.beginning import join
from flows.transfer.choosing import sent_whole
from flows.transfer.completing import create_missing_folders
from flows.transfer.migration import Migration
from flows.transfer.sending import Batch
from state.records import TreeRecord

#: Seconds between looks at the checkpoint while the walk has found nothing to send yet, for the one that conducts and
#: for those that only send.
IDLE_SECONDS, SENDER_IDLE_SECONDS = 0.2, 1.0

#: The first of them; each one that found nothing doubles it. The first folders are listed within an instant.
FIRST_IDLE_SECONDS = 0.02

#: The same as a multiple of what a look takes: over thousands of trees it takes long.
IDLE_PER_LOOK = 9.0

#: Seconds before a file that failed is tried again; each further try waits so much longer.
RETRY_SECONDS = 2.0

#: Seconds that a sender goes on looking when nobody conducts: a run whose machine died is started again in eleven
#: minutes.
ORPHAN_SECONDS = 900.0


def move_trees(migration: Migration, trees: list[TreeRecord]) -> list[TreeRecord]:
    """Walk and send at the same time and complete each tree as it is all there; those that Box contradicts remain."""
    if not trees:
        return []
    with ThreadPoolExecutor(BATCHES_IN_FLIGHT + 1, thread_name_prefix="task") as threads:
        migration.walking.set()
        migration.progress.enter("walking and sending")
        migration.progress.walk(goes_on=True)
        walk = start(threads, walk_share, migration)
        try:
            waiting = send_files(migration, threads, trees)
        except BaseException:
            migration.stop.set()
            settle([walk])
            raise
        walk.result()
    for tree in sent_whole(migration, waiting):
        # Nothing was left to send, perhaps, and still folders without a file of their own.
        create_missing_folders(migration, tree)
    return [tree for tree in waiting if not run(complete_tree, migration, migration.checkpoint.tree(tree.id))]


def send_files(
    migration: Migration, threads: ThreadPoolExecutor, trees: list[TreeRecord]
) -> list[TreeRecord]:
    """Claim and send batches until nothing is left to find or to send; the trees that are not complete yet."""
    in_flight: deque[Pending] = deque()
    try:
        return _send_files(migration, threads, trees, in_flight)
    except BaseException:
        migration.stop.set()
        settle(in_flight)
        raise


def _send_files(
    migration: Migration, threads: ThreadPoolExecutor, trees: list[TreeRecord], in_flight: deque[Pending]
) -> list[TreeRecord]:
    waiting, number, tried, idle_least = trees, 0, 0, FIRST_IDLE_SECONDS
    while True:
        migration.stop.raise_if_stopped()
        walked = not migration.walking.is_set()
        # In the last round all: an older plan may have allowed more attempts than this one.
        last = tried == migration.plan.transfer.max_attempts
        asked = time.monotonic()
        batch = migration.claims.next_batch(attempts_at_most=None if last else tried)
        idle = max(idle_least, IDLE_PER_LOOK * (time.monotonic() - asked))
        if batch:
            number += 1
            in_flight.append(start(threads, upload_batch, migration, Batch(batch), number))
        if in_flight and (not batch or len(in_flight) == BATCHES_IN_FLIGHT):
            in_flight.popleft().result()
            migration.recorder.flush()
            waiting = complete_settled(migration, waiting)
        elif not batch and not walked:
            migration.stop.wait(idle)
            idle_least = min(IDLE_SECONDS, 2 * idle_least)
        elif not batch and not migration.claims.has_pending_files():
            return waiting
        elif not batch:
            tried = min(tried + 1, migration.plan.transfer.max_attempts)
            migration.stop.wait(RETRY_SECONDS * tried)
            if migration.part is Part.CONDUCTING:
                waiting = complete_settled(migration, waiting)


def complete_settled(migration: Migration, trees: list[TreeRecord]) -> list[TreeRecord]:
    """Complete those trees of which everything has arrived, while the others are still sent; the others remain."""
    remaining, arrived = [], migration.claims.arrived(trees)
    for tree in trees:
        settled = tree.id in arrived and create_missing_folders(migration, tree)
        if not settled or not run(complete_tree, migration, migration.checkpoint.tree(tree.id)):
            remaining.append(tree)
    return remaining


def send_what_is_found(migration: Migration) -> None:
    """Claim and send batches until the pass is over, or nobody has conducted it for a while."""
    in_flight: deque[Pending] = deque()
    try:
        with (
            migration.stop.telling_the_cause(),
            ThreadPoolExecutor(BATCHES_IN_FLIGHT, thread_name_prefix="task") as threads,
        ):
            _send(migration, threads, in_flight)
    except BaseException:
        migration.stop.set()
        settle(in_flight)
        raise


def _send(migration: Migration, threads: ThreadPoolExecutor, in_flight: deque[Pending]) -> None:
    number, tried, conducted = 0, 0, time.monotonic()
    while True:
        migration.stop.raise_if_stopped()
        there = join(migration)
        if is_conducted(migration):
            conducted = time.monotonic()
        batch = migration.claims.next_batch(attempts_at_most=tried) if there and migration.trees else []
        if batch:
            number += 1
            in_flight.append(start(threads, upload_batch, migration, Batch(batch), number))
        if in_flight and (not batch or len(in_flight) == BATCHES_IN_FLIGHT):
            in_flight.popleft().result()
            migration.recorder.flush()
        elif not batch:
            if not there or time.monotonic() - conducted > ORPHAN_SECONDS:
                return
            # Whoever conducts tries failures again first, and with patience.
            tried = min(tried + 1, migration.plan.transfer.max_attempts - 1)
            migration.stop.wait(SENDER_IDLE_SECONDS)


def is_conducted(migration: Migration) -> bool:
    """True while some process does more than send."""
    return any(
        not worker.name.startswith(LEASE_NAME)
        for worker in migration.checkpoint.live_workers(migration.plan_id)
    )
