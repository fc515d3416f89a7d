"""Walking a Samba share of 21,000 entries: ours, rclone and stock fsspec, in turn, on the same server, with what each
costs that server; and the same requests by a bare client that keeps 32 folders in flight and looks at no answer.
"""

from __future__ import annotations

import shutil
from typing import Any

from tests.benchmarks.results import Row, table
from tests.benchmarks.smb_rivals import BARE, Race, ours, rclone
from tests.servers.samba import Samba

FOLDERS, FILES_PER_FOLDER, ROUNDS = 1_000, 20, 5
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"rounds": 1}

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
BARE_WALK = (
    BARE
    + """
folders = ["", *map(str, range(10)), *(f"{n % 10}/folder {n:04d}" for n in range(1_000))]
query, found = wire.query_directory(link.answer_buffer), 0

def done(answers):
    global found
    found += len(answers[1].data)
    link.release(wire.created_file(answers[0].data)[0])

started, cpu = time.perf_counter(), time.process_time()
rush(((wire.open_folder(folder), [query, query]) for folder in folders), 32, done)
assert found > 1_000_000
print(21_010, time.perf_counter() - started, time.process_time() - cpu)
"""
)
#: A fiftieth of the share: all of it would take minutes.
STOCK_WALK = """
import os, time
from typing import Any
from fsspec.implementations.smb import SMBFileSystem
name, password, port = (os.environ[key] for key in ("NAME", "PW", "PORT"))
share = SMBFileSystem("127.0.0.1", port=int(port), username=name, password=password)
folders = [f"/data/1/folder {number:04d}" for number in range(1, 200, 10)]
share.ls(folders[0])
started, cpu = time.perf_counter(), time.process_time()
entries = sum(len(share.ls(folder, detail=True)) + 1 for folder in folders)
print(entries, time.perf_counter() - started, time.process_time() - cpu)
"""


def main(rounds: int = ROUNDS) -> list[Row]:
    """Entries a second and CPU of each, the server's too; the ratios are printed."""
    server = Samba()
    try:
        server.start()
        for number in range(FOLDERS):
            folder = server.root / f"{number % 10}" / f"folder {number:04d}"
            folder.mkdir(parents=True)
            for file in range(FILES_PER_FOLDER):
                (folder / f"file {file:03d}.txt").touch()
        race = Race(server)
        for _ in range(rounds):
            race.run("ours", lambda: ours(server, WALK))
            race.run("rclone", lambda: rclone(server, "lsf", "-R", "--format", "pst", f"S:{server.share}"))
            race.run("bare client", lambda: ours(server, BARE_WALK))
            race.run("fsspec, a sample", lambda: ours(server, STOCK_WALK))
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)
    mine, stock = race.told("ours"), race.told("fsspec, a sample")
    theirs, bare = race.told("rclone", mine.things), race.told("bare client")
    for who, other in (("rclone", theirs), ("fsspec", stock)):
        wall, cpu = other.wall / other.things / mine.wall, other.cpu / other.things / mine.cpu
        print(f"ratio to {who}: {wall * mine.things:.2f} in time, {cpu * mine.things:.2f} in CPU")
    found = {"ours": mine, "rclone": theirs, "bare client": bare, "fsspec, a sample": stock}
    return [
        Row(
            "walk",
            who,
            {
                "entries/s": told.things / told.wall,
                "CPU us an entry": told.cpu / told.things * 1e6,
                "in the server": told.server / told.things * 1e6,
            },
        )
        for who, told in found.items()
    ]


if __name__ == "__main__":
    print(table(main()))
