"""A share, local or on Samba, that people change between passes, and what Box was asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from connectors.box.sandbox import Sandbox
from tests.acceptance.shares import digest
from tests.program import Program, program_for
from tests.servers.samba import Samba

#: Signing in, and what a run looks at before it begins.
OVERHEAD = ("POST /oauth2/token", "GET /users/me", "GET /folders/:id", "GET /users/:id")


def program_on(folder: Path, box: Sandbox, share: Path, samba: Samba | None, **plan: Any) -> Program:
    """The program with this share as one tree; over SMB where there is a server."""
    plan = {"trees": [{"source": "", "folder": "All"}], **plan}
    if samba is None:
        return program_for(folder, box, {"url": share.as_uri()}, **plan)
    source = {
        "url": f"smb://127.0.0.1/data/{share.relative_to(samba.root).as_posix()}",
        "username": samba.username,
        "password": "${SHARE_PW}",
        "port": samba.port,
    }
    return program_for(folder, box, source, environment={"SHARE_PW": samba.password}, **plan)


def calls_of(program: Program, box: Sandbox, *arguments: str, code: int = 0) -> dict[str, int]:
    """Calls by route of one run, without the overhead that every run has."""
    box.calls.reset()
    finished = program.run("migrate", *arguments)
    assert code == finished.code, finished.output
    return {route: count for route, count in box.calls.by_route.items() if route not in OVERHEAD}


def ids(box: Sandbox) -> dict[str, str]:
    """Path below the tree's folder → Box id, of everything."""
    return {path.removeprefix("All/"): entry["id"] for path, entry in box.tree().items() if path != "All"}


def assert_same(
    box: Sandbox, share: Path, *, dates: bool = True, letters: Callable[[str], str] = str
) -> Mapping[str, int]:
    """Box has the folders and files of the share and nothing else, with their bytes and dates; versions by path.

    `letters`: str to compare names as they are, str.casefold to take for one what Box takes for one.
    """
    files = {letters(path.relative_to(share).as_posix()): path for path in share.rglob("*") if path.is_file()}
    folders = {letters(path.relative_to(share).as_posix()) for path in share.rglob("*") if path.is_dir()}
    in_box = {letters(path.removeprefix("All/")): file for path, file in box.files().items()}
    assert {path: digest(file) for path, file in files.items()} == {
        path: file.sha1 for path, file in in_box.items()
    }
    assert folders == {letters(path.removeprefix("All/")) for path in box.folders() if path != "All"}
    if dates:
        assert {path: int(file.stat().st_mtime) for path, file in files.items()} == {
            path: file.content_modified for path, file in in_box.items()
        }
    return {path: file.versions for path, file in in_box.items()}
