"""What cannot be classified, looked at or told apart is never left out: tests that draw their own cases."""

from __future__ import annotations

import stat
from collections.abc import Iterator

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entry import Entry, EntryKind
from connectors.errors import ItemError, NotFound
from connectors.sources.filesystem import entry_of_info
from connectors.sources.loops import without_loops
from connectors.sources.paths import named_apart
from connectors.sources.sftp.attributes import child_entry, is_unclassified

NAMES = st.sampled_from(["a", "b", "c"])
TREES = st.recursive(st.just({}), lambda inside: st.dictionaries(NAMES, inside, max_size=3), max_leaves=12)


@given(st.one_of(st.none(), st.integers(0, 0o177777)), st.integers(0, 9), st.one_of(st.none(), st.just(5)))
def test_every_mode_is_told_or_asked_for(permissions: int | None, kind: int, size: int | None) -> None:
    """Of an SFTP entry links alone are not followed; without type bits and type it is asked for; a device fails."""
    attributes = asyncssh.SFTPAttrs(permissions=permissions, type=kind, size=size)
    entry = child_entry("folder", asyncssh.SFTPName("name", attrs=attributes))
    bits = stat.S_IFMT(permissions or 0)
    unknown = not bits and kind == asyncssh.FILEXFER_TYPE_UNKNOWN

    assert (entry.kind is EntryKind.SYMLINK) is (entry.skip_reason is not None)
    assert unknown is (entry.kind is EntryKind.UNKNOWN)
    assert is_unclassified(entry) is (unknown or (entry.kind is EntryKind.FILE and size is None))
    if entry.kind not in (EntryKind.FILE, EntryKind.FOLDER, EntryKind.SYMLINK):
        assert entry.fault is not None


@given(
    st.dictionaries(
        st.sampled_from(["type", "islink", "size"]), st.sampled_from(["file", "directory", "x", 0, None])
    )
)
def test_every_info_of_a_filesystem_is_told_or_fails(info: dict[str, object]) -> None:
    """Whatever an fsspec filesystem says, or leaves out: it is a file, a folder, a link, or it has a fault."""
    entry = entry_of_info("a", {**info, "size": 1})

    assert entry.kind in (EntryKind.FILE, EntryKind.FOLDER, EntryKind.SYMLINK) or entry.fault is not None


def walk(tree: dict, path: str = "") -> Iterator[tuple[str, dict]]:
    """Every folder of a tree with its path."""
    yield path, tree
    for name, inside in tree.items():
        yield from walk(inside, f"{path}/{name}".lstrip("/"))


@given(TREES, st.integers(1, 3))
def test_folders_that_share_an_id_are_walked(tree: dict, ids: int) -> None:
    """However few ids a file system has for its folders, each real one is listed as a folder."""
    folders = dict(walk(tree))

    def look(path: str) -> Entry:
        if path not in folders:
            raise NotFound(path)
        return Entry(path=path, kind=EntryKind.FOLDER, file_id=str(len(path) % ids))

    for path, inside in folders.items():
        listing = [look(f"{path}/{name}".lstrip("/")) for name in inside]
        above = {"": "0"} | {each: look(each).file_id or "" for each in folders if path.startswith(each)}

        assert listing == without_loops(listing, above, look)


@pytest.mark.parametrize("way", ["up", "b/up", "a name of some length/" * 20 + "up"])
def test_a_loop_is_proven(way: str) -> None:
    """A folder that can be entered again and again by the way that led to it is a link to a folder above it."""

    def look(path: str) -> Entry:
        while path.startswith(f"top/{way}"):
            path = "top" + path.removeprefix(f"top/{way}")
        return Entry(path=path, kind=EntryKind.FOLDER, file_id=path, modified_ns=len(path))

    entry = Entry(path=f"top/{way}", kind=EntryKind.FOLDER, file_id="top", modified_ns=3)
    [found] = without_loops([entry], {"": "", "top": "top"}, look)

    assert (EntryKind.SYMLINK, "leads back to a folder above it") == (found.kind, found.skip_reason)


def test_a_loop_that_cannot_be_looked_at_is_walked() -> None:
    """No answer is no proof."""

    def look(path: str) -> Entry:
        raise ItemError

    entry = Entry(path="top/up", kind=EntryKind.FOLDER, file_id="top")

    assert [entry] == without_loops([entry], {"top": "top"}, look)


ENTRIES = st.builds(
    Entry,
    path=st.sampled_from(["f/a", "f/b", "f/a~"]),
    kind=st.sampled_from([EntryKind.FILE, EntryKind.FOLDER, EntryKind.SYMLINK]),
    size=st.integers(0, 2),
)


@given(st.lists(ENTRIES, max_size=8))
def test_every_entry_has_a_name_of_its_own(listing: list[Entry]) -> None:
    """What is listed twice and is the same is one entry; of different things with one name, one keeps it and the
    others fail; none is lost."""
    found = named_apart("f", listing)

    assert len(set(listing)) == len(found) == len({entry.path for entry in found})
    assert {entry.path for entry in listing} <= {entry.path for entry in found}
    for path in {entry.path for entry in listing}:
        kept = next(entry for entry in found if entry.path == path)
        assert kept in listing
        folder = any(entry.path == path and entry.kind is EntryKind.FOLDER for entry in listing)
        assert folder is (kept.kind is EntryKind.FOLDER)
    assert all(entry.fault is not None for entry in found if entry not in listing)
