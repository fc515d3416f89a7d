"""How much of Box's limits one identity uses, whichever of three ways Box counts: the whole program, no answer 429.

Box's 240 uploads and 1,000 calls, in windows of 20 seconds in place of 60. Counted are the uploads of whole windows,
from the first upload on.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.control.limits import COUNTINGS
from tests.benchmarks.results import Row, table
from tests.program import program_for

UPLOADS, CALLS, WINDOW_SECONDS = 240, 1_000, 20.0
LIMITS = {"uploads_per_minute": UPLOADS, "calls_per_minute": CALLS, "window_seconds": WINDOW_SECONDS}
WINDOWS = 3
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"windows": 1}


def main(windows: int = WINDOWS) -> list[Row]:
    """Share of the budget and refused calls for each way of counting."""
    with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name, Sandbox(content="hash") as box:
        return [_run(Path(name) / counting, box, counting, windows) for counting in COUNTINGS]


def _run(folder: Path, box: Sandbox, counting: str, windows: int) -> Row:
    box.reset()
    (folder / "share" / "All").mkdir(parents=True)
    for number in range(UPLOADS * (windows + 1)):
        (folder / "share" / "All" / f"{number:05d}.txt").write_bytes(b"%d" % number)
    program = program_for(folder, box, {"url": (folder / "share").as_uri()})
    program.write_plan(box=program.plan["box"] | {"limits": LIMITS})
    box.limits.update({**LIMITS, "counting": counting})
    box.calls.reset()
    finished = program.run("migrate", timeout=600)
    if finished.code != 0:
        raise RuntimeError(finished.output)
    moments = sorted(entry.at for entry in box.calls.log if entry.route == "POST /files/content")
    counted = sum(moment - moments[0] < windows * WINDOW_SECONDS for moment in moments)
    share = 100 * counted / (UPLOADS * windows)
    return Row(counting, "ours", {"% of the budget": share, "answers 429": box.calls.by_status[429]})


if __name__ == "__main__":
    print(table(main()))
