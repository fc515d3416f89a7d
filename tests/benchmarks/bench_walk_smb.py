"""Walking a Samba share of 20,000 entries: our source against rclone's, in turn, on the same server."""

from __future__ import annotations

import shutil
import sys

from tests.benchmarks.measuring import Measured, measure, median
from tests.servers.samba import Samba

FOLDERS, FILES_PER_FOLDER, ROUNDS = 1_000, 20, 5

WALK = """
import os, time
from connectors.sources.registry import open_source
url, name, password, port = (os.environ[key] for key in ("URL", "NAME", "PW", "PORT"))
source = open_source(url, username=name, password=password, port=int(port))
source.connect()
started, cpu = time.perf_counter(), time.process_time()
waiting, entries = [""], 0
while waiting:
    found = []
    for path, listing in source.list_folders(waiting):
        entries += len(listing)
        found += [entry.path for entry in listing if entry.kind == "folder"]
    waiting = found
print(entries, time.perf_counter() - started, time.process_time() - cpu)
"""


def main() -> None:
    """Print entries a second and CPU of both."""
    server = Samba()
    try:
        server.start()
        for number in range(FOLDERS):
            folder = server.root / f"{number % 10}" / f"folder {number:04d}"
            folder.mkdir(parents=True)
            for file in range(FILES_PER_FOLDER):
                (folder / f"file {file:03d}.txt").touch()
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(_ours(server))
            theirs.append(_rclone(server))
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)
    entries = int(ours[0].output.split()[0])
    walls, cpus = zip(*[map(float, run.output.split()[1:]) for run in ours], strict=True)
    print(
        f"ours:   {entries / median(walls):8,.0f} entries/s, {median(cpus) / entries * 1e6:6.1f} us CPU an entry"
    )
    rclone_wall, rclone_cpu = (
        median([run.wall_seconds for run in theirs]),
        median([run.cpu_seconds for run in theirs]),
    )
    print(
        f"rclone: {entries / rclone_wall:8,.0f} entries/s, {rclone_cpu / entries * 1e6:6.1f} us CPU an entry"
    )
    print(
        f"ratio:  {rclone_wall / median(walls):.2f} in time, {rclone_cpu / median(cpus):.2f} in CPU;"
        " above 1 ours is better"
    )


def _ours(server: Samba) -> Measured:
    environment = {
        "URL": server.url,
        "NAME": server.username,
        "PW": server.password,
        "PORT": str(server.port),
    }
    return measure([sys.executable, "-c", WALK], environment=environment)


def _rclone(server: Samba) -> Measured:
    rclone = shutil.which("rclone") or f"{sys.prefix}/bin/rclone"
    obscured = measure([rclone, "obscure", server.password]).output.strip()
    environment = {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_S_TYPE": "smb",
        "RCLONE_CONFIG_S_HOST": "127.0.0.1",
        "RCLONE_CONFIG_S_PORT": str(server.port),
        "RCLONE_CONFIG_S_USER": server.username,
        "RCLONE_CONFIG_S_PASS": obscured,
    }
    return measure([rclone, "lsf", "-R", "--format", "pst", f"S:{server.share}"], environment=environment)


if __name__ == "__main__":
    main()
