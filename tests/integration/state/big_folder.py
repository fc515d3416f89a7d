"""A process that moves one big folder through a checkpoint: `big_folder.py URL FILES`. Started by test_sending.py."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from connectors.entry import Entry
from state.checkpoint import Checkpoint
from state.diff import Change, diff_folder
from state.reports.lines import item_lines
from tests.integration.state.scene import Scene, entry


def peak_megabytes() -> int:
    """The largest resident memory so far."""
    status = Path("/proc/self/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) // 1024


def diff(scene: Scene, listing: list[Entry]) -> list[Change]:
    """The listing against the checkpoint."""
    known = scene.checkpoint.known_children(scene.root_id)
    return diff_folder(listing, known, box_names={}, excluded=lambda entry: None)


url, files = sys.argv[1], int(sys.argv[2])
with Checkpoint.open(url) as checkpoint:
    scene = Scene(checkpoint)
    before = peak_megabytes()
    listing = [entry(f"A/{number:07d}.txt", number) for number in range(files)]
    scene.entries = {e.path: e for e in listing}
    checkpoint.record_listing(scene.root_id, scene.pass_id, diff(scene, listing))
    unchanged = len(diff(scene, listing))
    sent = 0
    while sent < 20_000 and (batch := scene.claim(max_items=5_000)):
        checkpoint.record_results(scene.worker, [scene.uploaded(item) for item in batch])
        sent += len(batch)
    expected = len(checkpoint.expected_children(scene.root_id))
    lines = sum(1 for _ in item_lines(checkpoint, scene.plan_id))
    counts = {"unchanged": unchanged, "sent": sent, "expected": expected, "lines": lines}
    print(json.dumps({"counts": counts, "megabytes": peak_megabytes() - before}))
