"""Leases: who is alive, who is dead, what the dead held, and the fence."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from state.checkpoint import Checkpoint
from state.database.models import Folder, Item, Pass, Tree, UploadPart, UploadSession
from state.errors import LeaseHeld, LostLease
from state.records import BudgetBlock, WorkerLease
from state.statuses import ItemStatus, PassState, TreeState
from tests.integration.state.scene import ManualClock, Scene
from tests.integration.state.test_sending import stored_part, stored_session

CLAIMER = Path(__file__).with_name("claimer.py")


def test_expired_lease_frees_everything(scene: Scene) -> None:
    """When a lease ends, its files, folders, creations and identities are free for a living worker."""
    scene.record({"f": 1, "sub": {}})
    [sub] = scene.claim_folders()
    [item] = scene.claim()
    scene.checkpoint.claim_folder_creation(scene.worker, sub.id)
    scene.checkpoint.lease_identity(scene.worker, "user-1")
    scene.clock.forward(59)
    second = scene.checkpoint.register_worker(scene.plan_id, name="second")
    dead, scene.worker = scene.worker, second

    assert scene.claim() == []

    scene.clock.forward(2)

    assert [item] == scene.claim()
    assert [sub.id] == [folder.id for folder in scene.claim_folders()]
    assert scene.checkpoint.claim_folder_creation(second, sub.id)
    assert scene.checkpoint.lease_identity(second, "user-1") == []
    assert [second] == scene.checkpoint.live_workers(scene.plan_id)
    with pytest.raises(LostLease, match="first"):
        scene.checkpoint.heartbeat(dead)


def test_heartbeat_prolongs(scene: Scene) -> None:
    """A worker that beats in time is alive for as long as it does, even when it came late but nobody noticed."""
    for seconds in (50, 50, 61):
        scene.clock.forward(seconds)
        scene.checkpoint.heartbeat(scene.worker)
    scene.checkpoint.register_worker(scene.plan_id, name="second")

    assert [worker.name for worker in scene.checkpoint.live_workers(scene.plan_id)] == ["first", "second"]


def test_worker_that_slept_goes_on(scene: Scene) -> None:
    """A worker whose machine slept through its lease goes on when nobody took over meanwhile."""
    scene.walk({"f": 1})
    scene.clock.forward(3_600)
    [item] = scene.claim()

    assert [] == scene.claim()
    assert [] == scene.claim_folders()

    scene.checkpoint.record_results(scene.worker, [scene.uploaded(item)])

    assert {"A/f": ItemStatus.UPLOADED} == scene.statuses()


def test_heartbeat_buries_the_dead(scene: Scene) -> None:
    """A living worker takes over without anybody new coming."""
    second = scene.checkpoint.register_worker(scene.plan_id, name="second", lease_seconds=600)
    scene.walk({"f": 1})
    scene.claim()
    scene.clock.forward(61)
    scene.checkpoint.heartbeat(second)

    with pytest.raises(LostLease):
        scene.claim()


#: What ends or changes the state of a tree, a pass or a folder, or where an entry lies in Box, by a worker.
SENTENCES: dict[str, Callable[[Scene, WorkerLease], Any]] = {
    "set_tree_state": lambda scene, worker: scene.checkpoint.set_tree_state(
        scene.tree.id, TreeState.INCOMPLETE, worker=worker
    ),
    "complete_tree": lambda scene, worker: scene.checkpoint.complete_tree(scene.tree.id, worker=worker),
    "record_verified": lambda scene, worker: scene.checkpoint.record_verified(scene.tree.id, worker=worker),
    "record_verification_mismatch": lambda scene, worker: scene.checkpoint.record_verification_mismatch(
        scene.tree.id,
        item_ids_by_reason={},
        folders_gone={scene.folder_id("d"): "100"},
        detail="x",
        worker=worker,
    ),
    "record_tree_gone": lambda scene, worker: scene.checkpoint.record_tree_gone(scene.tree.id, worker=worker),
    "end_pass": lambda scene, worker: scene.checkpoint.end_pass(
        scene.pass_id, PassState.COMPLETE, summary={}, worker=worker
    ),
    "begin_pass": lambda scene, worker: scene.checkpoint.begin_pass(
        scene.plan_id, kind="migrate", worker=worker
    ),
    "open_trees": lambda scene, worker: scene.checkpoint.open_trees(
        scene.pass_id, [scene.tree.id], worker=worker
    ),
    "retry_failures": lambda scene, worker: scene.checkpoint.retry_failures(scene.plan_id, worker=worker),
    "record_folder_failure": lambda scene, worker: scene.checkpoint.record_folder_failure(
        scene.folder_id("d"), scene.pass_id, reason="locked", detail="x", worker=worker
    ),
    "record_folder_vanished": lambda scene, worker: scene.checkpoint.record_folder_vanished(
        scene.folder_id("d"), scene.pass_id, worker=worker
    ),
    "record_folder_creation_failed": lambda scene, worker: scene.checkpoint.record_folder_creation_failed(
        scene.folder_id("empty"), reason="locked", detail="x", worker=worker
    ),
    "record_folder_created": lambda scene, worker: scene.checkpoint.record_folder_created(
        scene.folder_id("d"), box_folder_id="200", box_name="d (2)", adopted=False, worker=worker
    ),
    "remember_box_file": lambda scene, worker: scene.checkpoint.remember_box_file(
        scene.child("f").id, box_file_id="300", box_etag=None, worker=worker
    ),
    "save_upload_session": lambda scene, worker: scene.checkpoint.save_upload_session(
        scene.child("f").id, stored_session(session_id="S2"), worker=worker
    ),
    "add_upload_part": lambda scene, worker: scene.checkpoint.add_upload_part(
        scene.child("f").id, stored_part(1), worker=worker
    ),
    "clear_upload_session": lambda scene, worker: scene.checkpoint.clear_upload_session(
        scene.child("f").id, worker=worker
    ),
}


def everything(checkpoint: Checkpoint) -> dict[str, list[Any]]:
    """Every row of what a sentence about trees, passes, entries and their uploads may change."""
    with checkpoint.database.reading() as connection:
        tables = (Tree, Pass, Folder, Item, UploadSession, UploadPart)
        return {
            table.__tablename__: sorted(
                (tuple(row) for row in connection.execute(select(table.__table__))), key=lambda row: row[:2]
            )
            for table in tables
        }


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.gate(16)
def test_fence_keeps_out_what_a_dead_worker_says_of_tree_and_pass(scene: Scene, sentence: str) -> None:
    """After a takeover the state is the other one's to write; while the worker lives, the same words are written."""
    scene.walk({"f": 1, "g": 2, "d": {"h": 3}, "empty": {}})
    if sentence not in ("record_verified", "complete_tree"):  # a tree with a failure is never verified
        scene.fail("g")
    scene.send_everything()
    scene.checkpoint.record_folder_created(
        scene.folder_id("d"), box_folder_id="100", box_name="d", adopted=False
    )
    scene.checkpoint.save_upload_session(scene.child("f").id, stored_session())
    if sentence == "complete_tree":
        scene.checkpoint.record_verified(scene.tree.id)
    dead = scene.checkpoint.register_worker(scene.plan_id, name="dead", lease_seconds=10)
    scene.clock.forward(20)
    living = scene.checkpoint.register_worker(scene.plan_id, name="living", lease_seconds=600)
    before = everything(scene.checkpoint)

    with pytest.raises(LostLease, match="dead"):
        SENTENCES[sentence](scene, dead)
    assert before == everything(scene.checkpoint)
    SENTENCES[sentence](scene, living)
    assert before != everything(scene.checkpoint)


