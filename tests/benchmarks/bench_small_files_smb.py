"""Reading 5,000 small files from a Samba share on one connection: opened, read and closed; and looked at before and
after as a migration does; against rclone's copy to memory and stock fsspec, in turn, on the same server."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.benchmarks.smb_rivals import medians, ours, process_medians, rclone
from tests.servers.samba import Samba

FILES, SIZE, ROUNDS = 5_000, 4_096, 5

READ = """
import os, time
from connectors.sources.registry import open_source
url, name, password, port = (os.environ[key] for key in ("URL", "NAME", "PW", "PORT"))
source = open_source(url, username=name, password=password, port=int(port))
source.connect()
entries = source.list_folder("")
started, cpu = time.perf_counter(), time.process_time()
for entry in entries:
    if os.environ["HOW"] == "whole":
        assert len(source.read_whole(entry.path, entry.size).content) == entry.size
    else:
        with source.open(entry.path) as file:
            assert len(file.read()) == entry.size
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


def main() -> None:
    """Print files a second and CPU a file, medians."""
    server = Samba()
    memory = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        server.start()
        for number in range(FILES):
            (server.root / f"file {number:05d}.txt").write_bytes(bytes(SIZE))
        opened, whole, theirs, stock = [], [], [], []
        for number in range(ROUNDS):
            opened.append(ours(server, READ, HOW="open"))
            theirs.append(rclone(server, "copy", f"S:{server.share}", str(memory / f"{number}")))
            whole.append(ours(server, READ, HOW="whole"))
            stock.append(ours(server, STOCK_READ))
            shutil.rmtree(memory / f"{number}")
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)
        shutil.rmtree(memory, ignore_errors=True)
    rclone_wall, rclone_cpu = process_medians(theirs)
    print(
        f"rclone copy:     {FILES / rclone_wall:8,.0f} files/s, {rclone_cpu / FILES * 1e6:6.0f} us CPU a file"
    )
    for name, runs in (("ours, opened:", opened), ("ours, one look:", whole), ("fsspec:", stock)):
        files, wall, cpu = medians(runs)
        print(
            f"{name:16} {files / wall:8,.0f} files/s, {cpu / files * 1e6:6.0f} us CPU a file,"
            f" {rclone_wall / FILES * files / wall:.2f} x rclone in time"
        )


if __name__ == "__main__":
    main()
