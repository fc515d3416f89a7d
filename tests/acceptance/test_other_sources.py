"""Whole migrations from WebDAV, FTP, Google Cloud Storage and Azure: all arrives, or fails in one line."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.proof import report_items, sums_add_up
from tests.program import Program, program_for
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.trees import Tree, build_tree, files_of

pytest_plugins = ["tests.servers.other_fixtures"]

TREE: Tree = {
    "Übersicht Köln.txt": "Größe".encode(),
    "100 % sure": {
        "percent%20and#hash & more.txt": b"percent",
        "empty.bin": b"",
        "deep": {"x.bin": b"\0" * 70_000},
    },
    "ledger.csv": b"a;b",
    "secret.txt": b"not for everyone",
}


@dataclass
class Kind:
    """A server with what a plan says of it, and how a test changes its content."""

    source: Callable[[int | None], dict[str, Any]]
    put: Callable[[str, bytes], None]
    port: int
    denied: set[str] | None = None
    #: The secret of a plan, which stands as ${SECRET} in it, and one that is refused.
    secret: Callable[[int], str] = lambda port: "anon"
    wrong: str = ""
    folders: list[str] = field(default_factory=list)


def in_folder(root: Path) -> Callable[[str, bytes], None]:
    """Write below a local folder."""

    def put(path: str, content: bytes) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)

    return put


def webdav(request: pytest.FixtureRequest) -> Kind:
    """WebDAV."""
    server = request.getfixturevalue("webdav_server")
    build_tree(empty(server.root), {**TREE, "nothing in it": {}})
    server.denied = set()

    def source(port: int | None) -> dict[str, Any]:
        return {
            "url": server.url_at(port or server.port),
            "username": server.username,
            "password": "${SECRET}",
        }

    def secret(port: int) -> str:
        return str(server.password)

    return Kind(source, in_folder(server.root), server.port, server.denied, secret, "no", ["nothing in it"])


def ftp(request: pytest.FixtureRequest) -> Kind:
    """FTP."""
    server = request.getfixturevalue("ftp_server")
    build_tree(empty(server.root), {**TREE, "nothing in it": {}})
    server.unreadable, server.denied = set(), set()

    def source(port: int | None) -> dict[str, Any]:
        return {
            "url": server.url_at(port or server.port),
            "username": server.username,
            "password": "${SECRET}",
        }

    def secret(port: int) -> str:
        return str(server.password)

    return Kind(
        source, in_folder(server.root), server.port, server.unreadable, secret, "no", ["nothing in it"]
    )


def google(request: pytest.FixtureRequest) -> Kind:
    """Google Cloud Storage, whose emulator lets everybody in."""
    server = request.getfixturevalue("gcs_server")
    server.clear()
    for path, content in files_of(TREE).items():
        server.put(path, content)

    def source(port: int | None) -> dict[str, Any]:
        return {
            "url": server.url,
            "options": {**server.options_at(port or server.port), "token": "${SECRET}"},
        }

    return Kind(source, server.put, server.port)


def azure(request: pytest.FixtureRequest) -> Kind:
    """Azure."""
    server = request.getfixturevalue("azurite")
    server.clear()
    for path, content in files_of(TREE).items():
        server.put(path, content)

    def source(port: int | None) -> dict[str, Any]:
        return {"url": server.url, "options": {"connection_string": "${SECRET}"}}

    def secret(port: int) -> str:
        return str(server.options_at(port)["connection_string"])

    wrong = str(server.options_at(server.port, password="d3Jvbmc=")["connection_string"])
    return Kind(source, server.put, server.port, secret=secret, wrong=wrong)


SOURCES = [webdav, ftp, google, pytest.param(azure, marks=pytest.mark.torture)]


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Kind:
    """The kind of source of this case, with a small tree."""
    opened: Kind = request.param(request)
    return opened


def program_of(kind: Kind, folder: Path, box: Sandbox, port: int | None = None) -> Program:
    """A program whose plan moves all of it as one tree with one person."""
    people = [{"login": "ann@example.com", "role": "viewer"}]
    trees = [{"source": "", "folder": "All", "collaborators": people}]
    program = program_for(folder / "run", box, kind.source(port), trees=trees)
    program.environment["SECRET"] = kind.secret(port or kind.port)
    return program


def require_arrived(box: Sandbox, files: Mapping[str, bytes]) -> None:
    """Each file once, with its bytes."""
    expected = {f"All/{path}": hashlib.sha1(content).hexdigest() for path, content in files.items()}
    assert expected == {path: file.sha1 for path, file in box.files().items()}


@pytest.mark.parametrize("kind", SOURCES, indirect=True)
@pytest.mark.gate(2)
def test_migration(kind: Kind, tmp_path: Path, box: Sandbox) -> None:
    """Every name arrives; what may not be read fails until it may; a changed file is sent again, and it alone."""
    program = program_of(kind, tmp_path, box)
    files = files_of(TREE)
    if kind.denied is not None:
        kind.denied.add("secret.txt")
        finished = program.run("migrate")
        assert 1 == finished.code, finished.output
        failed = {
            path: line["reason"] for path, line in report_items(program).items() if line["status"] == "failed"
        }
        assert {"secret.txt": "access_denied"} == failed
        assert [] == box.collaborations()
        kind.denied.clear()

    finished = program.run("migrate")

    assert 0 == finished.code, finished.output
    require_arrived(box, files)
    assert {f"All/{path}" for path in ("100 % sure", "100 % sure/deep", *kind.folders)} <= set(box.folders())
    sums_add_up(program)
    kind.put("ledger.csv", b"another;length")
    sent = box.calls.by_route["POST /files/:id/content"]
    finished = program.run("migrate")
    assert 0 == finished.code, finished.output
    require_arrived(box, {**files, "ledger.csv": b"another;length"})
    assert sent + 1 == box.calls.by_route["POST /files/:id/content"]


@pytest.mark.parametrize("kind", [*SOURCES[:2], SOURCES[3]], indirect=True)
@pytest.mark.gate(1)
def test_wrong_password(kind: Kind, tmp_path: Path, box: Sandbox) -> None:
    """One line that says what to check, and nothing of the password."""
    program = program_of(kind, tmp_path, box)
    program.environment["SECRET"] = kind.wrong

    finished = program.run("migrate")

    assert 3 == finished.code, finished.output
    assert "Traceback" not in finished.output
    lines = [
        line for line in finished.output.splitlines() if "check user and password" in line or "403" in line
    ]
    assert lines, finished.output


@pytest.mark.parametrize("kind", SOURCES, indirect=True)
@pytest.mark.gate(1)
def test_server_that_goes_away(kind: Kind, tmp_path: Path, box: Sandbox) -> None:
    """In the middle of a large file, and for a second: it is waited for, and everything arrives."""
    content = os.urandom(6_000_000)
    kind.put("large.bin", content)
    with Proxy(kind.port) as proxy:
        program = program_of(kind, tmp_path, box, proxy.port)
        proxy.drop_after(3_000_000 if "ftp" not in kind.source(None)["url"] else 2_000)

        def away() -> None:
            while not proxy.cuts:
                if over.wait(0.01):
                    return
            proxy.refusing = True
            over.wait(1.0)
            proxy.refusing = False

        over = threading.Event()
        thread = threading.Thread(target=away)
        thread.start()
        try:
            finished = program.run("migrate")
        finally:
            over.set()
            thread.join()

        assert 0 == finished.code, finished.output
        assert proxy.cuts
        require_arrived(box, {**files_of(TREE), "large.bin": content})
