"""LocalSource on a real file system."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.entry import EntryKind
from connectors.errors import AccessDenied, NotFound, ShareUnreachable
from connectors.source import Source
from connectors.sources import beneath
from connectors.sources.local import LocalSource, has_own_clock, has_stable_ids
from connectors.sources.patience import Patience
from connectors.sources.registry import open_source
from tests.contract import Root, SourceContract
from tests.trees import build_tree
from tests.unprivileged import unprivileged


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """An empty root folder with a secret beside it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("not for you")
    (tmp_path / "root").mkdir()
    return Root(tmp_path / "root")


@pytest.fixture(params=["at once", "step by step"])
def source(root: Root, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A source over it, with the system's call that opens a path without following links and without that call."""
    if request.param == "step by step":
        monkeypatch.setattr(beneath, "_system_call", None)
    with LocalSource(root.path, patience=Patience(seconds=0.2)) as opened:
        yield opened


@pytest.fixture
def secrets_of() -> list[str]:
    """A local source has none."""
    return []


class TestLocal(SourceContract):
    """Everything that every source promises."""


def test_links_and_special_files_are_listed_not_followed(source: Source, root: Root) -> None:
    """Symlinks, sockets and FIFOs appear with a reason, and neither stat nor open goes through them."""
    (root.path / "link to file").symlink_to(root.path.parent / "outside" / "secret.txt")
    (root.path / "link to folder").symlink_to(root.path.parent / "outside")
    (root.path / "broken link").symlink_to("nowhere")
    os.mkfifo(root.path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root.path / "socket"))
    kinds = {entry.path: (entry.kind, entry.fault and entry.fault.reason) for entry in source.list_folder("")}

    assert {
        "broken link": (EntryKind.SYMLINK, None),
        "link to file": (EntryKind.SYMLINK, None),
        "link to folder": (EntryKind.SYMLINK, None),
        "pipe": (EntryKind.SPECIAL, "not_a_file"),
        "socket": (EntryKind.SPECIAL, "not_a_file"),
    } == kinds
    assert EntryKind.SYMLINK is source.stat("link to file").kind
    with pytest.raises(AccessDenied):
        source.open("link to file")
    with pytest.raises(AccessDenied):
        source.open("pipe")


@pytest.mark.parametrize("path", ["link/secret.txt", "folder/link/secret.txt"])
def test_a_parent_that_is_a_link_is_not_followed(source: Source, root: Root, path: str) -> None:
    """A folder that was replaced by a link after the walk leads nowhere."""
    (root.path / "folder").mkdir()
    (root.path / path).parent.symlink_to(root.path.parent / "outside")

    for call in (source.stat, source.open):
        with pytest.raises((AccessDenied, NotFound)):
            call(path)
    with pytest.raises((AccessDenied, NotFound)):
        source.list_folder(path.rpartition("/")[0])


