"""The demo's share: a small department of files with the oddities of a real one, on Samba where that is installed."""

from __future__ import annotations

import getpass
import os
import random
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.demo.warden import WARDEN

#: Large enough to go in parts (Box's threshold is 50 MB).
LARGE_FILE_BYTES = 90_000_000

DEPARTMENTS = {"Accounting": "pdf", "Engineering": "dwg", "Legal": "docx"}
YEARS = range(2021, 2027)
FILES_PER_MONTH = 3


@dataclass(frozen=True)
class Share:
    """Where the demo's files are served."""

    url: str
    comment: str
    username: str = ""
    password: str = ""
    port: int | None = None


def build_share(root: Path) -> int:
    """Write the files; how many they are. The same at every run."""
    rng = random.Random(7)
    count = 0
    for department, extension in DEPARTMENTS.items():
        for year in YEARS:
            for month in range(1, 13):
                folder = root / department / str(year) / f"{month:02d}"
                folder.mkdir(parents=True)
                for number in range(FILES_PER_MONTH):
                    path = folder / f"{department[:3].upper()}-{year}{month:02d}-{number + 1:03d}.{extension}"
                    _write(path, rng.randbytes(rng.randint(800, 40_000)), year=year, month=month)
                    count += 1
    return count + _oddities(root, rng)


def _oddities(root: Path, rng: random.Random) -> int:
    """What every file server has: names that Box refuses, twins, empty things, clutter, one large file."""
    odd = {
        "Accounting/2024/06/Übersicht – Köln 📊.xlsx": 9_000,
        "Accounting/2024/06/README": 40,
        "Accounting/2024/06/readme": 41,
        "Accounting/2024/06/empty.txt": 0,
        "Accounting/2024/06/Thumbs.db": 3_000,
        "Accounting/2024/06/~$budget.xlsx": 165,
        "Engineering/2023/03/survey.tif": LARGE_FILE_BYTES,
        f"Legal/2022/11/{'very long name ' * 15}.pdf": 2_000,
    }
    for name, size in odd.items():
        _write(root / name, rng.randbytes(size), year=2024, month=6)
    (root / "Legal/2025/to be filed").mkdir(parents=True)
    return len(odd)


def _write(path: Path, content: bytes, *, year: int, month: int) -> None:
    path.write_bytes(content)
    moment = time.mktime((year, month, 14, 9, 30, 0, 0, 0, 0))
    os.utime(path, (moment, moment))


@contextmanager
def serve_share(root: Path, work: Path) -> Iterator[Share]:
    """Serve the folder by a real Samba when there is one, else say that it is read from the disk."""
    smbd = shutil.which("smbd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    if smbd is None or shutil.which("pdbedit") is None:
        yield Share(
            url=root.as_uri(),
            comment="read from this disk, as no Samba is installed (apt-get install samba makes it a real share)",
        )
        return
    password, port = secrets.token_urlsafe(12), _free_port()
    process = _start_samba(smbd, root, work, password, port)
    try:
        yield Share(
            url="smb://127.0.0.1/share",
            comment="a real Samba server, started for the demo on this machine",
            username=getpass.getuser(),
            password=password,
            port=port,
        )
    finally:
        process.terminate()
        process.wait(timeout=20)


def _start_samba(smbd: str, root: Path, work: Path, password: str, port: int) -> subprocess.Popen[bytes]:
    for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "log"):
        (work / name).mkdir(parents=True)
    config = work / "smb.conf"
    config.write_text(
        "[global]\nserver role = standalone server\ninterfaces = lo\nbind interfaces only = yes\n"
        f"smb ports = {port}\nprivate dir = {work}/private\nlock directory = {work}/lock\n"
        f"state directory = {work}/state\ncache directory = {work}/cache\npid directory = {work}/pid\n"
        f"ncalrpc dir = {work}/ncalrpc\nlog file = {work}/log/smbd\ndisable netbios = yes\nload printers = no\n"
        "printing = bsd\nprintcap name = /dev/null\ndisable spoolss = yes\nmap to guest = never\n"
        f"usershare max shares = 0\npassdb backend = smbpasswd:{work}/private/smbpasswd\n"
        f"[share]\npath = {root}\nread only = yes\n"
    )
    subprocess.run(  # noqa: S603
        ["pdbedit", "-s", str(config), "-a", "-u", getpass.getuser(), "-t"],  # noqa: S607
        input=f"{password}\n{password}\n".encode(),
        check=True,
        capture_output=True,
    )
    process = subprocess.Popen(  # noqa: S603
        [smbd, "-s", str(config), "-F", "--no-process-group", "-l", str(work / "log")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a smbd that ends signals its whole process group: never ours
    )
    WARDEN.watch(process.pid)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.05)
    process.terminate()
    raise RuntimeError("Samba did not start within 20 seconds")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
