"""What happens to a source when its server fails, restarts, changes or is attacked: nothing is lost, one line."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import (
    ChangedWhileReading,
    ConnectorError,
    NotFound,
    ShareUnreachable,
)
from tests.servers.proxy import Proxy
from tests.trees import build_tree, read_tree

Opener = Callable[..., Any]

CONTENT = os.urandom(1 << 20) * 12


class ServerFaults:
    """What every network source survives; `server`, `open_it` say which."""

    @pytest.fixture
    def server(self) -> Any:
        """The server, emptied."""
        raise NotImplementedError

    @pytest.fixture
    def open_it(self) -> Opener:
        """Opens sources on it."""
        raise NotImplementedError

    def test_a_drop_in_the_middle_of_a_read(self, server: Any, open_it: Opener) -> None:
        """A connection cut in the middle of a file is made again and the bytes go on where they were."""
        (server.root / "large.bin").write_bytes(CONTENT)
        with Proxy(server.port) as proxy:
            source = open_it(proxy.port)
            with source.open("large.bin") as file:
                head = file.read(1_000_000)
                proxy.drop()

                assert CONTENT == head + file.read()
            assert 1 <= proxy.cuts
            source.close()

    @pytest.mark.parametrize("after", [100, 70_000, 3_000_000, 9_999_999])
    @pytest.mark.gate(2)
    def test_a_drop_at_any_byte(self, server: Any, open_it: Opener, after: int) -> None:
        """Wherever the stream is cut, inside a message too, the content is the same."""
        (server.root / "large.bin").write_bytes(CONTENT)
        with Proxy(server.port) as proxy:
            source = open_it(proxy.port)
            source.connect()
            proxy.drop_after(after)
            with source.open("large.bin") as file:
                assert CONTENT == b"".join(iter(lambda: file.read(500_000), b""))
            assert 1 <= proxy.cuts
            source.close()

    def test_a_drop_during_a_walk(self, server: Any, open_it: Opener) -> None:
        """Connections that are cut again and again cost a walk nothing but time."""
        # Many: a source may list thirty by one call.
        tree = {f"f{n:03}": {f"{m}.txt": b"" for m in range(5)} for n in range(160)}
        build_tree(server.root, tree)
        with Proxy(server.port) as proxy:
            source = open_it(proxy.port)
            found = {}
            for path, entries in source.list_folders(sorted(tree)):
                found[path] = sorted(entry.name for entry in entries)
                if len(found) % 10 == 0:
                    proxy.drop()

            assert {name: sorted(children) for name, children in tree.items()} == found
            assert 3 <= proxy.cuts
            source.close()

    def test_a_bad_line(self, server: Any, open_it: Opener) -> None:
        """Eight readers on a line that is cut ten times a second get every byte of every file."""
        files = {f"{n:02}.bin": os.urandom(400_000 + n) for n in range(40)}
        build_tree(server.root, files)
        with Proxy(server.port) as proxy:
            source = open_it(proxy.port)
            over = threading.Event()

            def cut() -> None:
                for _ in range(15):
                    if over.wait(0.1):
                        return
                    proxy.drop()

            def read(name: str) -> tuple[str, bytes]:
                with source.open(name) as file:
                    return name, file.read()

            cutter = threading.Thread(target=cut)
            cutter.start()
            with ThreadPoolExecutor(8) as pool:
                found = dict(pool.map(read, files))
            over.set()
            cutter.join()

            assert files == found
            source.close()

    def test_a_restart_in_the_middle(self, server: Any, open_it: Opener) -> None:
        """The server is stopped while a file is read and comes back later: the read waits and goes on."""
        (server.root / "large.bin").write_bytes(CONTENT)
        source = open_it()
        with source.open("large.bin") as file:
            head = file.read(3_000_000)
            server.halt()
            back = threading.Timer(1.0, server.start)
            back.start()
            try:
                assert CONTENT == head + file.read()
            finally:
                back.join()
        assert ["large.bin"] == [entry.path for entry in source.list_folder("")]

    def test_a_server_that_stays_away(self, server: Any, open_it: Opener) -> None:
        """After the patience is used up the share is unreachable: one line, no item blamed."""
        (server.root / "a.txt").write_bytes(b"1")
        with Proxy(server.port) as proxy:
            source = open_it(proxy.port, patience_seconds=0.5)
            source.connect()
            proxy.refusing = True
            proxy.drop()
            with pytest.raises(ShareUnreachable) as caught:
                source.open("a.txt")

            assert "\n" not in str(caught.value)
            proxy.refusing = False
            with source.open("a.txt") as file:
                assert b"1" == file.read()
            source.close()

    def test_a_server_that_never_answers(self, server: Any, open_it: Opener) -> None:
        """A server that takes the connection and says nothing ends in one line, not in waiting for ever."""
        with Proxy(server.port) as proxy:
            proxy.delay_seconds = 30.0
            source = open_it(proxy.port, connect_timeout_seconds=1, request_timeout_seconds=1)
            with pytest.raises(ShareUnreachable):
                source.connect()
            source.close()

    def test_changed_while_the_connection_was_away(self, server: Any, open_it: Opener) -> None:
        """A file that is another one after the reconnect is not glued together from two halves."""
        (server.root / "large.bin").write_bytes(CONTENT)
        with Proxy(server.port) as proxy:
            source = open_it(proxy.port)
            with source.open("large.bin") as file:
                file.read(100_000)
                (server.root / "large.bin").write_bytes(os.urandom(len(CONTENT) + 1))
                proxy.drop()
                with pytest.raises(ChangedWhileReading):
                    while file.read(1 << 20):
                        pass
            source.close()

    def test_gone_while_the_connection_was_away(self, server: Any, open_it: Opener) -> None:
        """A file that is gone after the reconnect is NotFound."""
        (server.root / "large.bin").write_bytes(CONTENT)
        with Proxy(server.port) as proxy:
            source = open_it(proxy.port)
            with source.open("large.bin") as file:
                file.read(100_000)
                (server.root / "large.bin").unlink()
                proxy.drop()
                with pytest.raises(NotFound):
                    while file.read(1 << 20):
                        pass
            source.close()

    def test_growing_while_it_is_read(self, server: Any, open_it: Opener) -> None:
        """A file that grows while it is read is told apart by `stat` afterwards."""
        (server.root / "log.txt").write_bytes(CONTENT)
        source = open_it()
        before = source.stat("log.txt")
        with source.open("log.txt") as file:
            file.read(100_000)
            with open(server.root / "log.txt", "ab") as log:
                log.write(b"another line")
            file.read()

        assert not before.fingerprint.same_content_as(source.stat("log.txt").fingerprint)

    def test_shrinking_while_it_is_read(self, server: Any, open_it: Opener) -> None:
        """A file that is cut while it is read ends early and is told apart by `stat` afterwards."""
        (server.root / "log.txt").write_bytes(CONTENT)
        source = open_it()
        before = source.stat("log.txt")
        with source.open("log.txt") as file:
            file.read(100_000)
            os.truncate(server.root / "log.txt", 200_000)
            rest = file.read()

        assert len(rest) < len(CONTENT) - 100_000
        assert not before.fingerprint.same_content_as(source.stat("log.txt").fingerprint)

    def test_renamed_and_deleted_between_walk_and_read(self, server: Any, open_it: Opener) -> None:
        """What was listed and is gone is NotFound; what is new under another name is listed next time."""
        build_tree(server.root, {"f": {"a": b"1", "b": b"2"}})
        source = open_it()
        source.list_folder("f")
        (server.root / "f" / "a").rename(server.root / "f" / "c")
        (server.root / "f" / "b").unlink()

        for path in ("f/a", "f/b"):
            with pytest.raises(NotFound):
                source.open(path)
        assert ["f/c"] == [entry.path for entry in source.list_folder("f")]

    def test_a_folder_that_became_a_link(self, server: Any, open_it: Opener, tmp_path: Path) -> None:
        """A folder that is replaced by a link out of the root after the walk leads nowhere."""
        (tmp_path / "secret.txt").write_text("not for you")
        build_tree(server.root, {"f": {"a": b"1"}})
        (server.root / "f").rename(server.root / "g")
        (server.root / "f").symlink_to(tmp_path)
        source = open_it()

        with pytest.raises(ConnectorError):
            source.open("f/secret.txt")
        with pytest.raises(ConnectorError):
            source.list_folder("f")

    def test_an_unreadable_folder_in_the_middle(self, server: Any, open_it: Opener) -> None:
        """One folder that vanishes during the walk is an error of its own, the others are listed."""
        build_tree(server.root, {"a": {"1": b""}, "b": {"2": b""}, "c": {"3": b""}})
        source = open_it()
        source.list_folder("")
        (server.root / "b" / "2").unlink()
        (server.root / "b").rmdir()
        found = dict(source.list_folders(["a", "b", "c"]))

        assert isinstance(found["b"], NotFound)
        assert (["a/1"], ["c/3"]) == ([e.path for e in found["a"]], [e.path for e in found["c"]])

    def test_a_source_survives_a_fork(self, server: Any, open_it: Opener) -> None:
        """A forked child makes connections of its own and leaves the parent's alone."""
        build_tree(server.root, {"a.txt": b"1"})
        source = open_it()
        source.connect()
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            # Forking with threads is what this is about; Python 3.12 warns of it.
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:
            try:
                os.write(writer, ",".join(read_tree(source)).encode())
            finally:
                os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        said = os.read(reader, 100)
        os.close(reader)

        assert b"a.txt" == said
        assert {"a.txt": b"1"} == read_tree(source)
