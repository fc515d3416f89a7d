"""A folder of 100,000 entries on Samba: walked, compared and kept in memory that does not grow with the share (P9)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.forking import ROOT
from tests.program import Program, program_for
from tests.servers.fixtures import empty
from tests.servers.samba import Samba

ENTRIES = 100_000

#: Resident bytes of the whole process at its largest: interpreter and libraries take about 150 MB of it.
MOST_BYTES = 600_000_000


@pytest.fixture
def share(samba: Samba) -> Iterator[Path]:
    """One folder with that many empty files."""
    root = empty(samba.root)
    (root / "flat").mkdir()
    handle = os.open(root / "flat", os.O_RDONLY)
    for number in range(ENTRIES):
        os.mknod(f"{number:06}.{'txt' if number % 1000 == 0 else 'tmp'}", dir_fd=handle)
    os.close(handle)
    yield root
    empty(samba.root)


#: The program, which tells its peak in kB at its end. Not ru_maxrss: that of whoever started it counts in it.
TELLING = """
import atexit, sys
from pathlib import Path
from flows.cli import main

def tell(file: str) -> None:
    Path(file).write_text(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

atexit.register(tell, sys.argv.pop())
main()
"""


def peak_bytes(program: Program) -> int:
    """Run `migrate` to its end; the process's largest resident size."""
    peak = program.folder / "peak"
    finished = subprocess.run(
        [sys.executable, "-c", TELLING, "migrate", str(program.plan_path), str(peak)],
        env={**os.environ, **program.environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1_200,
        check=False,
    )

    assert 0 == finished.returncode, finished.stdout + finished.stderr
    return int(peak.read_text()) * 1024


@pytest.mark.torture
def test_folder_of_100_000_entries(tmp_path: Path, samba: Samba, share: Path) -> None:
    """The first pass and an unchanged one stay within the bound; 100 files arrive, the others a rule excludes."""
    with Sandbox(content="hash") as box:
        source = {"url": samba.url, "username": samba.username, "port": samba.port, "password": "${SHARE_PW}"}
        program = program_for(
            tmp_path / "run", box, source, environment={"SHARE_PW": samba.password}, exclude=["*.tmp"]
        )
        first, second = peak_bytes(program), peak_bytes(program)
        (tree,) = program.status()["trees"]
        print(f"peak {first / 1e6:.0f} MB, unchanged {second / 1e6:.0f} MB")

        assert (100, ENTRIES - 100) == (len(box.files()), tree["items"]["excluded"])
    assert max(first, second) < MOST_BYTES
