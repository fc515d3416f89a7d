"""Reading a signed 1 GiB file from a Samba share into the memory of parts: ours against rclone and stock fsspec."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.benchmarks.results import Row, table
from tests.benchmarks.smb_rivals import medians, ours, process_medians, rclone
from tests.servers.samba import Samba

SIZE, ROUNDS = 1 << 30, 5
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"rounds": 1}
COPY = Path("/dev/shm/boxhaul-large")

READ = """
import os, time
from connectors.sources.registry import open_source
url, name, password, port = (os.environ[key] for key in ("URL", "NAME", "PW", "PORT"))
source = open_source(url, username=name, password=password, port=int(port))
source.connect()
started, cpu, total = time.perf_counter(), time.process_time(), 0
with source.open("large.bin") as file:
    while count := file.readinto(bytearray(8 << 20)):
        total += count
print(total, time.perf_counter() - started, time.process_time() - cpu)
"""
STOCK_READ = """
import os, time
from fsspec.implementations.smb import SMBFileSystem
name, password, port = (os.environ[key] for key in ("NAME", "PW", "PORT"))
share = SMBFileSystem("127.0.0.1", port=int(port), username=name, password=password)
share.ls("/data")
started, cpu, total = time.perf_counter(), time.process_time(), 0
with share.open("/data/large.bin", "rb") as file:
    while piece := file.read(1 << 20):
        total += len(piece)
print(total, time.perf_counter() - started, time.process_time() - cpu)
"""


def main(rounds: int = ROUNDS) -> list[Row]:
    """MB a second and CPU seconds a GB, medians."""
    server = Samba()
    try:
        server.start()
        with (server.root / "large.bin").open("wb") as file:
            for _ in range(SIZE >> 20):
                file.write(bytes(range(256)) * 4096)
        mine, theirs, stock = [], [], []
        for _ in range(rounds):
            mine.append(ours(server, READ))
            COPY.unlink(missing_ok=True)  # it would be left as it is
            theirs.append(rclone(server, "copyto", f"S:{server.share}/large.bin", str(COPY)))
            stock.append(ours(server, STOCK_READ))
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)
        COPY.unlink(missing_ok=True)
    rclone_wall, rclone_cpu = process_medians(theirs)
    found = {"ours": medians(mine), "rclone": (SIZE, rclone_wall, rclone_cpu), "fsspec": medians(stock)}
    return [
        Row(
            "1 GiB, signed",
            who,
            {
                "MB/s": size / wall / 1e6,
                "CPU s a GB": cpu / size * 1e9,
                "times rclone's speed": rclone_wall / wall,
            },
        )
        for who, (size, wall, cpu) in found.items()
    ]


if __name__ == "__main__":
    print(table(main()))
