"""The share of the crash matrix: small files in nested folders, an empty folder, two files that go in parts."""

from __future__ import annotations

import functools
import hashlib
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Both trees and who is let in: a colleague, a group, and somebody outside who first has to accept.
TREES: list[dict[str, Any]] = [
    {
        "source": "Accounting",
        "collaborators": [
            {"login": "ann@example.com", "role": "editor"},
            {"login": "guest@partner.example", "role": "viewer"},
        ],
    },
    {"source": "Legal", "collaborators": [{"group": "Lawyers", "role": "viewer"}]},
]
PEOPLE = 3

FOLDERS = (
    "Accounting",
    "Accounting/2024",
    "Accounting/2024/Köln",
    "Accounting/2025",
    "Accounting/nothing yet",
    "Legal",
    "Legal/Contracts",
    "Legal/Contracts/old",
)
EMPTY = "Accounting/nothing yet"
SMALL_FILES = 24
LARGE = {"Accounting/2024/survey.tif": 20_500_001, "Legal/Contracts/scans.zip": 20_000_000}
#: Part size that the sandbox is told: seven parts each.
PART_SIZE = 3_000_000
PARTS = 7 + 7
#: What change_share() gives other content, beside the first large file.
CHANGED = (
    "Accounting/file 00.txt",
    "Accounting/2024/file 01.txt",
    "Legal/Contracts/file 05.txt",
    "Legal/file 11.txt",
)


@dataclass(frozen=True)
class Content:
    """What Box must hold of one file."""

    sha1: str
    size: int
    #: Whole seconds since 1970.
    modified: int


def build_small_share(root: Path) -> None:
    """Write the share; the same bytes and dates each time."""
    rng = random.Random(29)
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    holders = [folder for folder in FOLDERS if folder != EMPTY]
    for number in range(SMALL_FILES):
        size = 0 if number % 9 == 4 else rng.randint(1, 3_000)
        _write(root / holders[number % len(holders)] / f"file {number:02d}.txt", rng.randbytes(size), number)
    for number, (path, size) in enumerate(LARGE.items()):
        _write(root / path, rng.randbytes(size), 500 + number)


def change_share(root: Path) -> dict[str, int]:
    """Another day: path → versions that Box must hold of what was there before (1 is not listed)."""
    rng = random.Random(31)
    changed = [
        "Accounting/file 00.txt",
        "Accounting/2024/file 01.txt",
        "Legal/Contracts/file 05.txt",
        "Legal/file 11.txt",
    ]
    for number, path in enumerate(changed):
        _write(root / path, rng.randbytes(400 + number), 1_000 + number)
    large = next(iter(LARGE))
    with (root / large).open("r+b") as file:
        file.seek(3 * PART_SIZE + 77)
        file.write(rng.randbytes(100))
        file.seek(0, os.SEEK_END)
        file.write(rng.randbytes(400_000))
    _set_date(root / large, 1_100)
    (root / "Legal/new folder").mkdir()
    _write(root / "Legal/new folder/new file.txt", b"new", 1_200)
    _write(root / "Accounting/new at the top.txt", rng.randbytes(77), 1_300)
    return dict.fromkeys([*CHANGED, large], 2)


#: What follow_share() moves: folders and files, old path → new path; whatever lies in a folder goes with it.
MOVED = {
    "Accounting/2024": "Accounting/closed/2024",
    "Legal/Contracts/scans.zip": "Legal/scans.zip",
    "Legal/file 11.txt": "Legal/file 11 (final).txt",
}
#: Files of one folder that it lets change names in a circle, and the name that each has afterwards.
CIRCLE = {
    "Accounting/file 07.txt": "Accounting/file 14.txt",
    "Accounting/file 14.txt": "Accounting/file 21.txt",
    "Accounting/file 21.txt": "Accounting/file 07.txt",
}
#: What it deletes, and the file that gets another date and keeps its bytes.
DELETED = ("Legal/Contracts/old", "Accounting/2025/file 03.txt", "Legal/Contracts/file 12.txt")
TOUCHED = "Accounting/file 00.txt"


def follow_share(root: Path) -> None:
    """Another day: folders and files are renamed, moved, dated anew and deleted, and nothing else."""
    (root / "Accounting/closed").mkdir()
    for old, new in MOVED.items():
        (root / old).rename(root / new)
    for old in CIRCLE:
        (root / old).rename(root / f"{old}.aside")
    for old, new in CIRCLE.items():
        (root / f"{old}.aside").rename(root / new)
    for path in DELETED:
        (shutil.rmtree if (root / path).is_dir() else Path.unlink)(root / path)
    _set_date(root / TOUCHED, 2_000)


def moved_path(path: str) -> str:
    """Where follow_share() put it."""
    for old, new in (MOVED | CIRCLE).items():
        if path == old or path.startswith(f"{old}/"):
            return new + path[len(old) :]
    return path


def is_deleted(path: str) -> bool:
    """True when follow_share() deleted it."""
    return any(path == gone or path.startswith(f"{gone}/") for gone in DELETED)


#: Of the large file, the part that changed and the last one, which grew.
CHANGED_PARTS = 2


def contents(root: Path) -> dict[str, Content]:
    """Every file of the share by its path."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            state = path.stat()
            sha1 = _digest(path, state.st_size, state.st_mtime_ns)
            found[path.relative_to(root).as_posix()] = Content(sha1, state.st_size, int(state.st_mtime))
    return found


@functools.lru_cache(maxsize=500)
def _digest(path: Path, size: int, modified_ns: int) -> str:
    """SHA-1 of a file's bytes; asked again only when size or time differ."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()


def folders(root: Path) -> set[str]:
    """Every folder of the share by its path."""
    return {
        Path(folder, name).relative_to(root).as_posix()
        for folder, names, _ in os.walk(root)
        for name in names
    }


def _write(path: Path, content: bytes, number: int) -> None:
    path.write_bytes(content)
    _set_date(path, number)


def _set_date(path: Path, number: int) -> None:
    moment = (1_500_000_000 + number * 3_600) * 10**9 + 700
    os.utime(path, ns=(moment, moment))
