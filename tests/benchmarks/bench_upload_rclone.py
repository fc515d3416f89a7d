"""5,000 small files in 100 folders to the same Box over TLS: our whole program, rclone and a bare client, in turn.

Once with a Box that answers at once and once with one that takes 60 ms for each call; ours runs without a setting, the
bare client (libcurl in threads, nothing around it) with as many senders as ours may have.
Calls are exact. rclone compares no digest for a source that has none and lets nobody in; we list every folder as proof.

    python -m tests.benchmarks.bench_upload_rclone [ROUNDS [MILLISECONDS ...]]
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from connectors.box.sandbox import Sandbox
from tests.benchmarks.box_rclone import REMOTE, Before, box_over_tls, migrate
from tests.benchmarks.measuring import Measured, median
from tests.benchmarks.results import Row, table

FILES, FOLDERS, ROUNDS = 5_000, 100, 5
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"rounds": 1, "files": 500}
#: How long Box takes for a call, in milliseconds.
LATENCIES = (0, 60)
#: What rclone is told; other numbers were not tried. And senders of the bare client: as many as ours may have.
TRANSFERS, SENDERS = "16", 64


def main(rounds: int = ROUNDS, latencies: Sequence[int] = LATENCIES, files: int = FILES) -> list[Row]:
    """Calls a file, time and CPU of both; the ratios are printed."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name:
        folder = Path(name)
        build(folder / "share", files)
        with box_over_tls(folder) as before:
            for latency in latencies:
                rows += _compare(before, latency, rounds, files)
    return rows


def _compare(before: Before, latency: int, rounds: int, files: int) -> list[Row]:
    box, folder, share = before.box, before.folder, before.folder / "share"
    ways: dict[str, Callable[[int], Measured]] = {
        "ours": lambda number: migrate(before.ours(folder / f"run{latency}-{number}", share)),
        "rclone": lambda _: before.rclone("copy", str(share), REMOTE, "--transfers", TRANSFERS),
        "bare client": lambda _: before.bare(share, SENDERS),
    }
    runs: dict[str, list[Measured]] = {who: [] for who in ways}
    calls: dict[str, int] = {}
    for number in range(rounds):
        for who, run in ways.items():
            _empty(box, latency)
            runs[who].append(run(number))
            calls[who] = box.calls.total
            assert len(box.files()) == files
            print(f"{latency} ms a call: {who}: {runs[who][-1].wall_seconds:.2f} s", flush=True)
    for who in ("rclone", "bare client"):
        told = [
            calls[who] / calls["ours"],
            _ratio(runs, who, "wall_seconds"),
            _ratio(runs, who, "cpu_seconds"),
        ]
        print(
            f"{latency} ms a call: {told[0]:.2f} times the calls, {told[1]:.2f} times the time and {told[2]:.2f} "
            f"times the CPU are {who}'s"
        )
    return [_row(f"{latency} ms a call", who, runs[who], calls[who], files) for who in ways]


def _ratio(runs: Mapping[str, Sequence[Measured]], who: str, what: str) -> float:
    theirs, ours = (median([getattr(run, what) for run in runs[name]]) for name in (who, "ours"))
    return theirs / ours


def _empty(box: Sandbox, latency: int) -> None:
    box.reset()
    box.faults.clear()
    box.calls.reset()
    if latency:
        box.faults.next("*").delay(latency / 1000).times(None)


def build(root: Path, files: int = FILES) -> None:
    """The share."""
    rng = random.Random(5)
    for number in range(files):
        folder = root / "Tree" / f"{number % FOLDERS:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05d}.bin").write_bytes(rng.randbytes(4_000))


def _row(what: str, who: str, runs: list[Measured], calls: int, files: int) -> Row:
    wall, cpu = median([run.wall_seconds for run in runs]), median([run.cpu_seconds for run in runs])
    memory = median([run.peak_megabytes for run in runs])
    figures = {"calls a file": calls / files, "files/s": files / wall, "CPU ms a file": cpu / files * 1000}
    return Row(what, who, figures | {"MB at most": memory})


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    print(table(main(*words[:1], latencies=words[1:] or LATENCIES)))
