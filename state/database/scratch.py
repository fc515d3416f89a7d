"""Scratch: what a look at a share has to remember, in a temporary database: memory does not grow with a share (P9)."""

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


class SeenFile(NamedTuple):
    """A file that is new in the source, or missing from it."""

    tree: int
    #: Its id in the source.
    file_id: str
    size: int
    modified_ns: int
    #: Row id of its folder; None: it has none yet.
    folder_id: int | None


class FolderLeft(NamedTuple):
    """A known folder that is not in the source any more."""

    id: int
    tree: int
    #: It is in Box.
    placed: bool


class PassChanges:
    """What a simulated pass found to be new and to be missing: any number of files and folders. For one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        columns = "tree INTEGER, file_id TEXT, size INTEGER, modified_ns INTEGER, folder_id INTEGER"
        for table in ("new_files", "missing_files"):
            connection.execute(f"CREATE TABLE {table} ({columns})")
            connection.execute(f"CREATE INDEX {table}_by_id ON {table} (tree, file_id)")
        connection.execute("CREATE TABLE left_folders (id INTEGER PRIMARY KEY, tree INTEGER, placed INTEGER)")
        connection.execute("CREATE TABLE moved_folders (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE gone_folders (id INTEGER PRIMARY KEY, above INTEGER)")
        connection.execute("CREATE TABLE proven_folders (id INTEGER PRIMARY KEY)")

    def add_new(self, files: Iterable[SeenFile]) -> None:
        """Take files that are to be sent, and may have been somewhere else before."""
        self._connection.executemany("INSERT INTO new_files VALUES (?, ?, ?, ?, ?)", files)

    def add_missing(self, files: Iterable[SeenFile]) -> None:
        """Take files that Box has and the source does not have any more where they were."""
        self._connection.executemany("INSERT INTO missing_files VALUES (?, ?, ?, ?, ?)", files)

    def add_left(self, folders: Iterable[FolderLeft]) -> None:
        """Take folders that are not where they were."""
        self._connection.executemany("INSERT OR IGNORE INTO left_folders VALUES (?, ?, ?)", folders)

    def add_moved(self, folder_id: int) -> None:
        """This folder is somewhere else in the source."""
        self._connection.execute("INSERT OR IGNORE INTO moved_folders VALUES (?)", (folder_id,))

    def is_moved(self, folder_id: int) -> bool:
        """True for what add_moved() named."""
        query = "SELECT 1 FROM moved_folders WHERE id = ?"
        return self._connection.execute(query, (folder_id,)).fetchone() is not None

    def gone(self) -> Iterator[FolderLeft]:
        """Yield the folders that left their place and are nowhere else."""
        query = "SELECT id, tree, placed FROM left_folders WHERE id NOT IN (SELECT id FROM moved_folders)"
        for number, tree, placed in self._connection.execute(query):
            yield FolderLeft(number, tree, bool(placed))

    def add_gone(self, folder_id: int, *, above: int) -> None:
        """This folder is gone with so many above it, itself included."""
        self._connection.execute("INSERT OR IGNORE INTO gone_folders VALUES (?, ?)", (folder_id, above))

    def moved_files(self) -> Iterator[SeenFile]:
        """Yield the files that are missing at one place and new at another, with the folder that they left.

        Of ids that one missing and one new file of the tree have, with one size and one date.
        """
        query = (
            "SELECT old.tree, old.file_id, old.size, old.modified_ns, old.folder_id FROM missing_files AS old"
            " JOIN new_files AS new USING (tree, file_id, size, modified_ns)"
            " WHERE (tree, file_id) IN"
            " (SELECT tree, file_id FROM missing_files GROUP BY tree, file_id HAVING count(*) = 1)"
            " AND (tree, file_id) IN"
            " (SELECT tree, file_id FROM new_files GROUP BY tree, file_id HAVING count(*) = 1)"
        )
        yield from map(SeenFile._make, self._connection.execute(query))

    def gone_above(self, folder_id: int | None) -> int:
        """How many folders are gone from this one upwards."""
        query = "SELECT above FROM gone_folders WHERE id = ?"
        row = self._connection.execute(query, (folder_id,)).fetchone()
        return 0 if row is None else int(row[0])

    def add_proven(self, folder_id: int) -> None:
        """Box's listing of this folder is counted."""
        self._connection.execute("INSERT OR IGNORE INTO proven_folders VALUES (?)", (folder_id,))

    def is_proven(self, folder_id: int) -> bool:
        """True for what add_proven() named."""
        query = "SELECT 1 FROM proven_folders WHERE id = ?"
        return self._connection.execute(query, (folder_id,)).fetchone() is not None


@contextmanager
def file_sizes() -> Iterator[FileSizes]:
    """An empty one, in a file of the system's temporary folder that is deleted at the end."""
    with _scratch_file() as connection:
        yield FileSizes(connection)


@contextmanager
def pass_changes() -> Iterator[PassChanges]:
    """An empty one, in a file of the system's temporary folder that is deleted at the end."""
    with _scratch_file() as connection:
        yield PassChanges(connection)


@contextmanager
def _scratch_file() -> Iterator[sqlite3.Connection]:
    with (
        tempfile.TemporaryDirectory(prefix="boxhaul-") as folder,
        closing(sqlite3.connect(Path(folder) / "scratch.db", isolation_level=None)) as connection,
    ):
        yield connection


def _encoded(path: str) -> bytes:
    """Names may hold bytes that are no text."""
    return path.encode("utf-8", "surrogatepass")


def _decoded(path: bytes) -> str:
    return path.decode("utf-8", "surrogatepass")
