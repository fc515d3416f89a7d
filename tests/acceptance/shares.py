"""The big test share: 3,000 files in 200 folders with everything ugly, the same bytes at every run."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

#: Over 100 MB: they go in parts.
LARGE = 100_500_000

FOLDERS, FILES, LARGE_FILES = 200, 3_000, 3

UGLY_FILES = [
    "Übersicht – Köln 📊.xlsx",
    "README",
    "trailing dot.",
    "#hash & percent% 'quote'.txt",
    "name with  two spaces.txt",
    "日本語のファイル.docx",
    "x" * 240 + ".txt",
    ".hidden",
    "no extension",
    "e\u0301 decomposed.txt",
]


def build_big_share(
    root: Path, *, files: int = FILES, folders: int = FOLDERS, large: int = LARGE_FILES
) -> None:
    """Write `files` files into `folders` folders (the root's own not counted), `large` of them over 100 MB."""
    rng = random.Random(11)
    paths = ["Accounting", "Legal"]
    while len(paths) < folders:
        parent = rng.choice(paths[-40:])
        paths.append(
            f"{parent}/{rng.choice(['2024', 'Köln', 'Q1 & Q2', 'archive', 'ñandú'])} {len(paths):03d}"
        )
    for path in paths:
        (root / path).mkdir(parents=True, exist_ok=True)
    empty_folders = set(paths[-5:])
    holders = [path for path in paths if path not in empty_folders]
    for number in range(files):
        folder = root / holders[number % len(holders)]
        if number < len(UGLY_FILES):
            path, size = folder / UGLY_FILES[number], rng.randint(1, 500)
        elif number < len(UGLY_FILES) + 20:
            path, size = folder / f"empty {number}.txt", 0
        elif number >= files - large:
            path, size = folder / f"survey {number}.tif", LARGE + number
        else:
            path, size = folder / f"file {number:04d}.bin", rng.randint(1, 8_000)
        _write(path, rng, size)
        moment = 1_400_000_000 + number * 3_600
        os.utime(path, ns=(moment * 10**9, moment * 10**9 + 123_456_700))


def _write(path: Path, rng: random.Random, size: int) -> None:
    if size < LARGE:
        path.write_bytes(rng.randbytes(size))
        return
    block = rng.randbytes(1 << 20)
    with path.open("wb") as file:
        for start in range(0, size, len(block)):
            file.write(start.to_bytes(8, "big") + block[8 : min(len(block), size - start)])
        file.truncate(size)


def digest(path: Path) -> str:
    """SHA-1 of a file's bytes as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()
