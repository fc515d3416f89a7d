"""Walking a Samba share of 21,000 entries: ours against rclone and stock fsspec, in turn, on the same server."""

from __future__ import annotations

import shutil

from tests.benchmarks.results import Row, table
from tests.benchmarks.smb_rivals import medians, ours, process_medians, rclone
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
#: A fiftieth of the share: all of it would take minutes.
STOCK_WALK = """
import os, time
from fsspec.implementations.smb import SMBFileSystem
name, password, port = (os.environ[key] for key in ("NAME", "PW", "PORT"))
share = SMBFileSystem("127.0.0.1", port=int(port), username=name, password=password)
folders = [f"/data/1/folder {number:04d}" for number in range(1, 200, 10)]
share.ls(folders[0])
started, cpu = time.perf_counter(), time.process_time()
entries = sum(len(share.ls(folder, detail=True)) + 1 for folder in folders)
print(entries, time.perf_counter() - started, time.process_time() - cpu)
"""


def main() -> list[Row]:
    """Entries a second and CPU of each; the ratios are printed."""
    server = Samba()
    try:
        server.start()
        for number in range(FOLDERS):
            folder = server.root / f"{number % 10}" / f"folder {number:04d}"
            folder.mkdir(parents=True)
            for file in range(FILES_PER_FOLDER):
                (folder / f"file {file:03d}.txt").touch()
        mine, theirs, stock = [], [], []
        for _ in range(ROUNDS):
            mine.append(ours(server, WALK))
            theirs.append(rclone(server, "lsf", "-R", "--format", "pst", f"S:{server.share}"))
            stock.append(ours(server, STOCK_WALK))
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)
    entries, wall, cpu = medians(mine)
    rclone_wall, rclone_cpu = process_medians(theirs)
    stock_entries, stock_wall, stock_cpu = medians(stock)
    per_entry = stock_cpu / stock_entries * 1e6
    print(
        f"ratio to rclone: {rclone_wall / wall:.2f} in time, {rclone_cpu / cpu:.2f} in CPU; above 1 ours is better"
    )
    ratio = (stock_wall / stock_entries) / (wall / entries)
    print(f"ratio to fsspec: {ratio:.0f} in time, {per_entry / (cpu / entries * 1e6):.0f} in CPU")
    found = {
        "ours": (entries, wall, cpu),
        "rclone": (entries, rclone_wall, rclone_cpu),
        "fsspec, a sample": (stock_entries, stock_wall, stock_cpu),
    }
    return [
        Row("walk", who, {"entries/s": count / took, "CPU us an entry": worked / count * 1e6})
        for who, (count, took, worked) in found.items()
    ]


if __name__ == "__main__":
    print(table(main()))
