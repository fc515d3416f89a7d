"""The checkpoint over a share of 1 million and of 10 million entries: memory must stay flat, and time linear.

The made-up share of `checkpoint`, first the small one, then the large one, each through every stage on SQLite: about
half an hour, and 4 GB of disk for the database. Read CPU and not time by the clock where a machine is shared.

    python -m tests.benchmarks.bench_scale [ENTRIES ENTRIES [sqlite|postgresql]]
"""

from __future__ import annotations

import sys
from typing import Any

from tests.benchmarks import bench_checkpoint
from tests.benchmarks.results import Row, table

SMALL, LARGE = 1_000_000, 10_000_000
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"small": 5_000, "large": 50_000}


def main(small: int = SMALL, large: int = LARGE, database: str = "sqlite") -> list[Row]:
    """The rows of both; ratios of memory and of CPU an entry are printed for each step."""
    rows = {count: bench_checkpoint.main(count, [database]) for count in (small, large)}
    for few, many in zip(rows[small], rows[large], strict=True):
        ratios = {name: many.figures[name] / value for name, value in few.figures.items() if value}
        told = ", ".join(f"{ratio:.2f} in {name}" for name, ratio in ratios.items())
        print(f"ratio: {few.what}: {told}", flush=True)
    return [
        Row(f"{row.what}: {count:,} entries", row.who, row.figures)
        for count, found in rows.items()
        for row in found
    ]


if __name__ == "__main__":
    counts = [int(word) for word in sys.argv[1:3]] or [SMALL, LARGE]
    print(table(main(*counts, *sys.argv[3:4])))
