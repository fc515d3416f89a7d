"""Large files to Box over TLS, our whole program beside rclone, in turn: two of 512 MiB from a signed Samba share, and
four of 512 MiB from this machine.

Box keeps digests instead of content. Its own hashing, the servers and both programs share the machine's cores, so that
CPU seconds and memory hold before time does.

    python -m tests.benchmarks.bench_large_files [ROUNDS [MIB]]
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.box_rclone import REMOTE, Before, box_over_tls, migrate
from tests.benchmarks.measuring import Measured, median
from tests.benchmarks.results import Row, table
from tests.benchmarks.smb_rivals import remote
from tests.servers.samba import Samba

MIB, ROUNDS = 512, 5
FROM_SAMBA, FROM_DISK = 2, 4
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"rounds": 1, "mib": 64}


def main(rounds: int = ROUNDS, mib: int = MIB) -> list[Row]:
    """Time, CPU and memory of both; the ratios are printed."""
    server = Samba()
    try:
        server.start()
        with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name, box_over_tls(Path(name)) as before:
            build(server.root / "Tree", FROM_SAMBA, mib)
            source = {
                "url": server.url,
                "username": server.username,
                "password": server.password,
                "options": {"port": server.port},
            }
            rows = _compare(
                before, f"{FROM_SAMBA} x {mib} MiB from Samba", source, _from_samba(before, server), rounds
            )
            shutil.rmtree(server.root / "Tree")
            local = Path(name) / "share"
            build(local / "Tree", FROM_DISK, mib)
            words = ("copy", str(local), REMOTE, "--transfers", "4")
            what = f"{FROM_DISK} x {mib} MiB from disk"
            return rows + _compare(
                before, what, {"url": local.as_uri()}, lambda: before.rclone(*words), rounds
            )
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)


def build(folder: Path, files: int, mib: int) -> None:
    """Files that no two of which are alike."""
    folder.mkdir(parents=True)
    for number in range(files):
        block = os.urandom(1 << 20)
        with (folder / f"large {number}.bin").open("wb") as file:
            for _ in range(mib):
                file.write(block)


def _from_samba(before: Before, server: Samba) -> Callable[[], Measured]:
    more = remote(server)
    return lambda: before.rclone("copy", f"S:{server.share}", REMOTE, "--transfers", "4", more=more)


def _compare(
    before: Before, what: str, source: dict[str, object], rclone: Callable[[], Measured], rounds: int
) -> list[Row]:
    runs: dict[str, list[Measured]] = {"ours": [], "rclone": []}
    for number in range(rounds):
        before.box.reset()
        runs["ours"].append(migrate(before.ours(before.folder / f"{what}-{number}", source)))
        _require_all(before, "ours")
        before.box.reset()
        runs["rclone"].append(rclone())
        _require_all(before, "rclone")
    wall, cpu, memory = (_ratio(runs, name) for name in ("wall_seconds", "cpu_seconds", "peak_megabytes"))
    print(
        f"{what}: {1 / wall:.2f} times rclone's speed, {cpu:.2f} of its CPU, {memory:.2f} of its memory",
        flush=True,
    )
    return [_row(what, who, measured) for who, measured in runs.items()]


def _require_all(before: Before, who: str) -> None:
    sizes = [file.size for file in before.box.files().values()]
    if len(sizes) not in (FROM_SAMBA, FROM_DISK) or len(set(sizes)) != 1:
        raise RuntimeError(f"{who}: Box has {sizes}")


def _ratio(runs: dict[str, list[Measured]], name: str) -> float:
    ours, theirs = (median([getattr(run, name) for run in runs[who]]) for who in ("ours", "rclone"))
    return ours / theirs


def _row(what: str, who: str, runs: list[Measured]) -> Row:
    return Row(
        what,
        who,
        {
            "s": median([run.wall_seconds for run in runs]),
            "CPU s": median([run.cpu_seconds for run in runs]),
            "MB at most": median([run.peak_megabytes for run in runs]),
        },
    )


if __name__ == "__main__":
    print(table(main(*(int(word) for word in sys.argv[1:3]))))