def test_one_call_opens_what_no_link_leads_to(root: Root) -> None:
    """And leaves to others what a link is on the way of, what is outside, and what is not there."""
    build_tree(root.path, {"folder": {"file.txt": b"1"}})
    (root.path / "link").symlink_to("folder")
    (root.path / "folder" / "up").symlink_to("..")
    folder = os.open(root.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        found = {
            path: beneath.open_beneath(folder, path.encode(), os.O_RDONLY | os.O_NOFOLLOW)
            for path in (
                "folder/file.txt",
                "link/file.txt",
                "folder/up/folder/file.txt",
                "../outside/secret.txt",
                "nobody",
            )
        }
    finally:
        os.close(folder)
    opened = {path: descriptor for path, descriptor in found.items() if descriptor is not None}
    for descriptor in opened.values():
        os.close(descriptor)

    assert list(opened) == (["folder/file.txt"] if sys.platform == "linux" else [])


def test_loops_by_symlink_end(source: Source, root: Root) -> None:
    """A link to a parent is one listed entry, not an endless tree."""
    (root.path / "a").mkdir()
    (root.path / "a" / "loop").symlink_to("..")

    assert [("a/loop", EntryKind.SYMLINK)] == [(entry.path, entry.kind) for entry in source.list_folder("a")]


def test_names_that_are_not_unicode(source: Source, root: Root) -> None:
    """A name of bytes that are no UTF-8 is listed with surrogate escapes and can be read by that name."""
    raw = os.fsencode(root.path) + b"/caf\xe9.txt"
    with open(raw, "wb") as file:
        file.write(b"latin 1")
    (entry,) = source.list_folder("")

    assert "caf\udce9.txt" == entry.path
    with source.open(entry.path) as opened:
        assert b"latin 1" == opened.read()


def test_a_path_longer_than_the_system_takes_at_once(source: Source, root: Root) -> None:
    """A path of more than 4,096 bytes is listed and read, because each step is opened from its parent."""
    names = [letter * 200 for letter in "abcdefghijklmnopqrstuvwx"]
    folder = os.open(root.path, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=folder)
        child = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = child
    file = os.open("bottom", os.O_WRONLY | os.O_CREAT, dir_fd=folder)
    os.write(file, b"reached")
    os.close(file)
    os.close(folder)
    path = "/".join(names)

    assert [f"{path}/bottom"] == [entry.path for entry in source.list_folder(path)]
    with source.open(f"{path}/bottom") as opened:
        assert b"reached" == opened.read()


def test_a_date_beyond_64_bits_is_the_last_that_fits(source: Source, root: Root) -> None:
    """The year 2300 and later, as broken clocks and FILETIME have it: databases hold no more."""
    root.build({"far.txt": b"x"})
    os.utime(root.path / "far.txt", (10_500_000_000, 10_500_000_000))

    assert 2**63 - 1 == source.stat("far.txt").modified_ns
    assert source.stat("far.txt").fingerprint == source.list_folder("")[0].fingerprint


def test_dates_before_1970_and_in_the_future(source: Source, root: Root) -> None:
    """Dates outside of the usual come as nanoseconds, negative ones too."""
    for name, seconds in (("old", -86_400 * 365), ("new", 4_102_444_800)):
        (root.path / name).touch()
        os.utime(root.path / name, ns=(seconds * 10**9, seconds * 10**9 + 123_456_789))

    assert [4_102_444_800_123_456_789, -31_535_999_876_543_211] == [
        entry.modified_ns for entry in source.list_folder("")
    ]


def test_a_sparse_file_reads_as_its_length(source: Source, root: Root) -> None:
    """Holes are zeroes and count in the size."""
    with open(root.path / "sparse", "wb") as file:
        file.seek(5_000_000)
        file.write(b"end")

    assert 5_000_003 == source.stat("sparse").size
    with source.open("sparse") as opened:
        content = opened.read()
    assert b"\0" * 5_000_000 + b"end" == content


@pytest.mark.parametrize("path", ["gone", "gone/deeper"])
def test_a_missing_root_is_unreachable(tmp_path: Path, path: str) -> None:
    """`connect` to a folder that does not exist says so in one line."""
    with pytest.raises(ShareUnreachable, match="does not exist; check the path") as caught:
        open_source(f"file://{tmp_path}/{path}").connect()

    assert "\n" not in str(caught.value)


def test_an_unmounted_root_is_not_an_empty_one(source: Source, root: Root) -> None:
    """When the root becomes another folder (a lost mount), the pass stops instead of seeing deletions."""
    build_tree(root.path, {"a": b""})
    source.connect()
    root.path.rename(root.path.with_name("moved"))
    root.path.mkdir()

    with pytest.raises(ShareUnreachable, match="check what is mounted"):
        source.list_folder("")


def test_a_plain_path_is_a_local_source(tmp_path: Path) -> None:
    """An absolute path works as a URL; so do spaces and percent signs in file://."""
    folder = tmp_path / "100% übrig"
    folder.mkdir()
    (folder / "x").touch()

    for url in (str(folder), f"file://{folder}"):
        assert ["x"] == [entry.path for entry in open_source(url).list_folder("")]


def test_ids_count_only_where_they_last() -> None:
    """Inode numbers of FUSE and FAT are made up anew with each mount and would make everything look changed."""
    mounts = (
        "36 35 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "37 35 0:50 / /mnt/ssh rw shared:2 - fuse.sshfs host: rw\n"
        "38 35 0:51 / /mnt/nfs rw - nfs4 host:/x rw\n"
        "39 35 8:17 / /mnt/stick rw - vfat /dev/sdb1 rw\n"
    )
    devices = {
        os.makedev(8, 1): True,
        os.makedev(0, 50): False,
        os.makedev(0, 51): True,
        os.makedev(8, 17): False,
    }

    assert devices == {device: has_stable_ids(device, mounts) for device in devices}
    assert has_stable_ids(os.makedev(99, 99), mounts)
    clocks = {device: has_own_clock(device, mounts) for device in devices}
    assert devices | {os.makedev(0, 51): False} == clocks
    assert not has_own_clock(os.makedev(99, 99), mounts)


def test_what_was_made_before_a_moment(tmp_path: Path) -> None:
    """By the birth that the file system keeps: a date that somebody gave it proves nothing."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    os.utime(tmp_path / "file", (1, 1))
    after = datetime.now(UTC) + timedelta(seconds=1)
    source = LocalSource(tmp_path)

    assert source.was_born_before("file", after)
    assert source.was_born_before("folder", after)
    assert not source.was_born_before("file", before)
    assert not source.was_born_before("folder", before)
    with pytest.raises(NotFound):
        source.was_born_before("nothing", after)


def test_reading_leaves_the_access_time(source: Source, root: Root) -> None:
    """Our own files are read without touching their access time."""
    (root.path / "a").write_bytes(b"content")
    os.utime(root.path / "a", (1, 1))
    with source.open("a") as file:
        file.read()

    assert 1 == (root.path / "a").stat().st_atime


def test_a_folder_that_lists_names_and_nothing_else(source: Source, root: Root) -> None:
    """Where names may be read and nothing else, each entry is there with what its name's folder says of it."""
    root.build({"locked": {"file.txt": b"1", "sub": {"deep.txt": b"2"}}})
    (root.path / "locked" / "link").symlink_to("file.txt")
    (root.path / "locked").chmod(0o444)
    try:
        listed = unprivileged(lambda: source.list_folder("locked"))
    finally:
        (root.path / "locked").chmod(0o755)

    assert [
        ("locked/file.txt", EntryKind.FILE, None, "access_denied"),
        ("locked/link", EntryKind.SYMLINK, "symbolic link, not followed", None),
        ("locked/sub", EntryKind.FOLDER, None, None),
    ] == [(entry.path, entry.kind, entry.skip_reason, entry.fault and entry.fault.reason) for entry in listed]
    assert [None] * 3 == [entry.fault for entry in source.list_folder("locked")]


def test_percent_escapes_of_a_url(tmp_path: Path) -> None:
    """A URL as Path.as_uri() writes it is found; a path that exists with its percent sign is meant so."""
    spaced, literal = tmp_path / "my share", tmp_path / "100%25"
    for folder in (spaced, literal, tmp_path / "100%"):
        folder.mkdir()
        (folder / f"in {folder.name}").touch()

    for url, name in (
        (spaced.as_uri(), "my share"),
        (str(spaced), "my share"),
        (f"file://{literal}", "100%25"),
        (literal.as_uri(), "100%25"),
    ):
        with closing(open_source(url)) as source:
            source.connect()
            assert [f"in {name}"] == [entry.path for entry in source.list_folder("")]


def test_a_local_file_replaced_while_it_is_read(tmp_path: Path) -> None:
    """The open file is read to its end, and `stat` tells that another one is in its place."""
    content = os.urandom(1 << 20) * 12
    (tmp_path / "large.bin").write_bytes(content)
    with LocalSource(tmp_path) as source:
        before = source.stat("large.bin")
        with source.open("large.bin") as file:
            head = file.read(1_000_000)
            (tmp_path / "new").write_bytes(bytes(len(content)))
            (tmp_path / "new").replace(tmp_path / "large.bin")

            assert content == head + file.read()
        assert not before.fingerprint.same_content_as(source.stat("large.bin").fingerprint)


@pytest.mark.torture  # a smaller one on SMB is in the gate
def test_a_local_folder_of_100_000_entries(tmp_path: Path) -> None:
    """A folder of 100,000 entries is listed completely."""
    handle = os.open(tmp_path, os.O_RDONLY)
    for n in range(100_000):
        os.mknod(f"{n:06}", dir_fd=handle)
    os.close(handle)
    with LocalSource(tmp_path) as source:
        assert 100_000 == len(source.list_folder(""))
