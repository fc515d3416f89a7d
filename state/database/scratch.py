"""Scratch: what a look at a share has to remember, in a temporary database: memory does not grow with a share (P9)."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Collection, Iterable, Iterator
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
    """A file that is new in the source, or has new content."""

    tree: int
    #: Its id in the source.
    file_id: str
    path: str
    size: int
    modified_ns: int | None
    created_ns: int | None
    #: False for one that was known under this name.
    is_new: bool


class LeftFile(NamedTuple):
    """A file that Box has and that is not where it was."""

    tree: int
    #: Its id in the source, where that has any.
    file_id: str | None
    row_id: int
    folder_id: int
    #: An earlier pass missed it already.
    since_earlier: bool


class MayBeOne(NamedTuple):
    """A new file, and the only one with its id that is not where it was: perhaps one file that moved."""

    new: SeenFile
    old: LeftFile


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
        for table, columns in (
            ("new_files", "path BLOB, size INTEGER, modified_ns INTEGER, created_ns INTEGER, is_new INTEGER"),
            ("left_files", "row_id INTEGER UNIQUE, folder_id INTEGER, since_earlier INTEGER"),
        ):
            connection.execute(f"CREATE TABLE {table} (tree INTEGER, file_id TEXT, {columns})")
            connection.execute(f"CREATE INDEX {table}_by_id ON {table} (tree, file_id)")
        connection.execute("CREATE TABLE left_folders (id INTEGER PRIMARY KEY, tree INTEGER, placed INTEGER)")
        connection.execute("CREATE TABLE moved_folders (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE gone_folders (id INTEGER PRIMARY KEY, above INTEGER)")
        connection.execute("CREATE TABLE proven_folders (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE files_back (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE folders_back (id INTEGER PRIMARY KEY, tree INTEGER)")

    def add_new(self, files: Iterable[SeenFile]) -> None:
        """Take files that are to be sent; those that are new may have been somewhere else before."""
        rows = ((*file[:2], _encoded(file.path), *file[3:]) for file in files)
        self._connection.executemany("INSERT INTO new_files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def add_left_files(self, files: Iterable[LeftFile]) -> None:
        """Take files that Box has and the source does not have any more where they were."""
        rows = ((file.tree, file.file_id, file.row_id, file.folder_id, file.since_earlier) for file in files)
        self._connection.executemany("INSERT OR IGNORE INTO left_files VALUES (?, ?, ?, ?, ?)", rows)

    def has_left(self, row_id: int) -> bool:
        """True for what add_left_files() named."""
        query = "SELECT 1 FROM left_files WHERE row_id = ?"
        return self._connection.execute(query, (row_id,)).fetchone() is not None

    def new_ids(self, tree: int) -> Iterator[str]:
        """Yield the ids in the source of the files of a tree that are new."""
        query = "SELECT file_id FROM new_files WHERE tree = ? AND is_new ORDER BY file_id"
        yield from (file_id for (file_id,) in self._connection.execute(query, (tree,)))

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

    def gone(self, of: int | None = None) -> Iterator[FolderLeft]:
        """Yield the folders that left their place and are nowhere else; of all trees, or of one."""
        query = (
            "SELECT id, tree, placed FROM left_folders"
            " WHERE id NOT IN (SELECT id FROM moved_folders) AND tree = coalesce(?, tree)"
        )
        for number, tree, placed in self._connection.execute(query, (of,)):
            yield FolderLeft(number, tree, bool(placed))

    def add_gone(self, folder_id: int, *, above: int) -> None:
        """This folder is gone with so many above it, itself included."""
        self._connection.execute("INSERT OR IGNORE INTO gone_folders VALUES (?, ?)", (folder_id, above))

    def new_with(self, file_ids: Collection[str | None]) -> Iterator[tuple[str, int, int | None]]:
        """Yield id, size and date of each new file that has one of these ids."""
        query = "SELECT file_id, size, modified_ns FROM new_files WHERE tree = ? AND file_id = ? AND is_new"
        trees = [tree for (tree,) in self._connection.execute("SELECT DISTINCT tree FROM new_files")]
        for file_id in file_ids:
            for tree in trees:
                yield from self._connection.execute(query, (tree, file_id))

    def maybe_moved(self) -> Iterator[MayBeOne]:
        """Yield each new file with the one of its id and tree that is not where it was.

        Only of ids that one such file has, and no other file of that size among those that are new or changed.
        """
        query = (
            "SELECT new.tree, new.file_id, new.path, new.size, new.modified_ns, new.created_ns, new.is_new,"
            " old.row_id, old.folder_id, old.since_earlier"
            " FROM new_files AS new JOIN left_files AS old USING (tree, file_id) WHERE new.is_new"
            " AND 1 = (SELECT count(*) FROM left_files AS other"
            " WHERE other.tree = new.tree AND other.file_id = new.file_id)"
            " AND 1 = (SELECT count(*) FROM new_files AS other"
            " WHERE other.tree = new.tree AND other.file_id = new.file_id AND other.size = new.size)"
        )
        for row in self._connection.execute(query):
            new = SeenFile._make(row[:7])
            old = LeftFile(new.tree, new.file_id, *row[7:])
            yield MayBeOne(new._replace(path=_decoded(row[2])), old)

    def gone_above(self, folder_id: int | None) -> int:
        """How many folders are gone from this one upwards."""
        query = "SELECT above FROM gone_folders WHERE id = ?"
        row = self._connection.execute(query, (folder_id,)).fetchone()
        return 0 if row is None else int(row[0])

    def add_back(self, row_id: int, *, is_folder: bool, tree: int) -> None:
        """This was gone, by an earlier pass or by this one, and is in the source all the same, here or elsewhere."""
        if is_folder:
            self._connection.execute("INSERT OR IGNORE INTO folders_back VALUES (?, ?)", (row_id, tree))
        else:
            self._connection.execute("INSERT OR IGNORE INTO files_back VALUES (?)", (row_id,))

    def is_back(self, row_id: int, *, is_folder: bool) -> bool:
        """True for what add_back() named."""
        table = "folders_back" if is_folder else "files_back"
        query = f"SELECT 1 FROM {table} WHERE id = ?"  # noqa: S608  our own words
        return self._connection.execute(query, (row_id,)).fetchone() is not None

    def folders_back(self, tree: int) -> Iterator[int]:
        """Yield the folders of a tree that are back."""
        query = "SELECT id FROM folders_back WHERE tree = ? ORDER BY id"
        yield from (row_id for (row_id,) in self._connection.execute(query, (tree,)))

    def files_gone(self, tree: int, *, at_once: int) -> Iterator[list[int]]:
        """Yield the files of a tree that left their place in this pass and are nowhere else, so many at a time."""
        query = (
            "SELECT row_id FROM left_files WHERE tree = ? AND NOT since_earlier AND row_id > ?"
            " AND row_id NOT IN (SELECT id FROM files_back) ORDER BY row_id LIMIT ?"
        )
        after = -1
        while rows := [row for (row,) in self._connection.execute(query, (tree, after, at_once))]:
            yield rows
            after = rows[-1]

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
