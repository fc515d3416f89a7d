"""Reading 3,000 small files from a Samba share in order on one connection: wall time and CPU of the client a file."""

from __future__ import annotations

import shutil
import sys

from tests.benchmarks.measuring import Measured, measure, median
from tests.servers.samba import Samba

FILES, SIZE, ROUNDS = 3_000, 4_096, 7

READ = """
import os, time
from connectors.sources.registry import open_source
url, name, password, port = (os.environ[key] for key in ("URL", "NAME", "PW", "PORT"))
source = open_source(url, username=name, password=password, port=int(port))
source.connect()
paths = [entry.path for entry in source.list_folder("")]
started, cpu = time.perf_counter(), time.process_time()
for path in paths:
    with source.open(path) as file:
        file.read()
print(len(paths), time.perf_counter() - started, time.process_time() - cpu)
"""


def main() -> None:
    """Print files a second and CPU a file, medians, with the least CPU."""
    server = Samba()
    try:
        server.start()
        for number in range(FILES):
            (server.root / f"file {number:05d}.txt").write_bytes(bytes(SIZE))
        runs = [_read(server).output.split() for _ in range(ROUNDS)]
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)
    walls = [float(wall) for _, wall, _ in runs]
    cpus = [float(cpu) for _, _, cpu in runs]
    print(
        f"{FILES / median(walls):8,.0f} files/s, {median(cpus) / FILES * 1e6:6.0f} us CPU a file"
        f" (least {min(cpus) / FILES * 1e6:.0f})"
    )


def _read(server: Samba) -> Measured:
    environment = {
        "URL": server.url,
        "NAME": server.username,
        "PW": server.password,
        "PORT": str(server.port),
    }
    return measure([sys.executable, "-c", READ], environment=environment)


if __name__ == "__main__":
    main()
