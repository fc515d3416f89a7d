"""SourceContract: what every source promises (connectors.source), inherited by one test class per source."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.entry import EntryKind
from connectors.errors import AccessDenied, ConnectorError, NotFound
from connectors.source import Source
from tests.trees import UGLY_TREE, Tree, build_tree, files_of, read_tree


class SourceContract:
    """Give it the fixtures `source` (over an empty, writable root) and `root` (how the tests change it)."""

    #: The tree that the server can hold; object stores have no empty folders.
    tree: Tree = UGLY_TREE
    #: Whether another content of the same size is told apart at once (change time, ETag, sub-second times).
    sees_same_size_change = True
    #: Whether another file renamed into its place with the same size and time is told apart.
    sees_replacement = True
    has_file_ids = True

    def test_everything_arrives(self, source: Source, root: Root) -> None:
        """The ugly tree comes back with every name, every empty file and folder and every byte."""
        root.build(self.tree)

        assert self.tree == read_tree(source)

    def test_listing_is_sorted_and_complete(self, source: Source, root: Root) -> None:
        """A listing is sorted by path and says kind, size and time of every entry without another call."""
        root.build({"b": {"deep": b"not listed here"}, "a.txt": b"12345", "c.txt": b""})
        entries = source.list_folder("")

        assert [entry.path for entry in entries] == ["a.txt", "b", "c.txt"]
        assert [entry.kind for entry in entries] == [EntryKind.FILE, EntryKind.FOLDER, EntryKind.FILE]
        assert [entry.size for entry in entries] == [5, 0, 0]
        assert all(entry.modified_ns for entry in entries if entry.kind is EntryKind.FILE)
        assert [entry.skip_reason for entry in entries] == [None] * 3

    def test_stat_agrees_with_listing(self, source: Source, root: Root) -> None:
        """`stat` of an untouched entry equals what the listing said."""
        root.build({"folder": {"file.txt": b"content"}})
        listed = source.list_folder("folder")[0]

        assert listed == source.stat("folder/file.txt")
        assert EntryKind.FOLDER is source.stat("folder").kind

    def test_stat_is_fresh(self, source: Source, root: Root) -> None:
        """A file that changed since the last call is seen as it is now."""
        root.build({"growing.log": b"one"})
        before = source.stat("growing.log")
        root.write("growing.log", b"one and two")
        after = source.stat("growing.log")

        assert (before.size, after.size) == (3, 11)
        assert not before.fingerprint.same_content_as(after.fingerprint)

    def test_same_size_change_is_seen(self, source: Source, root: Root) -> None:
        """Other bytes of the same length with the old modified time are told apart, where the source can."""
        root.build({"ledger.bin": b"1111"})
        before = source.stat("ledger.bin")
        root.replace_keeping_time("ledger.bin", b"2222")
        after = source.stat("ledger.bin")

        assert self.sees_same_size_change is not before.fingerprint.same_content_as(after.fingerprint)

    def test_replacement_is_seen(self, source: Source, root: Root) -> None:
        """Another file of the same size and time in the old one's place is seen, where the source can."""
        root.build({"ledger.bin": b"1111"})
        before = source.stat("ledger.bin")
        root.swap_keeping_time("ledger.bin", b"2222")
        after = source.stat("ledger.bin")

        assert self.sees_replacement is not before.fingerprint.same_content_as(after.fingerprint)

    def test_file_ids_are_stable_and_distinct(self, source: Source, root: Root) -> None:
        """Two entries have two ids, and the id of an entry stays, where the source has ids."""
        root.build({"a": b"same", "b": b"other"})
        first, second = source.list_folder("")

        assert self.has_file_ids is (first.file_id is not None)
        assert first.file_id != second.file_id or not self.has_file_ids
        assert first.file_id == source.stat("a").file_id

    def test_an_ordinary_file_has_no_streams(self, source: Source, root: Root) -> None:
        """Every source's files can say what reading leaves out, and mostly that is nothing."""
        root.build({"a": b"content"})
        with source.open("a") as file:
            assert not file.streams

    def test_a_small_file_is_read_whole(self, source: Source, root: Root) -> None:
        """With its bytes and a look before and after; what is larger or no file is left to others, what is gone is
        told."""
        root.build({"folder": {"small.txt": b"content", "empty": b""}})
        small, empty = source.read_whole("folder/small.txt", 7), source.read_whole("folder/empty", 0)
        seen = source.stat("folder/small.txt").fingerprint

        assert small is not None
        assert empty is not None
        assert (b"content", b"") == (small.content, empty.content)
        assert seen == small.before.fingerprint == small.after.fingerprint
        assert source.read_whole("folder/small.txt", 6) is None
        with pytest.raises(NotFound):
            source.read_whole("folder/gone.txt", 7)

    def test_reads_go_on_anywhere(self, source: Source, root: Root) -> None:
        """Seek, tell and partial reads behave as a file's: forwards, backwards, at and behind the end."""
        content = os.urandom(3_000_000)
        root.build({"large.bin": content})
        with source.open("large.bin") as file:
            assert content[:10] == file.read(10)
            assert file.seek(2_500_000) == 2_500_000
            assert content[2_500_000:2_600_000] == file.read(100_000)
            assert file.tell() == 2_600_000
            assert file.seek(1) == 1
            assert content[1:1_500_001] == file.read(1_500_000)
            assert file.seek(-1, 2) == 2_999_999
            assert content[-1:] == file.read()
            assert file.read(10) == b""

    def test_reads_match_in_any_block_size(self, source: Source, root: Root) -> None:
        """Odd block sizes, in order, give the same bytes as one read."""
        content = os.urandom(2_345_678)
        root.build({"large.bin": content})
        with source.open("large.bin") as file:
            blocks = iter(lambda: file.read(77_777), b"")

            assert content == b"".join(blocks)

    def test_reads_anywhere_in_any_order(self, source: Source, root: Root) -> None:
        """Two hundred seeks and reads of random places and sizes give what the content has there."""
        content = os.urandom(6_000_000)
        root.build({"large.bin": content})
        dice = random.Random(4)
        with source.open("large.bin") as file:
            for _ in range(200):
                start, size = (
                    dice.randrange(len(content) + 10),
                    dice.choice((1, 100, 70_000, 300_000, 2_500_000)),
                )
                if dice.random() < 0.6:
                    file.seek(start)
                start = file.tell()

                assert content[start : start + size] == file.read(size)

    def test_missing_is_not_found(self, source: Source, root: Root) -> None:
        """What is not there is NotFound for stat, open and listing, below missing folders, too."""
        root.build({"there": b""})
        for path in ("gone", "gone/deeper", "there/below a file"):
            for call in (source.stat, source.open, source.list_folder):
                with pytest.raises(NotFound):
                    call(path)

    def test_kinds_are_not_mixed_up(self, source: Source, root: Root) -> None:
        """A file cannot be listed and a folder cannot be opened."""
        root.build({"file": b"x", "folder": {"y": b""}})

        with pytest.raises(ConnectorError):
            source.list_folder("file")
        with pytest.raises(ConnectorError):
            source.open("folder").read(1)

    @pytest.mark.parametrize(
        "path", ["..", "a/../../b", "/etc/passwd", "a//b", "./a", "a/.", "nul\0byte", "a/"]
    )
    def test_no_way_out_of_the_root(self, source: Source, path: str) -> None:
        """A path that is not a plain one below the root is refused with AccessDenied by every method."""
        for call in (source.stat, source.open, source.list_folder):
            with pytest.raises(AccessDenied):
                call(path)

    def test_many_folders_at_once(self, source: Source, root: Root) -> None:
        """`list_folders` yields each folder exactly once, errors among them, and loses nothing."""
        root.build({f"folder {n:02}": {f"{n}.txt": b"x" * n} for n in range(30)})
        wanted = [f"folder {n:02}" for n in range(30)] + ["gone"]
        found = dict(source.list_folders(wanted))

        assert sorted(wanted) == sorted(found)
        assert isinstance(found.pop("gone"), NotFound)
        assert list(range(30)) == sorted(
            entry.size for listing in found.values() if isinstance(listing, list) for entry in listing
        )

    def test_eight_threads(self, source: Source, root: Root) -> None:
        """Eight threads read, stat and list through one source without disturbing each other."""
        tree = {f"f{n}": {f"{m}.bin": os.urandom(50_000 + n * m) for m in range(5)} for n in range(8)}
        root.build(tree)
        expected = files_of(tree)

        def visit(folder: str) -> dict[str, bytes]:
            found = {}
            for entry in source.list_folder(folder):
                assert entry.size == source.stat(entry.path).size
                with source.open(entry.path) as file:
                    found[entry.path] = file.read()
            return found

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(visit, list(tree) * 2))

        assert [expected, expected] == [
            {path: data for result in results[half : half + 8] for path, data in result.items()}
            for half in (0, 8)
        ]

    def test_close_twice(self, source: Source, root: Root) -> None:
        """File and source may be closed twice, the source also while files are open."""
        root.build({"a": b"1", "b": b"2"})
        first, second = source.open("a"), source.open("b")
        first.close()
        first.close()
        source.close()
        source.close()

        assert (first.closed, second.closed) == (True, True)  # type: ignore[attr-defined]

    def test_display_url_has_no_secret(self, source: Source, secrets_of: list[str]) -> None:
        """The URL for logs holds neither user nor password, and neither does the source's repr."""
        shown = source.display_url + repr(source)

        assert [secret for secret in secrets_of if secret in shown] == []
        assert "@" not in source.display_url


