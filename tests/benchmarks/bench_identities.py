"""Uploads in the same time by one identity and by eight, each kept to Box's limits; both runs of the whole program.

Box's 240 uploads and 1,000 calls a minute per user, scaled to seconds. Only the ratio says something.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from connectors.box.sandbox import Sandbox
from flows.plan.file import load_plan
from flows.sharing.uploaders import create_uploaders
from tests.benchmarks.results import Row, table
from tests.program import Program, program_for

IDENTITIES = 8
UPLOADS, CALLS, WINDOW_SECONDS = 24, 100, 6.0
LIMITS = {"uploads_per_minute": UPLOADS, "calls_per_minute": CALLS, "window_seconds": WINDOW_SECONDS}

#: Whole windows that are counted, from the first upload on: a rest of one is no rate.
WINDOWS = 5
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"windows": 2}


def main(windows: int = WINDOWS) -> list[Row]:
    """Uploads in the counted windows; answers 429 and owners of both, and the ratio, are printed."""
    with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name, Sandbox(content="hash") as box:
        alone = _run(Path(name) / "one", box, 1, windows)
        together = _run(Path(name) / "eight", box, IDENTITIES, windows)
    print(f"ratio: {together / alone:.2f} times the uploads with {IDENTITIES} identities")
    counts = {"1 identity": alone, f"{IDENTITIES} identities": together}
    return [Row(what, "ours", {f"uploads in {windows} windows": count}) for what, count in counts.items()]


def _run(folder: Path, box: Sandbox, identities: int, windows: int) -> int:
    box.reset()
    files = UPLOADS * (windows + 1) * identities
    _build(folder / "share", files)
    program = program_for(folder, box, {"url": (folder / "share").as_uri()}, trees=[{"source": "All"}])
    _use(program, identities)
    box.limits.update(LIMITS)
    box.calls.reset()
    finished = program.run("migrate", timeout=600)
    if finished.code != 0:
        raise RuntimeError(finished.output)
    moments = sorted(entry.at for entry in box.calls.log if entry.route == "POST /files/content")
    counted = sum(moment - moments[0] < windows * WINDOW_SECONDS for moment in moments)
    owners = ", ".join(sorted({file.owner.split("@")[0] for file in box.files().values()}))
    print(
        f"{identities}: {counted} uploads in {windows} windows, {box.calls.by_status[429]} answers 429, "
        f"{len(box.files())} files, all of {owners}, {len(box.collaborations())} editors left"
    )
    return counted


def _build(share: Path, files: int) -> None:
    (share / "All").mkdir(parents=True)
    for number in range(files):
        (share / "All" / f"{number:05d}.txt").write_bytes(b"%d" % number)


def _use(program: Program, identities: int) -> None:
    made = create_uploaders(load_plan(program.plan_path), identities)["created"]
    ids = [each["id"] for each in made]
    program.write_plan(box=program.plan["box"] | {"limits": LIMITS, "identities": ids})


if __name__ == "__main__":
    print(table(main()))
