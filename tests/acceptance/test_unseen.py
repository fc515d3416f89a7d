"""What the account may not look at is never lost in silence (P2), and nobody is let in before it has arrived (P4)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import assert_arrived, report_items, sums_add_up
from tests.acceptance.test_live_sftp import plan_source as sftp_source
from tests.acceptance.test_live_share import plan_source as smb_source
from tests.program import program_for
from tests.servers import missing
from tests.servers.fixtures import empty
from tests.servers.s3 import S3Server
from tests.trees import build_tree
from tests.unprivileged import UnprivilegedProgram

SHARE = {"D": {"ok.txt": b"ok", "locked": {"a.txt": b"a", "b.txt": b"bb", "sub": {"deep.txt": b"deep"}}}}


@contextmanager
def names_only(folder: Path) -> Iterator[None]:
    """The folder lists the names in it and nothing else (mode r--)."""
    folder.chmod(0o444)
    try:
        yield
    finally:
        folder.chmod(0o755)


def program_on(share: Path, folder: Path, box: Sandbox) -> UnprivilegedProgram:
    """The program, on a share in which it may not read what modes forbid."""
    share.mkdir()
    build_tree(share, SHARE)
    people = [{"login": "ann@example.com", "role": "viewer"}]
    trees = [{"source": "D", "collaborators": people}]
    program = program_for(folder, box, {"url": f"file://{share}"}, trees=trees)
    return UnprivilegedProgram(program.folder, program.plan, program.environment)


def test_folder_that_lists_names_only(tmp_path: Path, box: Sandbox) -> None:
    """Each name in it is a failure with its reason, nobody is let in; when it can be read all arrives."""
    share = tmp_path / "share"
    program = program_on(share, tmp_path / "run", box)
    with names_only(share / "D" / "locked"):
        for _ in range(2):  # the second pass tries again, and says the same
            finished = program.run("migrate")

            assert finished.code == 1, finished.output
            [tree] = sums_add_up(program)["trees"]
            assert ("incomplete", "failed items") == (tree["state"], tree["incomplete_reason"])
            assert {"uploaded": 2, "failed": 3, "excluded": 0} == {
                name: tree["items"][name] for name in ("uploaded", "failed", "excluded")
            }
            items = report_items(program)
            for name in ("a.txt", "b.txt", "sub"):
                line = items[f"D/locked/{name}"]
                assert ("failed", "access_denied") == (line["status"], line["reason"])
            assert box.collaborations() == []

    finished = program.run("migrate")

    assert finished.code == 0, finished.output
    assert_arrived(program, box, share)
    assert ["D"] == [grant["path"] for grant in box.collaborations()]


def test_right_that_is_taken_away(tmp_path: Path, box: Sandbox) -> None:
    """What was in Box already fails and keeps what is known of it; given back it costs no upload, nor a version."""
    share = tmp_path / "share"
    program = program_on(share, tmp_path / "run", box)
    assert program.run("migrate").code == 0
    uploads = box.calls.by_route["POST /files/content"]
    with names_only(share / "D" / "locked"):
        assert program.run("migrate").code == 1
        items = report_items(program)

    assert {"D/locked/a.txt", "D/locked/b.txt", "D/locked/sub"} == {
        path for path, line in items.items() if line["status"] == "failed"
    }
    assert "uploaded" == items["D/locked/sub/deep.txt"]["status"]

    finished = program.run("migrate")

    assert finished.code == 0, finished.output
    assert uploads == box.calls.by_route["POST /files/content"]
    assert 0 == box.calls.by_route.get("POST /files/:id/content", 0)
    assert_arrived(program, box, share)


@pytest.mark.parametrize("kind", ["sftp", "smb"])
@pytest.mark.gate(1)
def test_folder_that_lists_names_only_on_a_server(
    tmp_path: Path, box: Sandbox, request: pytest.FixtureRequest, kind: str
) -> None:
    """OpenSSH and Samba leave out what the account may not look at: the folder fails, and nothing of it is missing."""
    if os.getuid() != 0:
        missing("root", "only root may take rights away from the user that a server serves as")
    server = request.getfixturevalue({"sftp": "sftp_server", "smb": "samba"}[kind])
    share = empty(server.root)
    share.chmod(0o755)
    build_tree(share, SHARE)
    source = sftp_source(server, username="nobody") if kind == "sftp" else smb_source(server, share="guarded")
    if kind == "sftp":
        server.home.chmod(0o711)
    trees = [{"source": "D", "collaborators": [{"login": "ann@example.com", "role": "viewer"}]}]
    password = {} if kind == "sftp" else {"SHARE_PW": server.password}
    program = program_for(tmp_path / "run", box, source, environment=password, trees=trees)
    assert program.run("migrate").code == 0
    (share / "D" / "locked" / "later.txt").write_bytes(b"later")
    with names_only(share / "D" / "locked"):
        finished = program.run("migrate")
        items = report_items(program)

    assert 1 == finished.code, finished.output
    assert {"D/locked": "access_denied", "D/locked/sub": "access_denied"} == {
        path: line["reason"] for path, line in items.items() if line["status"] == "failed"
    }
    files = ("a.txt", "b.txt", "sub/deep.txt")
    assert {"uploaded"} == {items[f"D/locked/{name}"]["status"] for name in files}
    assert 0 == program.run("migrate").code
    assert_arrived(program, box, share)
    empty(server.root)


def test_objects_that_no_path_leads_to(tmp_path: Path, box: Sandbox, s3_server: S3Server) -> None:
    """Objects beside a folder of their name, and a folder without a name: each a failed line with its size, until
    somebody renames it."""
    s3_server.clear()
    for key in ("T/a", "T/a/x.txt", "T/c", "T/c/y.txt", "T//z.txt", "T/ok.txt"):
        s3_server.put(key, key.encode())
    source = {
        "url": s3_server.url,
        "username": s3_server.username,
        "password": "${KEY}",
        "options": s3_server.options,
    }
    people = [{"login": "ann@example.com", "role": "viewer"}]
    trees = [{"source": "T", "collaborators": people}]
    program = program_for(tmp_path / "run", box, source, environment={"KEY": s3_server.password}, trees=trees)
    for _ in range(2):
        finished = program.run("migrate")

        assert finished.code == 1, finished.output
        sums_add_up(program)
        items = report_items(program)
        assert {"T/(object 'a')": 3, "T/(object 'c')": 3, "T/(folder '')": 0} == {
            path: line["size"] for path, line in items.items() if line["status"] == "failed"
        }
        assert {"name_rejected"} == {line["reason"] for line in items.values() if line["reason"]}
        assert ["T/a/x.txt", "T/c/y.txt", "T/ok.txt"] == sorted(box.files())
        assert box.collaborations() == []

    for key in ("T/a", "T/c", "T//z.txt"):
        s3_server.delete(key)
    s3_server.put("T/a.txt", b"T/a")
    finished = program.run("migrate")

    assert finished.code == 0, finished.output
    assert ["T/a.txt", "T/a/x.txt", "T/c/y.txt", "T/ok.txt"] == sorted(box.files())
