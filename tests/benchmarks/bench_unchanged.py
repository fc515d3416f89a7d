"""A pass with nothing to do over 200,000 files in 2,000 folders of this machine: the whole run, beside `rclone copy`.

Both know one Box over TLS that holds the very share, as our first pass left it. The pass after the first compares once
more, and remembers folder by folder that nothing was to do; those after it are what is measured.

    python -m tests.benchmarks.bench_unchanged [FOLDERS [ROUNDS]]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.box_rclone import REMOTE, box_over_tls, migrate
from tests.benchmarks.measuring import Measured, median
from tests.benchmarks.results import Row, table

FOLDERS, FILES_PER_FOLDER, ROUNDS = 2_000, 100, 5
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"folders": 50, "rounds": 1}
WORDS = ("--transfers", "16", "--checkers", "16")


def main(folders: int = FOLDERS, rounds: int = ROUNDS) -> list[Row]:
    """Time, CPU and calls of both; the ratios are printed."""
    with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name, box_over_tls(Path(name)) as before:
        share, files = Path(name, "share"), folders * FILES_PER_FOLDER
        build(share, folders)
        program = before.ours(before.folder / "run", share)
        migrate(program)
        assert len(before.box.files()) == files
        second = migrate(program)
        runs: dict[str, list[Measured]] = {"ours": [], "rclone": []}
        calls = {}
        for _ in range(rounds):
            before.box.calls.reset()
            runs["ours"].append(migrate(program))
            calls["ours"] = before.box.calls.total
            runs["rclone"].append(before.rclone("copy", str(share), REMOTE, *WORDS))
            calls["rclone"] = before.box.calls.total
        assert len(before.box.files()) == files
    wall, cpu = (_ratio(runs, name) for name in ("wall_seconds", "cpu_seconds"))
    print(f"rclone takes {wall:.2f} times the time and {cpu:.2f} times the CPU")
    what = f"{files:,} unchanged"
    return [
        _row(f"{what}, compared once more", "ours", [second], None),
        *(_row(what, who, measured, calls[who]) for who, measured in runs.items()),
    ]


def build(share: Path, folders: int) -> None:
    """The share; no two files are alike."""
    for number in range(folders):
        folder = share / "Tree" / f"{number // 50:03d}" / f"{number:05d}"
        folder.mkdir(parents=True)
        for file in range(FILES_PER_FOLDER):
            (folder / f"{file:03d}.bin").write_bytes(b"%d/%d" % (number, file))


def _ratio(runs: dict[str, list[Measured]], name: str) -> float:
    ours, theirs = (median([getattr(run, name) for run in runs[who]]) for who in ("ours", "rclone"))
    return theirs / ours


def _row(what: str, who: str, runs: list[Measured], calls: int | None) -> Row:
    figures = {
        "s": median([run.wall_seconds for run in runs]),
        "CPU s": median([run.cpu_seconds for run in runs]),
        "MB at most": median([run.peak_megabytes for run in runs]),
    }
    return Row(what, who, figures if calls is None else figures | {"Box calls": calls})


if __name__ == "__main__":
    print(table(main(*(int(word) for word in sys.argv[1:3]))))