def test_fence_keeps_a_dead_workers_results_out(scene: Scene) -> None:
    """After a takeover nothing of the dead worker is written: results, listings, claims, budget."""
    changes = scene.compare(scene.root_id, "A", {"f": 1})
    scene.walk({"f": 1})
    [item] = scene.claim()
    scene.checkpoint.lease_identity(scene.worker, "user-1")
    scene.clock.forward(61)
    scene.checkpoint.register_worker(scene.plan_id, name="second")
    block = BudgetBlock(reserved_at=scene.clock.now, uploads=1, calls=1)

    with pytest.raises(LostLease):
        scene.checkpoint.record_results(scene.worker, [scene.uploaded(item)])
    with pytest.raises(LostLease):
        scene.checkpoint.record_listing(scene.root_id, scene.pass_id, changes, worker=scene.worker)
    with pytest.raises(LostLease):
        scene.claim_folders()
    with pytest.raises(LostLease):
        scene.checkpoint.reserve_budget(scene.worker, "user-1", block)
    with pytest.raises(LostLease):
        scene.checkpoint.claim_folder_creation(scene.worker, scene.root_id)

    assert scene.statuses() == {"A/f": ItemStatus.PENDING}


def test_result_for_an_item_in_other_hands_is_dropped(scene: Scene) -> None:
    """A worker that gave an item back has no say about it once another one holds it."""
    scene.walk({"f": 1})
    [item] = scene.claim()
    scene.checkpoint.release_claims(scene.worker, [item.id])
    second = scene.checkpoint.register_worker(scene.plan_id, name="second")
    scene.checkpoint.claim_batch(second, tree_ids=[scene.tree.id], max_items=1, max_bytes=1)
    scene.checkpoint.record_results(scene.worker, [scene.uploaded(item)])

    assert scene.statuses() == {"A/f": ItemStatus.PENDING}


