"""A later pass, beside `rclone sync --track-renames`: 1 % changed, 1 % moved and one large folder, 0.5 % deleted.

    python -m tests.benchmarks.bench_second_pass [FILES]

Two Boxes are filled with the same share by us; then the share changes, and each program brings its Box up to date. Our
plan trashes what is gone, as `sync` does. Calls and bytes are exact; both end with the very share, or the run fails.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

from connectors.box.sandbox import Sandbox
from tests.benchmarks.box_rclone import REMOTE, Before, box_over_tls, migrate
from tests.benchmarks.measuring import Measured
from tests.benchmarks.results import Row, table

FILES, PER_FOLDER, SIZE = 20_000, 100, 1_000
#: One folder holds this share of all files, and is renamed.
LARGE_FOLDER = 0.05
CHANGED, MOVED, DELETED = 0.01, 0.01, 0.005
PLAN = {"changes": {"deletions": "trash", "max_delete": "5%"}}


def main(files: int = FILES) -> list[Row]:
    """Calls, bytes, seconds and CPU of both; which calls they were is printed."""
    with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name:
        share = Path(name, "share")
        _build(share, files)
        (Path(name) / "a").mkdir()
        (Path(name) / "b").mkdir()
        with box_over_tls(Path(name, "a")) as ours, box_over_tls(Path(name, "b")) as theirs:
            program = ours.ours(ours.folder / "run", share, **PLAN)
            migrate(program)
            migrate(theirs.ours(theirs.folder / "run", share))
            changed, moved, gone = _change(share, files)
            print(
                f"{files:,} files; {changed:,} changed, {moved:,} moved, "
                f"a folder of {int(files * LARGE_FOLDER):,} renamed, {gone:,} deleted"
            )
            ours.box.calls.reset()
            mine = _row("ours", migrate(program), ours, share)
            words = ("sync", str(share), REMOTE, "--track-renames", "--transfers", "16", "--checkers", "16")
            return [mine, _row("rclone", theirs.rclone(*words), theirs, share)]


def _build(share: Path, files: int) -> None:
    rng = random.Random(14)
    large = int(files * LARGE_FOLDER)
    for number in range(files):
        folder = share / "Tree" / ("large" if number < large else f"{number // PER_FOLDER:05d}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:06d}.bin").write_bytes(rng.randbytes(SIZE))


def _change(share: Path, files: int) -> tuple[int, int, int]:
    """Another day; how many files changed, moved by themselves, and went."""
    rng, tree = random.Random(15), share / "Tree"
    chosen = rng.sample(range(int(files * LARGE_FOLDER), files), int(files * (CHANGED + MOVED + DELETED)))
    changed, rest = chosen[: int(files * CHANGED)], chosen[int(files * CHANGED) :]
    moved, gone = rest[: int(files * MOVED)], rest[int(files * MOVED) :]
    for number in changed:
        _file(tree, number).write_bytes(rng.randbytes(SIZE + 1))
    for number in moved:
        target = tree / f"{rng.randrange(files // 20, files) // PER_FOLDER:05d}"
        _file(tree, number).rename(target / f"moved {number:06d}.bin")
    for number in gone:
        _file(tree, number).unlink()
    (tree / "large").rename(tree / "large, renamed")
    return len(changed), len(moved), len(gone)


def _file(tree: Path, number: int) -> Path:
    return tree / f"{number // PER_FOLDER:05d}" / f"{number:06d}.bin"


def _row(name: str, run: Measured, before: Before, share: Path) -> Row:
    calls = before.box.calls
    most = ", ".join(f"{count:,} {route}" for route, count in calls.by_route.most_common(6))
    print(f"{name}: {most}")
    _require_equal(before.box, share, name)
    figures = {"calls": calls.total, "MB sent": calls.bytes_received / 1e6, "s": run.wall_seconds}
    return Row("a later pass", name, figures | {"CPU s": run.cpu_seconds, "MB at most": run.peak_megabytes})


def _require_equal(box: Sandbox, share: Path, name: str) -> None:
    """RuntimeError unless Box has the very files of the share, with their sizes."""
    there = {path: file.size for path, file in box.files().items()}
    wanted = {
        Path(folder, file).relative_to(share).as_posix(): Path(folder, file).stat().st_size
        for folder, _, files in os.walk(share)
        for file in files
    }
    if there != wanted:
        different = sorted(set(there.items()) ^ set(wanted.items()))
        raise RuntimeError(f"{name}: {len(different)} files differ, among them {different[:5]}")


if __name__ == "__main__":
    print(table(main(*(int(word) for word in sys.argv[1:2]))))
