"""SMB servers with limits: few connections, few credits, small answers; and connections that end with the source."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import NotFound
from connectors.sources.registry import open_source
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.servers.samba import Samba
from tests.trees import build_tree


@pytest.fixture
def root(samba: Samba) -> Path:
    """The emptied share."""
    return empty(samba.root)


@pytest.fixture
def proxy(samba: Samba) -> Iterator[Proxy]:
    """What stands between the source and the server."""
    with Proxy(samba.port) as between:
        yield between


def source_through(proxy: Proxy, samba: Samba) -> Any:
    """A source over the whole share."""
    return open_source(
        samba.url_of("data", proxy.port),
        username=samba.username,
        password=samba.password,
        options={"patience_seconds": 60},
    )


SIZES = "smb2 max read = 16384\nsmb2 max trans = 32768"


@pytest.mark.parametrize("credits", [None, 1, 2, 3, 12])
@pytest.mark.parametrize("sizes", ["", SIZES], ids=["usual", "small"])
@pytest.mark.gate(3)
def test_a_server_with_small_limits(credits: int | None, sizes: str) -> None:
    """Small answers, few credits: everything is listed and read, and asked for by name."""
    server = Samba(f"{sizes}\n" + (f"smb2 max credits = {credits}" if credits else ""))
    content = os.urandom(300_000)
    (server.root / "folder").mkdir()
    for number in range(1_500):
        (server.root / "folder" / f"{number:05} {'x' * 60}").write_bytes(b"")
    (server.root / "large.bin").write_bytes(content)
    (server.root / "small.bin").write_bytes(content[:60_000])
    try:
        server.start()
        account = {"username": server.username, "password": server.password}
        with open_source(server.url, **account, options={"patience_seconds": 2}) as source:  # type: ignore[attr-defined]
            assert ["folder", "large.bin", "small.bin"] == [entry.path for entry in source.list_folder("")]
            assert 1_500 == len(source.list_folder("folder"))
            for name, expected in (("large.bin", content), ("small.bin", content[:60_000])):
                with source.open(name) as file:
                    assert expected == file.read()
                    source.require_inside(name)
                assert len(expected) == source.stat(name).size
            empty_ones = [(f"folder/{number:05} {'x' * 60}", 0) for number in range(40)]
            together = source.read_together([*empty_ones, ("small.bin", 60_000)])
            assert all(
                content[:60_000] == whole.content for path, whole in together.items() if "/" not in path
            )
            if credits in (None, 12):  # two or more in flight; with less, each is read by itself
                assert {path for path, _ in empty_ones} <= together.keys()
            with pytest.raises(NotFound):
                source.stat("folder/not there")
            with pytest.raises(NotFound):
                source.open("folder/not there")
    finally:
        server.stop()


@pytest.mark.parametrize("most", [2, 3])
def test_a_server_that_takes_few_connections(samba: Samba, root: Path, proxy: Proxy, most: int) -> None:
    """Sixteen who read, and ask about what they read, take turns on what the server gives."""
    expected = {f"{number:02}.bin": bytes([number]) * 200_000 for number in range(16)}
    build_tree(root, expected)
    proxy.most = most
    source = source_through(proxy, samba)
    paths = [entry.path for entry in source.list_folder("")]

    def read(path: str) -> bytes:
        with source.open(path) as file:
            content: bytes = file.read()
            source.require_inside(path)
            assert len(content) == source.stat(path).size
        return content

    with ThreadPoolExecutor(16) as threads:
        contents = dict(zip(paths, threads.map(read, paths), strict=True))

    assert expected == contents
    assert proxy.open_connections <= most
    source.close()


def test_connections_end_with_the_source(samba: Samba, root: Path, proxy: Proxy) -> None:
    """Eight readers use one connection each and one more, reuse them, and closing the source closes all."""
    build_tree(root, {f"{n}": b"x" * 200_000 for n in range(32)})
    source = source_through(proxy, samba)

    def read(names: list[str]) -> None:
        for name in names:
            with source.open(name) as file:
                file.read()

    readers = [threading.Thread(target=read, args=([str(n) for n in range(k, 32, 8)],)) for k in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()

    assert 2 <= proxy.connections <= 9
    source.close()
    assert [thread.name for thread in threading.enumerate() if f":{proxy.port}" in thread.name] == []


def test_a_folder_of_many_pages(samba: Samba, root: Path, proxy: Proxy) -> None:
    """A folder that needs many answers is complete, each name once."""
    names = {f"{n:05} {'long name ' * 8}": b"" for n in range(3_000)}
    build_tree(root, names)
    source = source_through(proxy, samba)

    assert sorted(names) == [entry.path for entry in source.list_folder("")]
    source.close()
