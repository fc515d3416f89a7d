"""SFTP servers that say too little of their files, on an asyncssh server that leaves it out: nothing is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from connectors.entry import EntryKind
from connectors.errors import AccessDenied, ItemError
from connectors.source import Source
from connectors.sources.registry import open_source
from tests.servers.sftp_odd import Attributes, OddServer, without_anything, without_types
from tests.trees import build_tree, read_tree


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OddServer]:
    """A server over an empty folder."""
    (tmp_path / "content").mkdir()
    server = OddServer(tmp_path / "content")
    server.start()
    (tmp_path / "known_hosts").write_text(server.known_hosts_line())
    yield server
    server.stop()


@pytest.fixture
def source(server: OddServer, tmp_path: Path) -> Iterator[Source]:
    """A source on it."""
    source = open_source(
        f"sftp://127.0.0.1:{server.port}/",
        username=server.username,
        password=server.password,
        options={"known_hosts": str(tmp_path / "known_hosts"), "patience_seconds": 1},
    )
    yield source
    source.close()


def without_size(attributes: asyncssh.SFTPAttrs) -> asyncssh.SFTPAttrs:
    """Everything but the size."""
    attributes.size = None
    return attributes


@pytest.mark.parametrize("looked_at", [None, without_types, without_anything])
@pytest.mark.parametrize("listed", [without_types, without_anything, without_size])
@pytest.mark.gate(3)
def test_everything_arrives_without_types(
    server: OddServer, source: Source, listed: Attributes, looked_at: Attributes | None
) -> None:
    """A folder is told by listing it, a file by opening it, whatever the permissions leave out."""
    tree = {"a.txt": b"1", "empty": b"", "folder": {"b.txt": b"22", "deep": {"c.txt": b"333"}}, "none": {}}
    build_tree(server.root, tree)
    server.oddities.listed = listed
    if looked_at is not None:
        server.oddities.looked_at = looked_at
    if looked_at is without_anything:
        # Not even an open file says how large it is: it fails, and is never taken for an empty one.
        kinds = {entry.path: (entry.kind, entry.fault is not None) for entry in source.list_folder("")}

        assert {True} == {fault for _, fault in (kinds["a.txt"], kinds["empty"])}
        assert [(EntryKind.FOLDER, False)] * 2 == [kinds["folder"], kinds["none"]]
    else:
        assert tree == read_tree(source)


@pytest.mark.parametrize("unsupported", [set(), {"readlink"}, {"readlink", "realpath"}])
def test_links_without_types_lead_nowhere(
    server: OddServer, source: Source, tmp_path: Path, unsupported: set[str]
) -> None:
    """A link is proven by reading it; what may be one is never opened, and fails where nothing proves it."""
    (tmp_path / "secret").write_text("not for you")
    build_tree(server.root, {"a.txt": b"1", "folder": {}})
    (server.root / "link").symlink_to("a.txt")
    (server.root / "to folder").symlink_to("folder")
    opened: list[bytes] = []
    server.oddities.on_open = opened.append
    server.oddities.listed = server.oddities.looked_at = without_types
    server.oddities.unsupported = unsupported
    found = {entry.path: entry for entry in source.list_folder("")}
    links = [found["link"], found["to folder"]]

    assert [] == [path for path in opened if b"link" in path]
    for link in links:
        with pytest.raises(ItemError):
            source.open(link.path)
        with pytest.raises(AccessDenied):
            source.list_folder(link.path)
    if unsupported:
        assert [(EntryKind.UNKNOWN, "unclassified")] * 2 == [
            (x.kind, x.fault and x.fault.reason) for x in links
        ]
    else:
        assert [EntryKind.SYMLINK] * 2 == [link.kind for link in links]
    if "realpath" not in unsupported:
        assert [EntryKind.FILE, EntryKind.FOLDER] == [found["a.txt"].kind, found["folder"].kind]


def test_a_name_that_is_listed_twice(server: OddServer, source: Source) -> None:
    """The same thing twice is one entry; two different ones under one name are a file and a failure that says so."""
    build_tree(server.root, {"same": b"1", "other": b"22", "folder": {}})
    server.oddities.twice = {"same": {}, "folder": {}, "other": {"size": 3}}
    entries = source.list_folder("")
    faults = [entry for entry in entries if entry.fault is not None]

    assert ["(object 'other')", "folder", "other", "same"] == [entry.path for entry in entries]
    assert ["(object 'other')"] == [entry.path for entry in faults]
    assert "something else has the same name" in str(faults[0].fault)


def test_a_folder_that_became_a_link_leads_nowhere(server: OddServer, source: Source, tmp_path: Path) -> None:
    """What was read through a folder that turned into a link since it was seen is found out before it counts."""
    build_tree(server.root, {"folder": {"a.txt": b"1"}})
    build_tree(tmp_path, {"outside": {"a.txt": b"2"}})
    source.list_folder("")
    source.list_folder("folder")
    source.require_inside("folder/a.txt")
    (server.root / "folder").rename(server.root / "moved")
    (server.root / "folder").symlink_to("moved")

    with pytest.raises(AccessDenied, match="links are never followed"):
        source.require_inside("folder/a.txt")
    for use in (source.list_folder, source.stat, source.open):
        with pytest.raises(AccessDenied):
            use("folder" if use == source.list_folder else "folder/a.txt")
