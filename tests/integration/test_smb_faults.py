"""Samba fails, restarts, changes or is attacked: nothing is lost, one line."""

from __future__ import annotations

import os

import pytest

from connectors.errors import (
    AuthenticationFailed,
    ChangedWhileReading,
    ShareUnreachable,
)
from tests.integration.server_faults import CONTENT, Opener, ServerFaults
from tests.servers.proxy import Proxy
from tests.servers.samba import Samba
from tests.trees import build_tree

pytest_plugins = ["tests.integration.openers"]


class TestSMBFaults(ServerFaults):
    """Samba."""

    @pytest.fixture
    def server(self, samba: Samba) -> Samba:
        """The Samba server."""
        return samba

    @pytest.fixture
    def open_it(self, open_smb: Opener) -> Opener:
        """Its sources."""
        return open_smb

    def test_a_crash_of_the_serving_process(self, samba: Samba, open_smb: Opener) -> None:
        """The process that serves our connection is killed: the read goes on with another one."""
        (samba.root / "large.bin").write_bytes(CONTENT)
        source = open_smb()
        with source.open("large.bin") as file:
            head = file.read(1_000_000)
            assert 1 <= samba.drop_connections()
            assert CONTENT == head + file.read()

    def test_the_password_is_changed(self, samba: Samba, open_smb: Opener) -> None:
        """After a password change the next connection ends the pass with one line; one login is tried."""
        build_tree(samba.root, {f"{n}.txt": b"1" for n in range(8)})
        with Proxy(samba.port) as proxy:
            source = open_smb(proxy.port)
            source.connect()
            old = samba.password
            samba.set_password("another-" + os.urandom(6).hex())
            try:
                proxy.drop()
                before = proxy.connections
                for n in range(8):
                    with pytest.raises(AuthenticationFailed):
                        source.open(f"{n}.txt")

                assert 1 == proxy.connections - before
            finally:
                samba.set_password(old)
            source.close()

    def test_the_share_is_gone(self, samba: Samba, open_smb: Opener) -> None:
        """A share whose folder is taken away says so instead of looking empty."""
        build_tree(samba.root, {"a.txt": b"1"})
        source = open_smb(patience_seconds=0.5)
        source.connect()
        away = samba.root.with_name("away")
        samba.root.rename(away)
        try:
            with pytest.raises(ShareUnreachable) as caught:
                source.list_folder("")
        finally:
            away.rename(samba.root)

        assert "\n" not in str(caught.value)
        assert ["a.txt"] == [entry.path for entry in source.list_folder("")]

    def test_replaced_by_one_of_the_same_size_and_time(self, samba: Samba, open_smb: Opener) -> None:
        """Another file with the same size and time in its place is told apart by its file id, also on reconnect."""
        target = samba.root / "large.bin"
        target.write_bytes(CONTENT)
        with Proxy(samba.port) as proxy:
            source = open_smb(proxy.port)
            before = source.stat("large.bin")
            with source.open("large.bin") as file:
                file.read(100_000)
                times = target.stat()
                other = samba.root / "other.bin"
                other.write_bytes(os.urandom(len(CONTENT)))
                os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
                other.replace(target)
                proxy.drop()
                with pytest.raises(ChangedWhileReading):
                    while file.read(1 << 20):
                        pass

            assert not before.fingerprint.same_content_as(source.stat("large.bin").fingerprint)
            source.close()

    @pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.torture)])
    def test_a_folder_of_many_entries(self, samba: Samba, open_smb: Opener, count: int) -> None:
        """A folder of many entries is listed completely, with four pages of some 600 entries in each round trip."""
        folder = samba.root / "many"
        folder.mkdir()
        handle = os.open(folder, os.O_RDONLY)
        for n in range(count):
            os.mknod(f"{n:06}", dir_fd=handle)
        os.close(handle)
        with Proxy(samba.port) as proxy:
            source = open_smb(proxy.port)
            source.connect()
            proxy.reset()
            listed = source.list_folder("many")

            assert count == len({entry.path for entry in listed})
            assert proxy.commands["QUERY_DIRECTORY"] < count / 400
            assert proxy.commands["messages"] < count / 1_600 + 8
            source.close()

    def test_sparse_and_dated_files(self, samba: Samba, open_smb: Opener) -> None:
        """Holes are zeroes; dates before 1970 and far in the future come to the 100 nanoseconds."""
        with open(samba.root / "sparse", "wb") as file:
            file.seek(5_000_000)
            file.write(b"end")
        os.utime(samba.root / "sparse", ns=(0, -86_400 * 365 * 10**9 + 123_456_700))
        source = open_smb()
        (entry,) = source.list_folder("")

        assert (5_000_003, -31_535_999_876_543_300) == (entry.size, entry.modified_ns)
        with source.open("sparse") as opened_file:
            assert b"\0" * 5_000_000 + b"end" == opened_file.read()
        os.utime(samba.root / "sparse", ns=(0, 4_102_444_800_123_456_700))
        assert 4_102_444_800_123_456_700 == source.stat("sparse").modified_ns

    def test_latency_costs_time_per_message_not_per_file(self, samba: Samba, open_smb: Opener) -> None:
        """A slow line changes nothing in what is asked."""
        build_tree(samba.root, {f"{n}.txt": b"x" for n in range(200)})
        with Proxy(samba.port) as proxy:
            proxy.delay_seconds = 0.01
            source = open_smb(proxy.port)
            source.connect()
            source.stat("1.txt")
            proxy.reset()

            assert 200 == len(source.list_folder(""))
            # The second one closes the folder and is not waited for: it may not have come by yet.
            assert 1 <= proxy.commands["messages"] <= 2
            source.close()
