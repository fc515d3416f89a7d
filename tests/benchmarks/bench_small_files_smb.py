"""Reading 5,000 small files from a Samba share: opened, read and closed; and looked at before and after as a migration
does; one by one and by four threads, as rclone's copy to memory has them; and stock fsspec; in turn, on one server."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.benchmarks.measuring import Measured
from tests.benchmarks.results import Row, table
from tests.benchmarks.smb_rivals import medians, ours, process_medians, rclone
from tests.servers.samba import Samba

FILES, SIZE, ROUNDS = 5_000, 4_096, 5

READ = """
import os, time
from concurrent.futures import ThreadPoolExecutor
from connectors.sources.registry import open_source
url, name, password, port = (os.environ[key] for key in ("URL", "NAME", "PW", "PORT"))
source = open_source(url, username=name, password=password, port=int(port))
source.connect()
entries = source.list_folder("")

def read(entry):
    if os.environ["HOW"] == "whole":
        assert len(source.read_whole(entry.path, entry.size).content) == entry.size
    else:
        with source.open(entry.path) as file:
            assert len(file.read()) == entry.size

with ThreadPoolExecutor(int(os.environ["THREADS"])) as threads:
    list(threads.map(source.stat, [entry.path for entry in entries[:8]]))  # connects
    started, cpu = time.perf_counter(), time.process_time()
    list(threads.map(read, entries))
print(len(entries), time.perf_counter() - started, time.process_time() - cpu)
"""
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
    "ours, opened": ("open", "1"),
    "ours, one look": ("whole", "1"),
    "ours, opened by four": ("open", "4"),
    "ours, one look by four": ("whole", "4"),
}


def main() -> list[Row]:
    """Files a second and CPU a file, medians."""
    server = Samba()
    memory = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        server.start()
        for number in range(FILES):
            (server.root / f"file {number:05d}.txt").write_bytes(bytes(SIZE))
        runs: dict[str, list[Measured]] = {name: [] for name in (*WAYS, "fsspec")}
        theirs = []
        for number in range(ROUNDS):
            for name, (how, threads) in WAYS.items():
                runs[name].append(ours(server, READ, HOW=how, THREADS=threads))
            theirs.append(rclone(server, "copy", f"S:{server.share}", str(memory / f"{number}")))
            runs["fsspec"].append(ours(server, STOCK_READ))
            shutil.rmtree(memory / f"{number}")
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)
        shutil.rmtree(memory, ignore_errors=True)
    rclone_wall, rclone_cpu = process_medians(theirs)
    found = {name: medians(measured) for name, measured in runs.items()}
    found["rclone, copy"] = FILES, rclone_wall, rclone_cpu
    return [
        Row(
            name.partition(", ")[2] or "opened",
            name.partition(", ")[0],
            {
                "files/s": files / wall,
                "CPU us a file": cpu / files * 1e6,
                "times rclone's speed": rclone_wall / FILES * files / wall,
            },
        )
        for name, (files, wall, cpu) in found.items()
    ]


if __name__ == "__main__":
    print(table(main()))
