"""Reading 5,000 small files from a Samba share: as a migration does, by its senders, each file looked at before and
after and some read together ahead; each in a round trip of its own, by four and by one; and just opened, read and
closed; rclone's copy to memory; stock fsspec; and a bare client that keeps 32 files in flight (opened, read, closed)
and looks at no answer; in turn, on one server, with what each costs that server. rclone's figures are its whole
process's, the server's those of all that was asked of it: listing the folder is among them.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.results import Row, table
from tests.benchmarks.smb_rivals import BARE, Race, ours, rclone
from tests.servers.samba import Samba

FILES, SIZE, ROUNDS = 5_000, 4_096, 5
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"rounds": 1}

READ = """
import os, time
from connectors.sources.registry import open_source
from flows.run.ahead import ReadAhead, Room
from flows.run.senders import Senders
from flows.run.stop import StopSignal
from flows.transfer.sending import Reading
from state.records import ClaimedItem
url, name, password, port = (os.environ[key] for key in ("URL", "NAME", "PW", "PORT"))
source = open_source(url, username=name, password=password, port=int(port))
source.connect()
items = [
    ClaimedItem(
        id=number, tree_id=1, folder_id=1, path=entry.path, box_name=entry.name, size=entry.size,
        fingerprint=entry.fingerprint, modified_ns=entry.modified_ns, created_ns=entry.created_ns,
        box_file_id=None, box_etag=None, attempts=0,
    )
    for number, entry in enumerate(source.list_folder(""))
]
how, stop = os.environ["HOW"], StopSignal()
ahead = ReadAhead(source, Room(), items) if how == "ahead" else None

def read(item):
    file = source.open(item.path) if how == "open" else Reading(source, stop, item, ahead=ahead)()
    with file:
        assert len(file.read()) == item.size

senders = Senders(int(os.environ["THREADS"]))
senders.map(source.stat, [item.path for item in items[:8]])  # connects
started, cpu = time.perf_counter(), time.process_time()
senders.map(read, items)
print(len(items), time.perf_counter() - started, time.process_time() - cpu)
senders.shutdown()
source.close()
"""
BARE_READ = (
    BARE
    + """
found = 0

def done(answers):
    global found
    found += len(answers[1].data)

started, cpu = time.perf_counter(), time.process_time()
files = (wire.open_file(f"file {n:05d}.txt") for n in range(5_000))
rush(((file, [wire.read(0, 8_192), wire.close]) for file in files), 32, done)
assert found >= 5_000 * 4_096
print(5_000, time.perf_counter() - started, time.process_time() - cpu)
"""
)
#: A tenth of the files.
STOCK_READ = """
import os, time
from fsspec.implementations.smb import SMBFileSystem
name, password, port = (os.environ[key] for key in ("NAME", "PW", "PORT"))
share = SMBFileSystem("127.0.0.1", port=int(port), username=name, password=password)
paths = [f"/data/file {number:05d}.txt" for number in range(500)]
started, cpu = time.perf_counter(), time.process_time()
for path in paths:
    with share.open(path, "rb") as file:
        file.read()
print(len(paths), time.perf_counter() - started, time.process_time() - cpu)
"""


WAYS = {
    "ours, as migrate reads": ("ahead", "4"),
    "ours, one look by four": ("whole", "4"),
    "ours, one look": ("whole", "1"),
    "ours, opened": ("open", "1"),
}


def main(rounds: int = ROUNDS) -> list[Row]:
    """Files a second and CPU a file, medians."""
    server = Samba()
    memory = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        server.start()
        for number in range(FILES):
            (server.root / f"file {number:05d}.txt").write_bytes(bytes(SIZE))
        race = Race(server)
        for _ in range(rounds):
            for name, (how, threads) in WAYS.items():
                race.run(name, partial(ours, server, READ, HOW=how, THREADS=threads))
            race.run(
                "rclone, copy", lambda: rclone(server, "copy", f"S:{server.share}", str(memory / "copy"))
            )
            race.run("bare client, opened", lambda: ours(server, BARE_READ))
            race.run("fsspec", lambda: ours(server, STOCK_READ))
            shutil.rmtree(memory / "copy")
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)
        shutil.rmtree(memory, ignore_errors=True)
    theirs = race.told("rclone, copy", FILES)
    found = {name: race.told(name) for name in (*WAYS, "bare client, opened", "fsspec")} | {
        "rclone, copy": theirs
    }
    return [
        Row(
            name.partition(", ")[2] or "opened",
            name.partition(", ")[0],
            {
                "files/s": told.things / told.wall,
                "CPU us a file": told.cpu / told.things * 1e6,
                "in the server": told.server / told.things * 1e6,
                "times rclone's speed": theirs.wall / FILES * told.things / told.wall,
            },
        )
        for name, told in found.items()
    ]


if __name__ == "__main__":
    print(table(main()))
