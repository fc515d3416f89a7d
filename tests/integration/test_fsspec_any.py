"""FilesystemSource on fsspec filesystems that have no source of their own: memory and S3."""

from __future__ import annotations

import io
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from connectors.entry import EntryKind
from connectors.errors import AuthenticationFailed, ChangedWhileReading, ShareUnreachable
from connectors.source import Source
from connectors.sources.registry import open_source
from tests.contract import Root, SourceContract, StoreRoot, without_empty_folders
from tests.servers.proxy import Proxy
from tests.servers.s3 import S3Server
from tests.trees import UGLY_TREE


class MemoryRoot(StoreRoot):
    """A folder of fsspec's memory filesystem."""

    def __init__(self, name: str) -> None:
        self._filesystem = fsspec.filesystem("memory")
        self._name = name
        self._filesystem.mkdir(name)
        super().__init__(lambda path, content: self._filesystem.pipe_file(f"{name}/{path}", content))


class TestMemory(SourceContract):
    """Everything that every source promises, as far as the memory filesystem can."""

    tree = without_empty_folders(UGLY_TREE)
    has_file_ids = False

    @pytest.fixture
    def root(self) -> Root:
        """An empty folder of its own."""
        return MemoryRoot(f"/{uuid.uuid4()}")

    @pytest.fixture
    def source(self, root: MemoryRoot) -> Iterator[Source]:
        """A source over it."""
        opened = open_source(f"memory:/{root._name}")
        yield opened
        opened.close()

    @pytest.fixture
    def secrets_of(self) -> list[str]:
        """It has none."""
        return []


def s3_source(server: S3Server, **options: object) -> Source:
    """A source over the server's folder."""
    return open_source(
        server.url, username=server.username, password=server.password, options={**server.options, **options}
    )


class TestS3(SourceContract):
    """Everything that every source promises, as far as an object store can."""

    tree = without_empty_folders(UGLY_TREE)

    @pytest.fixture
    def root(self, s3_server: S3Server) -> Root:
        """An emptied bucket."""
        s3_server.clear()
        return StoreRoot(s3_server.put)

    @pytest.fixture
    def source(self, s3_server: S3Server, root: Root) -> Iterator[Source]:
        """A source over a folder of the bucket."""
        opened = s3_source(s3_server)
        yield opened
        opened.close()

    @pytest.fixture
    def secrets_of(self, s3_server: S3Server) -> list[str]:
        """What must not be shown."""
        return [s3_server.username, s3_server.password]

    def test_odd_keys_are_reported(self, source: Source, s3_server: S3Server) -> None:
        """Keys that are no paths are listed with a fault, each under a name of its own; a folder marker is no entry."""
        s3_server.put("folder/", b"")
        s3_server.put("folder/file", b"1")
        s3_server.put("folder//empty name", b"2")
        s3_server.put("folder/../up", b"3")
        s3_server.put("both", b"four")
        s3_server.put("both/", b"fives")
        s3_server.put("both/inner", b"6")
        s3_server.put("two", b"seven")
        s3_server.put("two/inner", b"8")
        s3_server.put("(object 'two')", b"9")

        def listed(folder: str) -> dict[str, tuple[EntryKind, int, bool]]:
            entries = source.list_folder(folder)
            found = {entry.path: (entry.kind, entry.size, entry.fault is not None) for entry in entries}
            assert len(entries) == len(found)
            assert [] == [entry for entry in entries if not entry.name or entry.skip_reason]
            return found

        assert {
            "folder/(folder '')": (EntryKind.UNKNOWN, 0, True),
            "folder/(folder '..')": (EntryKind.UNKNOWN, 0, True),
            "folder/file": (EntryKind.FILE, 1, False),
        } == listed("folder")
        assert {
            "(object 'both')": (EntryKind.FILE, 4, True),
            "(object 'two')": (EntryKind.FILE, 1, False),
            "(object 'two')~": (EntryKind.FILE, 5, True),
            "both": (EntryKind.FOLDER, 0, False),
            "folder": (EntryKind.FOLDER, 0, False),
            "two": (EntryKind.FOLDER, 0, False),
        } == listed("")
        assert {
            "both/(object '')": (EntryKind.FILE, 5, True),
            "both/inner": (EntryKind.FILE, 1, False),
        } == listed("both")

    def test_a_server_that_comes_back(self, s3_server: S3Server, root: Root) -> None:
        """While the store refuses connections a read waits, and goes on when it is back."""
        content = os.urandom(20_000_000)
        root.build({"large.bin": content})
        with Proxy(s3_server.port) as proxy:
            source = s3_source(s3_server, endpoint_url=f"http://127.0.0.1:{proxy.port}")
            with source.open("large.bin") as file:
                head = file.read(1_000)
                proxy.refusing = True
                proxy.drop()
                threading.Timer(1.0, setattr, (proxy, "refusing", False)).start()

                assert content == head + file.read()
            source.close()

    def test_changed_while_it_is_read(self, source: Source, root: Root) -> None:
        """An object that is replaced between two requests is not glued together from two halves."""
        root.build({"large.bin": os.urandom(20_000_000)})
        with source.open("large.bin") as file:
            file.read(1_000)
            root.write("large.bin", os.urandom(20_000_000))
            with pytest.raises(ChangedWhileReading):
                while file.read(1 << 20):
                    pass

    def test_wrong_bucket(self, s3_server: S3Server) -> None:
        """A bucket that does not exist is one line."""
        source = open_source(
            "s3://nowhere/x",
            username=s3_server.username,
            password=s3_server.password,
            options=s3_server.options,
        )
        with pytest.raises((ShareUnreachable, AuthenticationFailed)) as caught:
            source.connect()

        assert "\n" not in str(caught.value)


