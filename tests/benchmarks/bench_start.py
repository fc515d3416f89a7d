"""How long a command takes that has nothing to do: whole processes, beside Python's own start and rclone's.

A share of three files that is all in Box: `status`, and `migrate` without a Prefect server. Medians of an odd number of
runs, taken in turns, so that what else the machine does falls on all of them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from connectors.box.sandbox import Sandbox
from tests.benchmarks.measuring import Measured, measure, median
from tests.benchmarks.results import Row, table
from tests.program import program_for
from tests.trees import build_tree

RUNS = 5
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"runs": 1}


def main(runs: int = RUNS) -> list[Row]:
    """Wall and CPU seconds of each command, and how they compare with Python's start."""
    with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name, Sandbox(content="hash") as box:
        folder = Path(name)
        (folder / "share").mkdir()
        build_tree(folder / "share", {"A": {"1.txt": b"1", "2.txt": b"2"}, "B": {"3.txt": b"3"}})
        program = program_for(folder / "run", box, {"url": (folder / "share").as_uri()})
        boxhaul = [sys.executable, "-m", "flows.cli"]
        rclone = shutil.which("rclone") or str(Path(sys.executable).parent / "rclone")
        commands = {
            "rclone version": [rclone, "version"],
            "python -c pass": [sys.executable, "-c", "pass"],
            "boxhaul --help": [*boxhaul, "--help"],
            "boxhaul status": [*boxhaul, "status", str(program.plan_path)],
            "boxhaul migrate": [*boxhaul, "migrate", str(program.plan_path)],
        }
        environment = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_API_URL": ""}
        # The first one sends, and makes the checkpoint.
        measure(commands["boxhaul migrate"], environment=environment)
        taken: dict[str, list[Measured]] = {words: [] for words in commands}
        for _ in range(runs):
            for words, command in commands.items():
                taken[words].append(measure(command, environment=environment))
    return _rows(taken)


def _rows(taken: dict[str, list[Measured]]) -> list[Row]:
    rows = []
    python = median([each.cpu_seconds for each in taken["python -c pass"]])
    for words, runs in taken.items():
        wall, cpu = (median([getattr(run, name) for run in runs]) for name in ("wall_seconds", "cpu_seconds"))
        who, _, what = words.partition(" ")
        figures = {"s": wall, "CPU s": cpu, "times Python's start": cpu / python}
        rows.append(Row(what, "ours" if who == "boxhaul" else who, figures))
    return rows


if __name__ == "__main__":
    print(table(main()))
