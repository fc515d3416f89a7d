"""A process that claims files: `claimer.py URL PLAN_ID TREE_ID all|hold`. Started by test_workers.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from state.checkpoint import Checkpoint

url, plan_id, tree_id, what = sys.argv[1:]
checkpoint = Checkpoint.open(url)
# The test's clock stands still in the past: a long lease keeps this worker alive for it.
worker = checkpoint.register_worker(int(plan_id), name="claimer", lease_seconds=10**9)
claimed = 0
while batch := checkpoint.claim_batch(worker, tree_ids=[int(tree_id)], max_items=7, max_bytes=10**9):
    claimed += len(batch)
    if what == "all":
        print(*(item.id for item in batch))
if what == "hold":
    print(claimed, flush=True)
    sys.stdin.read()
checkpoint.close()
