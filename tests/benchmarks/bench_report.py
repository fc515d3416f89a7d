"""What the report of a large checkpoint costs: CPU an entry, peak memory, size of the page; with a limit for each.

The stages of `checkpoint` make the checkpoint. What is measured is the page, until it is there, and `boxhaul report` to
its end, as `--plain` and with workbook, over one number of entries and over five times as many. Memory grows up to the
32 MB that SQLite keeps of a database, and then no more (P9); CPU grows with the lines of CSV, JSON and workbook.

    python -m tests.benchmarks.bench_report [ENTRIES]
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from flows.plan.file import load_plan
from flows.reporting.report import write_report
from tests.benchmarks.measuring import Measured, measure
from tests.benchmarks.results import Row, table

#: Entries of the larger checkpoint, and how much smaller the other one is.
ENTRIES, TIMES = 100_000, 5
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"entries": 20_000}

#: Bytes of the page; CPU seconds for 1,000 more entries, and MB at the most: of the page with its pictures, which comes
#: first, of a plain report, and of a whole one.
PAGE_BYTES = 2_000_000
SECONDS = {"page": 0.02, "plain": 0.06, "whole": 0.3}
MEGABYTES = {"page": 260, "plain": 180, "whole": 300}

PLAN = """\
name: bench
source: {url: "file:///s"}
box: {auth: {method: ccg, client_id: a, client_secret: b, enterprise_id: "1"}, landing_folder_id: "0"}
"""


def main(entries: int = ENTRIES) -> list[Row]:
    """Each kind of report at both sizes; RuntimeError where one is over a limit."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name:
        folders = [_checkpoint(Path(name), count) for count in (entries // TIMES, entries)]
        for kind in SECONDS:
            small, large = (_report(folder, kind) for folder in folders)
            seconds = 1000 * (large.cpu_seconds - small.cpu_seconds) / (entries - entries // TIMES)
            page = (folders[1] / "out/report.html").stat().st_size
            figures = {
                "CPU s": large.cpu_seconds,
                "CPU us an entry": 1000 * seconds,
                "MB": large.peak_megabytes,
                "times the MB of a fifth": large.peak_megabytes / small.peak_megabytes,
                "kB of the page": page / 1000,
            }
            rows.append(Row(f"{kind}: {entries:,} entries", "ours", figures))
            if page > PAGE_BYTES or large.peak_megabytes > MEGABYTES[kind] or seconds > SECONDS[kind]:
                raise RuntimeError(
                    f"over a limit: {PAGE_BYTES:,} bytes, {MEGABYTES[kind]} MB, {SECONDS[kind]} s"
                )
    return rows


def _checkpoint(folder: Path, entries: int) -> Path:
    place = folder / str(entries)
    place.mkdir()
    url = f"sqlite:///{place}/state.db"
    for stage in ("first", "send"):
        measure(
            [sys.executable, "-m", "tests.benchmarks.bench_checkpoint", "--stage", stage, str(entries), url]
        )
    (place / "plan.yaml").write_text(f"{PLAN}state_url: {url}\n")
    return place


def _report(folder: Path, kind: str) -> Measured:
    plan, out = str(folder / "plan.yaml"), str(folder / "out")
    if kind == "page":
        return measure([sys.executable, "-m", "tests.benchmarks.bench_report", "--page", plan, out])
    command = ["report", plan, "--out", out, *(["--plain"] if kind == "plain" else [])]
    return measure([sys.executable, "-m", "flows.cli", *command])


def write_page(plan: Path, out: Path) -> None:
    """Write the page with its pictures as the command does, and no list."""
    with suppress(_Written):
        write_report(load_plan(plan), out, show=_stop)


class _Written(Exception):
    """The page is there."""


def _stop(_: object) -> None:
    raise _Written


if __name__ == "__main__":
    if sys.argv[1:2] == ["--page"]:
        write_page(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        print(table(main(int((sys.argv[1:2] or [ENTRIES])[0]))))
