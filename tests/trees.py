"""Trees as literals: build them on disk, read them back through a source, and the standard ugly one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Union

from connectors.entry import EntryKind
from connectors.source import Source

#: A folder is a mapping from names to folders or to the bytes of files.
Tree = Mapping[str, Union["Tree", bytes]]

#: Names that gave some program trouble, an empty file, an empty folder, a pair that differs in case only.
UGLY_TREE: Tree = {
    "Finance": {
        "Q1 report.xlsx": b"PK\x03\x04 first quarter",
        "Übersicht – Größe.txt": "Größenübersicht\n".encode(),
        "données été.csv": b"a;b\r\n1;2\r\n",
        "💩 emoji 🗂️.txt": b"emoji",
        "日本語のファイル.txt": "日本語".encode(),
        "e\u0301 decomposed.txt": b"NFD",
        "trailing space ": b"space at the end",
        " leading space": b"space at the beginning",
        "trailing dot.": b"dot at the end",
        "many.dots...in.name.tar.gz": b"dots",
        "percent%20and#hash.txt": b"percent",
        "it's; (really) [odd] {name} & co = $5 + ~!@^`,.txt": b"punctuation",
        "empty.bin": b"",
        "empty folder": {},
        "case": {"Readme.md": b"upper", "readme.md": b"lower"},
        "all bytes.bin": bytes(range(256)) * 17,
    },
    "n" * 255: b"longest name",
    "deep": {"a" * 100: {"b" * 100: {"c" * 100: {"d" * 100: {"bottom.txt": b"path over 400 characters"}}}}},
    ".hidden": {".dotfile": b"dot"},
    "CON.txt": b"reserved on Windows",
    "two parts.bin": os.urandom(64) * 20_000,
}


def build_tree(root: str | os.PathLike[str], tree: Tree) -> None:
    """Create a tree below an existing folder; surrogate escapes in names become bytes that are no Unicode."""
    for name, content in tree.items():
        path = os.path.join(root, name)
        if isinstance(content, bytes):
            with open(path, "wb") as file:
                file.write(content)
        else:
            os.mkdir(path)
            build_tree(path, content)


def read_tree(source: Source, path: str = "") -> dict[str, object]:
    """What a source lists and reads below a folder, as a literal; links and the like are left out."""
    found: dict[str, object] = {}
    for entry in source.list_folder(path):
        if entry.kind is EntryKind.FOLDER:
            found[entry.name] = read_tree(source, entry.path)
        elif entry.kind is EntryKind.FILE:
            with source.open(entry.path) as file:
                found[entry.name] = file.read()
    return found


def files_of(tree: Tree, path: str = "") -> dict[str, bytes]:
    """Path → bytes of every file of a literal tree."""
    found: dict[str, bytes] = {}
    for name, content in tree.items():
        child = f"{path}/{name}" if path else name
        if isinstance(content, bytes):
            found[child] = content
        else:
            found.update(files_of(content, child))
    return found
