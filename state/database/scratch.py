"""Scratch: files by size, and by content, in a temporary database, so that memory does not grow with a share (P9)."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple


class Alike(NamedTuple):
    """Files of one size, or of one content."""

    #: Bytes of one of them.
    size: int
    files: int
    #: Two of them, the first in the order of paths before the last.
    first: str
    last: str


class FileSizes:
    """Sizes, paths and digests of any number of files. For one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE files (id INTEGER PRIMARY KEY, size INTEGER, path BLOB)")
        # A table of its own, since files are read through while digests are written.
        connection.execute("CREATE TABLE digests (id INTEGER PRIMARY KEY, digest BLOB)")

    def add(self, files: Iterable[tuple[str, int]]) -> None:
        """Take these paths with their sizes in bytes."""
        rows = ((size, _encoded(path)) for path, size in files)
        self._connection.executemany("INSERT INTO files (size, path) VALUES (?, ?)", rows)

    def index(self) -> None:
        """Sort what was added; to be called once, before anything is asked."""
        self._connection.execute("CREATE INDEX by_size ON files (size)")

    def same_size(self) -> Iterator[Alike]:
        """Yield each group of files that have one size, those that take most first."""
        return self._groups("files", "size")

    def of_shared_size(self) -> Iterator[tuple[int, str, int]]:
        """Yield number, path and size of each file that shares its size with another one."""
        query = (
            "SELECT id, path, size FROM files"
            " WHERE size IN (SELECT size FROM files GROUP BY size HAVING count(*) > 1) ORDER BY id"
        )
        for number, path, size in self._connection.execute(query):
            yield number, _decoded(path), size

    def record_digests(self, digests: Iterable[tuple[int, bytes]]) -> None:
        """Write down what was read of these files, by their numbers."""
        self._connection.executemany("INSERT INTO digests (id, digest) VALUES (?, ?)", digests)

    def same_content(self) -> Iterator[Alike]:
        """Yield each group of files that have one size and one digest, those that take most first."""
        return self._groups("files JOIN digests USING (id)", "size, digest")

    def _groups(self, rows: str, columns: str) -> Iterator[Alike]:
        query = (
            f"SELECT size, count(*), min(path), max(path) FROM {rows}"  # noqa: S608  our own words
            f" GROUP BY {columns} HAVING count(*) > 1 ORDER BY (count(*) - 1) * size DESC"
        )
        for size, count, first, last in self._connection.execute(query):
            yield Alike(size, count, _decoded(first), _decoded(last))


@contextmanager
def file_sizes() -> Iterator[FileSizes]:
    """An empty one, in a file of the system's temporary folder that is deleted at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="boxhaul-") as folder,
        closing(sqlite3.connect(Path(folder) / "sizes.db", isolation_level=None)) as connection,
    ):
        yield FileSizes(connection)


def _encoded(path: str) -> bytes:
    """Names may hold bytes that are no text."""
    return path.encode("utf-8", "surrogatepass")


def _decoded(path: bytes) -> str:
    return path.decode("utf-8", "surrogatepass")