class Root:
    """How a contract test changes what the source sees, past the source: here a local folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def build(self, tree: Tree) -> None:
        """Put a tree into the root."""
        build_tree(self.path, tree)

    def write(self, name: str, content: bytes) -> None:
        """Replace a file's content in place."""
        (self.path / name).write_bytes(content)

    def replace_keeping_time(self, name: str, content: bytes) -> None:
        """Other content of the same size and modified time."""
        target = self.path / name
        times = target.stat()
        target.write_bytes(content)
        os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))

    def swap_keeping_time(self, name: str, content: bytes) -> None:
        """Another file of the same size and modified time renamed into its place."""
        target, other = self.path / name, self.path / f"{name}.new"
        times = target.stat()
        other.write_bytes(content)
        os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
        other.replace(target)


class StoreRoot(Root):
    """A root in an object store: writes go through a callback, folders do not exist by themselves."""

    def __init__(self, put: Callable[[str, bytes], None]) -> None:
        self._put = put

    def build(self, tree: Tree) -> None:
        """Put every file of a tree."""
        for path, content in files_of(tree).items():
            self._put(path, content)

    def write(self, name: str, content: bytes) -> None:
        """Replace an object."""
        self._put(name, content)

    def replace_keeping_time(self, name: str, content: bytes) -> None:
        """Stores set the time themselves; within one second it is often the same."""
        self._put(name, content)

    def swap_keeping_time(self, name: str, content: bytes) -> None:
        """As any other write."""
        self._put(name, content)


def without_empty_folders(tree: Tree) -> dict[str, object]:
    """The tree as an object store keeps it."""
    kept: dict[str, object] = {}
    for name, content in tree.items():
        if isinstance(content, Mapping):
            if inner := without_empty_folders(content):
                kept[name] = inner
        else:
            kept[name] = content
    return kept
