"""A process that claims files: `claimer.py URL PLAN_ID TREE_ID`. Started by test_workers.py.

Says "ready", claims everything when it is given a line, says which in one line, and holds it until its input ends.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from state.checkpoint import Checkpoint

url, plan_id, tree_id = sys.argv[1:]
checkpoint = Checkpoint.open(url)
# The test's clock stands still in the past: a long lease keeps this worker alive for it.
worker = checkpoint.register_worker(int(plan_id), name="claimer", lease_seconds=10**9)
print("ready", flush=True)
sys.stdin.readline()
claimed: list[int] = []
while batch := checkpoint.claim_batch(worker, tree_ids=[int(tree_id)], max_items=7, max_bytes=10**9):
    claimed += [item.id for item in batch]
print(*claimed, flush=True)
sys.stdin.read()
checkpoint.close()
