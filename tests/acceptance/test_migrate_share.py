"""The main job on every kind of source: a big ugly share arrives, byte for byte, at the fewest calls."""

from __future__ import annotations

import os
import shutil
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, local_files, sums_add_up
from tests.acceptance.shares import FILES, FOLDERS, LARGE_FILES, build_big_share
from tests.program import Program, program_for
from tests.servers.s3 import S3Server
from tests.servers.samba import Samba
from tests.servers.sftp import SFTPServer

#: Calls beyond files, folders and parts: token, who am I, landing folder, invitations, and a session's opening.
SPARE_CALLS = 20

TREES = [
    {"source": "Accounting", "collaborators": [{"login": "ann@example.com", "role": "editor"}]},
    {"source": "Legal"},
]


def linked_copy(share: Path, target: Path) -> Path:
    """The same files under another root, sharing their bytes."""
    shutil.copytree(share, target, copy_function=os.link)
    return target


class MigrationContract:
    """What every kind of source must pass with the big share."""

    #: False where the protocol keeps no modification time of ours.
    dates = True
    files, large_files, local_folders = FILES, LARGE_FILES, FOLDERS

    @property
    def folders(self) -> int:
        """Folders that arrive."""
        return self.local_folders

    @pytest.fixture
    def share(self, tmp_path: Path) -> Path:
        """The files as they lie on this machine."""
        root = tmp_path / "share"
        build_big_share(root, files=self.files, folders=self.local_folders, large=self.large_files)
        return root

    @pytest.fixture
    @abstractmethod
    def source(self, share: Path) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
        """The plan's source and the environment it needs."""

    @pytest.fixture
    def program(self, tmp_path: Path, box: Sandbox, source: tuple[dict[str, Any], dict[str, str]]) -> Program:
        """The program with a plan for this source."""
        plan_source, environment = source
        return program_for(tmp_path / "run", box, plan_source, environment=environment, trees=TREES)

    @pytest.mark.timeout(1_800)
    def test_big_share_arrives_at_the_fewest_calls(self, program: Program, box: Sandbox, share: Path) -> None:
        """All files and folders arrive byte for byte; one call each, and one listing per folder as proof."""
        finished = program.run("migrate", timeout=1_500)

        assert finished.code == 0, finished.output
        print(box.calls.by_route, box.calls.by_status)
        calls = box.calls.by_route
        listings = calls.pop("GET /folders/:id/items")
        parts = calls["PUT /files/upload_sessions/:id"]
        assert self.folders == listings
        assert calls["POST /files/content"] == self.files - self.large_files
        assert sum(calls.values()) <= self.files + self.folders + parts + SPARE_CALLS
        assert box.calls.by_status[429] == 0
        assert_arrived(program, box, share, dates=self.dates)
        assert [tree["state"] for tree in sums_add_up(program)["trees"]] == ["complete", "complete"]

        box.calls.reset()
        again = program.run("migrate")

        assert again.code == 0, again.output
        assert {"POST /oauth2/token", "GET /users/me"} >= set(box.calls.by_route)


class ATenth:
    """A tenth of the share; `make torture` moves the whole."""

    files, large_files, local_folders = 300, 1, 20


class AThird:
    """A third of the share, and all of its large files."""

    files, large_files, local_folders = 1_000, LARGE_FILES, 66


class TestSamba(AThird, MigrationContract):
    """From a real Samba share."""

    @pytest.fixture
    def source(self, share: Path, samba: Samba) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
        """A folder of the share, with the password in the environment."""
        folder = linked_copy(share, samba.root / "big")
        plan = {
            "url": f"{samba.url}/big",
            "username": samba.username,
            "port": samba.port,
            "password": "${SHARE_PW}",
        }
        yield plan, {"SHARE_PW": samba.password}
        shutil.rmtree(folder)


class TestSFTP(ATenth, MigrationContract):
    """From a real OpenSSH server."""

    @pytest.fixture
    def source(self, share: Path, sftp_server: SFTPServer) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
        """A folder of the server, with a key."""
        folder = linked_copy(share, sftp_server.root / "big")
        plan = {
            "url": f"{sftp_server.url}/big",
            "username": sftp_server.username,
            "port": sftp_server.port,
            "options": sftp_server.options,
        }
        yield plan, {}
        shutil.rmtree(folder)


class TestLocal(ATenth, MigrationContract):
    """From a folder of this machine."""

    @pytest.fixture
    def source(self, share: Path) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
        """The share itself."""
        yield {"url": share.as_uri()}, {}


@pytest.mark.torture
class TestS3(ATenth, MigrationContract):
    """From an S3-compatible server, moving between clouds; it takes 5 ms an object."""

    dates = False

    @property
    def folders(self) -> int:
        """The last five are empty: they do not exist in an object store."""
        return self.local_folders - 5

    @pytest.fixture
    def source(self, share: Path, s3_server: S3Server) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
        """The same files as objects."""
        s3_server.clear()
        for path, file in local_files(share).items():
            s3_server.put(path, file.read_bytes())
        plan = {
            "url": s3_server.url,
            "username": s3_server.username,
            "password": "${S3_SECRET}",
            "options": s3_server.options,
        }
        yield plan, {"S3_SECRET": s3_server.password}
        s3_server.clear()


class Whole:
    """3,000 files in 200 folders."""

    files, large_files, local_folders = FILES, LARGE_FILES, FOLDERS


@pytest.mark.torture
class TestWholeSamba(Whole, TestSamba):
    """The whole share from the Samba server."""


@pytest.mark.torture
class TestWholeSFTP(Whole, TestSFTP):
    """The whole share from the OpenSSH server."""


@pytest.mark.torture
class TestWholeLocal(Whole, TestLocal):
    """The whole share from a folder of this machine."""


@pytest.mark.torture
class TestWholeS3(Whole, TestS3):
    """The whole share from the S3-compatible server."""


@pytest.mark.parametrize(
    ("files", "folders", "large"),
    [(300, 20, 1), pytest.param(FILES, FOLDERS, LARGE_FILES, marks=pytest.mark.torture)],
)
def test_receipts_alone_save_the_listing(
    tmp_path: Path, box: Sandbox, files: int, folders: int, large: int
) -> None:
    """With verification by receipts a share takes files + folders + parts + 20 calls, all included."""
    share = tmp_path / "share"
    build_big_share(share, files=files, folders=folders, large=large)
    program = program_for(
        tmp_path / "run", box, {"url": share.as_uri()}, trees=TREES, transfer={"verify": "receipts"}
    )

    finished = program.run("migrate")

    assert finished.code == 0, finished.output
    parts = box.calls.by_route["PUT /files/upload_sessions/:id"]
    assert box.calls.total <= files + folders + parts + SPARE_CALLS
    assert_arrived(program, box, share)
