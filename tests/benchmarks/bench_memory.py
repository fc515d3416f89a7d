"""Peak memory of a run over 50,000 and over 200,000 entries: it must not grow with the share (P9).

The entries are excluded by a rule, so that walking, comparing and recording are measured without weeks of sending; what
is sent is held in batches of a fixed size.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from connectors.box.sandbox import Sandbox
from tests.benchmarks.measuring import Measured, measure
from tests.benchmarks.results import Row, table
from tests.program import program_for

SMALL, LARGE, FILES_PER_FOLDER = 50_000, 200_000, 500
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"few": 5_000, "many": 20_000}


def main(few: int = SMALL, many: int = LARGE) -> list[Row]:
    """Both peaks; their ratio is printed."""
    with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name, Sandbox(content="hash") as box:
        small, large = (_run(Path(name) / str(count), box, count) for count in (few, many))
    print(
        f"ratio: {large.peak_megabytes / small.peak_megabytes:.2f} in memory for {many // few} times the share"
    )
    return [
        Row(f"{count:,} entries", "ours", {"MB at most": run.peak_megabytes, "CPU s": run.cpu_seconds})
        for count, run in ((few, small), (many, large))
    ]


def _run(folder: Path, box: Sandbox, count: int) -> Measured:
    for number in range(count // FILES_PER_FOLDER):
        branch = folder / "share" / "Tree" / f"{number:04d}"
        branch.mkdir(parents=True)
        for file in range(FILES_PER_FOLDER):
            (branch / f"{file:03d}.bin").touch()
    box.reset()
    program = program_for(folder / "run", box, {"url": (folder / "share").as_uri()}, exclude=["*.bin"])
    return measure([sys.executable, "-m", "flows.cli", "migrate", str(program.plan_path)])


if __name__ == "__main__":
    print(table(main()))
