"""Walking 200,000 files in 2,000 folders of this machine: as many walkers as it takes, against one, and eight."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import measure, median
from tests.benchmarks.results import Row, table

FOLDERS, FILES_PER_FOLDER, ROUNDS = 2_000, 100, 5
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"folders": 100, "rounds": 1}

WALK = """
import os, time
from pathlib import Path
from connectors.sources.local import LocalSource
from connectors.sources.walkers import Walkers
source, fixed = LocalSource(Path(os.environ["ROOT"])), int(os.environ["FIXED"])
if fixed:
    Walkers.count = lambda self, limit: fixed
started, cpu = time.perf_counter(), time.process_time()
waiting, entries = [""], 0
while waiting:
    found = []
    for path, listing in source.list_folders(waiting):
        entries += len(listing)
        found += [entry.path for entry in listing if entry.kind == "folder"]
    waiting = found
print(entries, time.perf_counter() - started, time.process_time() - cpu)
"""


def main(folders: int = FOLDERS, rounds: int = ROUNDS) -> list[Row]:
    """Entries a second and CPU an entry of each, medians, in turn on the same folder."""
    root = Path(tempfile.mkdtemp(dir="/dev/shm"))
    runs: dict[str, list[list[str]]] = {"0": [], "1": [], "8": []}
    try:
        for number in range(folders):
            folder = root / f"{number % 10}" / f"{number:04d}"
            folder.mkdir(parents=True)
            for file in range(FILES_PER_FOLDER):
                (folder / f"file {file:03d}.txt").touch()
        for _ in range(rounds):
            for fixed, told in runs.items():
                environment = {"ROOT": str(root), "FIXED": fixed}
                told.append(measure([sys.executable, "-c", WALK], environment=environment).output.split())
    finally:
        shutil.rmtree(root)
    rows = []
    for fixed, told in runs.items():
        entries = int(told[0][0])
        wall, cpu = (median([float(each[place]) for each in told]) for place in (1, 2))
        what = "as many as measuring says" if fixed == "0" else f"{fixed} fixed"
        figures = {"entries/s": entries / wall, "CPU us an entry": cpu / entries * 1e6}
        rows.append(Row(what, "ours", figures))
    return rows


if __name__ == "__main__":
    print(table(main()))