def test_dead_process_is_taken_over_at_once(scene: Scene, state_url: str) -> None:
    """On one machine a killed process's claims are free without waiting for its lease."""
    scene.walk({"f": 1, "g": 1})
    scene.checkpoint.release_worker(scene.worker)
    with _claimers(state_url, scene, 1) as [claimer]:
        held = claimer.claim()
        scene.worker = scene.checkpoint.register_worker(scene.plan_id, name="second")
        before = scene.claim()
        claimer.process.kill()
        claimer.process.wait()
        after = scene.claim()

    assert len(held) == 2
    assert before == []
    assert len(after) == 2


@pytest.mark.parametrize("identity", ["another-boot/4026531836/77", "", "another-boot"])
def test_machine_of_the_same_name_lives_until_its_lease_ends(scene: Scene, identity: str) -> None:
    """A cloned machine or a container has this one's name and process numbers, and its processes cannot be seen."""
    lives = text("UPDATE workers SET process_identity = :identity, pid = 4194305")
    scene.checkpoint.database.write(lambda connection: connection.execute(lives, {"identity": identity}))
    scene.checkpoint.lease_identity(scene.worker, "user-1")
    second = scene.checkpoint.register_worker(scene.plan_id, name="second")
    with pytest.raises(LeaseHeld) as held:
        scene.checkpoint.lease_identity(second, "user-1")
    scene.checkpoint.heartbeat(scene.worker)
    both = scene.checkpoint.live_workers(scene.plan_id)
    scene.clock.forward(61)
    scene.checkpoint.heartbeat(second)

    assert not held.value.lives
    assert [scene.worker, second] == both
    assert [second] == scene.checkpoint.live_workers(scene.plan_id)


@pytest.mark.parametrize("processes", [2])
def test_two_processes_never_share_a_file(scene: Scene, state_url: str, processes: int) -> None:
    """Processes that claim at the same time get every file once between them."""
    scene.walk({f"d{n}": {f"f{m}": 1 for m in range(50)} for n in range(8)})
    # None of them ends before all have claimed: what an ended process holds is free at once.
    with _claimers(state_url, scene, processes) as claimers, ThreadPoolExecutor(processes) as pool:
        items = Counter(item for claimed in pool.map(Claimer.claim, claimers) for item in claimed)

    assert 400 == len(items) == items.total()


def test_threads_never_share_a_file_or_a_folder(scene: Scene) -> None:
    """Threads of one worker get every file and every folder once between them."""
    scene.record({f"d{n:02}": {} for n in range(40)})
    scene.record({f"f{n:03}": 1 for n in range(200)} | {f"d{n:02}": {} for n in range(40)})
    items: Counter[int] = Counter()
    folders: Counter[int] = Counter()

    def work() -> None:
        while batch := scene.claim(max_items=7):
            items.update(item.id for item in batch)
        while nodes := scene.claim_folders(limit=3):
            folders.update(node.id for node in nodes)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert 200 == len(items) == items.total()
    assert 40 == len(folders) == folders.total()


def test_one_creator_per_folder(scene: Scene) -> None:
    """A folder is created by one worker: the other waits until it is created, failed or given back."""
    scene.record({"sub": {}})
    sub = scene.folder_id("sub")
    second = scene.checkpoint.register_worker(scene.plan_id, name="second")
    checkpoint = scene.checkpoint

    assert checkpoint.claim_folder_creation(scene.worker, sub)
    assert checkpoint.claim_folder_creation(scene.worker, sub)
    assert not checkpoint.claim_folder_creation(second, sub)

    checkpoint.release_folder_creation(scene.worker, sub)

    assert checkpoint.claim_folder_creation(second, sub)

    checkpoint.record_folder_creation_failed(sub, reason="rejected", detail="no")

    assert checkpoint.claim_folder_creation(scene.worker, sub)

    checkpoint.record_folder_created(sub, box_folder_id="7", box_name="sub", adopted=False)

    assert not checkpoint.claim_folder_creation(scene.worker, sub)
    assert checkpoint.folder_was_created_by_plan(sub)


