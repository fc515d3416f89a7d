"""Shares of the shapes that Azure Storage Mover publishes figures for, from Samba into a local Box over TLS.

A thousandth of their files and bytes: how wide and how deep the folders are, and how large each file is, stay as they
are published. First an inventory, which is the scanning; then the first pass on what it found. No latency, so that
only what the program itself can do is measured; Box has every file afterwards, or the run fails.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.box_rclone import Before, box_over_tls, migrate
from tests.benchmarks.measuring import measure
from tests.benchmarks.results import Row, table
from tests.servers.samba import Samba


@dataclass(frozen=True)
class Shape:
    """Folders of folders of files, all alike; files are sparse, as only their number and size matters."""

    folders: int
    sub_folders: int
    files: int
    size: int

    @property
    def total_files(self) -> int:
        """How many there are."""
        return self.folders * max(1, self.sub_folders) * self.files

    @property
    def total_folders(self) -> int:
        """How many there are below the root."""
        return self.folders * (1 + self.sub_folders)


#: By the number of the published test. Numbers 4 and 6 are one file of 4 TB and 1 TB; their thousandth is taken.
SHAPES = {
    1: Shape(12, 1, 1_000, 1_000),
    2: Shape(1, 0, 30, 700_000),
    3: Shape(1, 0, 1_000, 100_000),
    4: Shape(1, 0, 1, 4_000_000_000),
    5: Shape(117, 1, 1_000, 1_000),
    6: Shape(1, 0, 1, 1_000_000_000),
    7: Shape(200, 0, 16, 13_000),
    8: Shape(2_940, 0, 17, 20_000),
    9: Shape(5_880, 0, 17, 20_000),
}
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"numbers": (2, 7)}


def main(numbers: Collection[int] = tuple(SHAPES)) -> list[Row]:
    """A row for each shape."""
    return [_run(number, SHAPES[number]) for number in numbers]


def _run(number: int, shape: Shape) -> Row:
    server = Samba()
    try:
        server.start()
        _build(server.root / "Tree", shape)
        with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name, box_over_tls(Path(name)) as before:
            return _measured(number, shape, server, before)
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)


def _measured(number: int, shape: Shape, server: Samba, before: Before) -> Row:
    source = {"url": server.url, "username": server.username, "password": server.password}
    program = before.ours(before.folder / "run", {**source, "options": {"port": server.port}})
    look = ["inventory", str(program.plan_path)]
    scanned = measure([sys.executable, "-m", "flows.cli", *look])
    before.box.calls.reset()
    moved = migrate(program)
    passed, items = len(before.box.files()), shape.total_files + shape.total_folders
    if passed != shape.total_files:
        raise RuntimeError(f"shape {number}: {passed:,} of {shape.total_files:,} files are in Box")
    print(f"shape {number}: {scanned.wall_seconds:.1f} s and {moved.wall_seconds:.1f} s", flush=True)
    return Row(
        f"{number}: {shape.total_files:,} files in {shape.total_folders:,} folders",
        "ours",
        {
            "MB": shape.total_files * shape.size / 1e6,
            "scanning s": scanned.wall_seconds,
            "s": moved.wall_seconds,
            "items/s": items / moved.wall_seconds,
            "CPU ms an item": 1000 * moved.cpu_seconds / items,
            "MB at most": moved.peak_megabytes,
            "calls a file": before.box.calls.total / shape.total_files,
        },
    )


def _build(root: Path, shape: Shape) -> None:
    for number in range(shape.folders):
        folder = root / f"{number:05d}"
        for place in [folder / f"{sub:03d}" for sub in range(shape.sub_folders)] or [folder]:
            place.mkdir(parents=True)
            for file in range(shape.files):
                with (place / f"file {file:05d}.bin").open("wb") as content:
                    # A few bytes of its own, so that no two are alike.
                    content.write(b"%d/%s/%d" % (number, place.name.encode(), file))
                    content.truncate(shape.size)


if __name__ == "__main__":
    print(table(main([int(word) for word in sys.argv[1:]] or tuple(SHAPES))))