class OneLane(MemoryFileSystem):  # type: ignore[misc]
    """A filesystem with one control connection, on which the answers of two calls at once are mixed up."""

    protocol = "onelane"
    cachable = False
    made: ClassVar[list[OneLane]] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> Any:
        return super()._strip_protocol(path.removeprefix("onelane:/"))

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._busy = threading.Lock()
        self.made.append(self)

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        """As of memory, if nobody else asks."""
        with self._alone():
            return super().ls(path, detail=detail, **kwargs)

    def info(self, path: str, **kwargs: Any) -> Any:
        """As of memory, if nobody else asks."""
        with self._alone():
            return super().info(path, **kwargs)

    def _open(self, path: str, *arguments: Any, **kwargs: Any) -> Any:
        self._require_free()
        self._busy.acquire()
        opened = io.BytesIO(bytes(super()._open(path, *arguments, **kwargs).getbuffer()))
        close = opened.close

        def end() -> None:
            if self._busy.locked():
                self._busy.release()
            close()

        opened.details = {"name": path, "type": "file", "size": len(opened.getvalue())}  # type: ignore[attr-defined]
        opened.close = end  # type: ignore[method-assign]
        return opened

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._require_free()
        with self._busy:
            time.sleep(0.01)
            yield

    def _require_free(self) -> None:
        if self._busy.locked():
            raise AssertionError("two calls on one connection")


@pytest.mark.parametrize("walkers", [1, 6])
def test_a_filesystem_that_is_not_safe_for_threads(walkers: int) -> None:
    """Each call that runs at the same time, and each open file, has one of its own; `walk_threads` is the most."""
    fsspec.register_implementation("onelane", OneLane, clobber=True)
    memory, root = fsspec.filesystem("memory"), f"/{uuid.uuid4()}"
    for folder in range(60):
        memory.pipe_file(f"{root}/{folder}/file", b"%d" % folder)
    OneLane.made.clear()
    source = open_source(f"onelane:/{root}", walkers=walkers)

    listed = dict(source.list_folders([str(folder) for folder in range(60)]))
    with source.open("3/file") as file:
        assert 1 == source.stat("4/file").size
        assert b"3" == file.read()

    assert {str(folder): [f"{folder}/file"] for folder in range(60)} == {
        path: [entry.path for entry in entries]
        for path, entries in listed.items()
        if isinstance(entries, list)
    }
    assert 2 <= len(OneLane.made) <= max(2, walkers)
    source.close()


@pytest.mark.parametrize("scheme", ["webhdfs"])
def test_a_server_that_is_nowhere(scheme: str) -> None:
    """A port where nobody listens is one line, whether the filesystem connects when it is made or later."""
    with pytest.raises(ShareUnreachable) as caught:
        open_source(f"{scheme}://127.0.0.1:1/x", options={}).connect()

    assert "\n" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
