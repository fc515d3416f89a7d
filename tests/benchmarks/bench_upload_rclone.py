"""5,000 small files in 100 folders to the same Box over TLS: our whole program against rclone, in turn.

Once with a Box that answers at once and once with one that takes 60 ms for each call; ours runs without a setting.
Calls are exact. rclone compares no digest for a source that has none and lets nobody in; we list every folder as proof.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from connectors.box.sandbox import Sandbox
from tests.benchmarks.box_rclone import REMOTE, Before, box_over_tls, migrate
from tests.benchmarks.measuring import Measured, median
from tests.benchmarks.results import Row, table

FILES, FOLDERS, ROUNDS = 5_000, 100, 3
#: How long Box takes for a call, in milliseconds.
LATENCIES = (0, 60)


def main(rounds: int = ROUNDS) -> list[Row]:
    """Calls a file, time and CPU of both; the ratios are printed."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name:
        folder = Path(name)
        build(folder / "share")
        with box_over_tls(folder) as before:
            for latency in LATENCIES:
                rows += _compare(before, latency, rounds)
    return rows


def _compare(before: Before, latency: int, rounds: int) -> list[Row]:
    ours, theirs, our_calls, their_calls = [], [], 0, 0
    box, folder, share = before.box, before.folder, before.folder / "share"
    for number in range(rounds):
        _empty(box, latency)
        ours.append(migrate(before.ours(folder / f"run{latency}-{number}", share)))
        our_calls = box.calls.total
        assert len(box.files()) == FILES
        _empty(box, latency)
        theirs.append(before.rclone("copy", str(share), REMOTE, "--transfers", "16"))
        their_calls = box.calls.total
        assert len(box.files()) == FILES
    wall = median([run.wall_seconds for run in theirs]) / median([run.wall_seconds for run in ours])
    cpu = median([run.cpu_seconds for run in theirs]) / median([run.cpu_seconds for run in ours])
    print(
        f"{latency} ms a call: {their_calls / our_calls:.2f} times the calls, {wall:.2f} times the time and"
        f" {cpu:.2f} times the CPU are rclone's"
    )
    what = f"{latency} ms a call"
    return [_row(what, "ours", ours, our_calls), _row(what, "rclone", theirs, their_calls)]


def _empty(box: Sandbox, latency: int) -> None:
    box.reset()
    box.faults.clear()
    box.calls.reset()
    if latency:
        box.faults.next("*").delay(latency / 1000).times(None)


def build(root: Path) -> None:
    """The share."""
    rng = random.Random(5)
    for number in range(FILES):
        folder = root / "Tree" / f"{number % FOLDERS:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}.bin").write_bytes(rng.randbytes(4_000))


def _row(what: str, who: str, runs: list[Measured], calls: int) -> Row:
    wall, cpu = median([run.wall_seconds for run in runs]), median([run.cpu_seconds for run in runs])
    memory = median([run.peak_megabytes for run in runs])
    figures = {"calls a file": calls / FILES, "files/s": FILES / wall, "CPU ms a file": cpu / FILES * 1000}
    return Row(what, who, figures | {"MB at most": memory})


if __name__ == "__main__":
    print(table(main()))