def test_identity_has_one_holder(scene: Scene) -> None:
    """A second worker is refused with a line that names host, pid and time; the holder may ask again."""
    second = scene.checkpoint.register_worker(scene.plan_id, name="second")
    scene.checkpoint.lease_identity(scene.worker, "user-1")

    assert scene.checkpoint.lease_identity(scene.worker, "user-1") == []
    with pytest.raises(
        LeaseHeld, match=r"user-1 is in use by first on .*, pid \d+, since 2026-01-01 00:00:00 UTC"
    ):
        scene.checkpoint.lease_identity(second, "user-1")

    scene.checkpoint.release_identity(second, "user-1")
    with pytest.raises(LeaseHeld):
        scene.checkpoint.lease_identity(second, "user-1")

    scene.checkpoint.release_identity(scene.worker, "user-1")

    assert scene.checkpoint.lease_identity(second, "user-1") == []


def test_budget_outlives_its_holder(scene: Scene) -> None:
    """The next holder learns what was reserved in the last five minutes, oldest first."""
    checkpoint, clock = scene.checkpoint, scene.clock
    checkpoint.lease_identity(scene.worker, "user-1")
    blocks = []
    for _ in range(4):
        blocks.append(BudgetBlock(reserved_at=clock.now, uploads=10, calls=40))
        checkpoint.reserve_budget(scene.worker, "user-1", blocks[-1])
        clock.forward(55)
        checkpoint.heartbeat(scene.worker)
    clock.now += timedelta(minutes=2)
    second = checkpoint.register_worker(scene.plan_id, name="second")

    assert blocks[1:] == checkpoint.lease_identity(second, "user-1")
    with pytest.raises(LostLease):
        checkpoint.reserve_budget(second, "user-2", blocks[0])


def test_what_was_not_used_is_not_held_against_the_next_holder(scene: Scene) -> None:
    """The last block is written down as what was used of it; who does not hold the identity changes nothing."""
    checkpoint, at = scene.checkpoint, scene.clock.now
    second = checkpoint.register_worker(scene.plan_id, name="second")
    checkpoint.lease_identity(scene.worker, "user-1")
    for _ in range(2):
        checkpoint.reserve_budget(scene.worker, "user-1", BudgetBlock(reserved_at=at, uploads=10, calls=40))

    checkpoint.release_identity(second, "user-1", unused_uploads=10, unused_calls=40)
    checkpoint.release_identity(scene.worker, "user-1", unused_uploads=7, unused_calls=39)

    assert [(10, 40), (3, 1)] == [
        (block.uploads, block.calls) for block in checkpoint.lease_identity(second, "user-1")
    ]


def test_release_may_be_repeated(scene: Scene) -> None:
    """A worker that ends twice ended once."""
    scene.checkpoint.release_worker(scene.worker)
    scene.checkpoint.release_worker(scene.worker)

    assert scene.checkpoint.live_workers(scene.plan_id) == []


def test_leases_of_a_server_go_by_its_clock(postgres_url: str) -> None:
    """On PostgreSQL the server's clock decides, so that machines with wrong clocks agree."""
    with Checkpoint.open(postgres_url) as checkpoint:
        scene = Scene(checkpoint, ManualClock())

        assert [scene.worker] == checkpoint.live_workers(scene.plan_id)


@dataclass(frozen=True)
class Claimer:
    """A process of claimer.py that has registered its worker."""

    process: subprocess.Popen[str]

    def claim(self) -> list[int]:
        """Lets it claim everything that is free; it holds it until it is ended."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("claim\n")
        self.process.stdin.flush()
        return [int(item) for item in self.process.stdout.readline().split()]


@contextmanager
def _claimers(url: str, scene: Scene, count: int) -> Iterator[list[Claimer]]:
    command = [sys.executable, str(CLAIMER), url, str(scene.plan_id), str(scene.tree.id)]
    with ExitStack() as processes:
        claimers = []
        for _ in range(count):
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CLAIMER.parents[3]
            )
            processes.enter_context(process)
            processes.callback(process.kill)
            claimers.append(Claimer(process))
        for claimer in claimers:
            assert claimer.process.stdout and claimer.process.stdout.readline() == "ready\n"
        yield claimers


def test_plans_of_one_database_share_an_accounts_budget(scene: Scene) -> None:
    """One after the other: who comes second waits, and then goes on where the first one stopped (P10)."""
    other = scene.checkpoint.ensure_plan(name="other", source_url="file:///t", landing_folder_id="0")
    second = scene.checkpoint.register_worker(other, name="second")
    scene.checkpoint.lease_identity(scene.worker, "account")
    block = BudgetBlock(reserved_at=scene.clock.now, uploads=240, calls=1_000)
    scene.checkpoint.reserve_budget(scene.worker, "account", block)
    with pytest.raises(LeaseHeld, match="first"):
        scene.checkpoint.lease_identity(second, "account")
    scene.checkpoint.release_worker(scene.worker)

    assert [block] == scene.checkpoint.lease_identity(second, "account")
