"""A process that writes down where entries lie in Box: `adopter.py URL PLAN_ID TREE_ID`. Started by test_holders.py.

Says "ready" and begins when it is given a line. Entries whose names begin alike are one to its Box: a first try says
that they lie in one place, a second one that they have places of their own. Says in one line of JSON who holds what.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from connectors.entry import Entry, EntryKind
from state.checkpoint import Checkpoint
from state.records import ClaimedItem, FolderNode, Uploaded, WorkerLease

#: As Box would take, so that no process does everything.
PAUSE_SECONDS = 0.005


def uploaded(item: ClaimedItem, box_file_id: str) -> Uploaded:
    """The result of sending this file, as that file of Box."""
    return Uploaded(
        item_id=item.id,
        box_file_id=box_file_id,
        box_version_id=f"v{item.id}",
        box_etag="0",
        box_name=item.box_name,
        sha1=f"{item.id:040x}",
        entry=Entry(path=item.path, kind=EntryKind.FILE, size=item.size),
        adopted=False,
        identity="user-1",
    )


def put_file(checkpoint: Checkpoint, worker: WorkerLease, item: ClaimedItem) -> tuple[str, str] | None:
    """Write down a file's place, by the way of a conflict or of a result; (place, path) when it is this one's now."""
    name = item.path.rpartition("/")[2]
    place = f"own-file-{item.id}" if item.box_file_id or item.attempts else f"file-{name.partition('_')[0]}"
    if item.id % 2:
        holder = checkpoint.remember_box_file(item.id, box_file_id=place, box_etag=None, worker=worker)
        place = place if holder is None else f"own-file-{item.id}"
    held = checkpoint.record_results(worker, [uploaded(item, place)])
    return None if held else (place, item.path)


def make_folder(checkpoint: Checkpoint, worker: WorkerLease, node: FolderNode) -> tuple[str, str] | None:
    """The same for a folder that nobody else is making."""
    if not checkpoint.claim_folder_creation(worker, node.id):
        return None
    name = node.path.rpartition("/")[2]
    place = f"folder-{name.partition('_')[0]}"
    while holder := checkpoint.record_folder_created(
        node.id, box_folder_id=place, box_name=name, adopted=True, worker=worker
    ):
        assert holder.path != node.path
        place = f"own-folder-{node.id}"
    return place, node.path


def main() -> None:
    """Work until nothing is left."""
    url, plan_id, tree_id = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with Checkpoint.open(url) as checkpoint:
        # The test's clock stands still in the past: a long lease keeps this worker alive for it.
        worker = checkpoint.register_worker(plan_id, name="adopter", lease_seconds=10**9)
        pass_id = checkpoint.current_pass(plan_id)
        assert pass_id is not None
        print("ready", flush=True)
        sys.stdin.readline()
        placed = []
        while nodes := checkpoint.folders_to_create(pass_id, tree_ids=[tree_id], limit=3):
            placed += [make_folder(checkpoint, worker, node) for node in nodes]
            time.sleep(PAUSE_SECONDS)
        while batch := checkpoint.claim_batch(worker, tree_ids=[tree_id], max_items=1, max_bytes=10**9):
            placed += [put_file(checkpoint, worker, item) for item in batch]
            time.sleep(PAUSE_SECONDS)
        print(json.dumps([each for each in placed if each is not None]), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
