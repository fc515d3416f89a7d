"""A folder that gets another name while a pass is at work: nothing is lost, nothing is in Box twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from connectors.sources.local import LocalSource
from flows.transfer import completing, sending
from tests.acceptance.changing import assert_same, ids, program_on
from tests.acceptance.proof import sums_add_up
from tests.acceptance.test_renames import migrate
from tests.program import Program
from tests.servers.fixtures import empty
from tests.servers.samba import Samba
from tests.trees import Tree, build_tree

TREE: Tree = {
    "A": {"x": {"deep": {"1.txt": b"one", "2.txt": b"two"}, "3.txt": b"three"}, "4.txt": b"four"},
    "M": {"5.txt": b"five"},
}


@pytest.fixture(params=["file", pytest.param("smb", marks=pytest.mark.torture)])
def samba_or_none(request: pytest.FixtureRequest) -> Samba | None:
    """The server, where the share is to be reached by it."""
    return request.getfixturevalue("samba") if request.param == "smb" else None


@pytest.fixture
def share(tmp_path: Path, samba_or_none: Samba | None) -> Iterator[Path]:
    """A small share with old dates."""
    root = (tmp_path if samba_or_none is None else empty(samba_or_none.root)) / "share"
    root.mkdir()
    root.chmod(0o777)
    build_tree(root, TREE)
    for number, path in enumerate(sorted(root.rglob("*.txt"))):
        os.utime(path, (1_500_000_000 + number, 1_500_000_000 + number + 0.5))
    yield root
    if samba_or_none is not None:
        empty(samba_or_none.root)


@pytest.fixture
def program(
    tmp_path: Path,
    box: Sandbox,
    share: Path,
    samba_or_none: Samba | None,
    monkeypatch: pytest.MonkeyPatch,
) -> Program:
    """The program, before its first pass."""
    program = program_on(tmp_path / "run", box, share, samba_or_none)
    for name, value in program.environment.items():
        monkeypatch.setenv(name, value)
    return program


def once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, deed: Callable[..., bool]) -> None:
    """Before the first call of this function for which it says that it did something, the deed."""
    plain, done = getattr(owner, name), []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not done and deed(*args):
            done.append(True)
        return plain(*args, **kwargs)

    monkeypatch.setattr(owner, name, wrapped)


@pytest.mark.gate(2)
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("moment", ["in the walk", "before it is sent", "before it is compared"])
def test_folder_gets_another_name(
    program: Program,
    box: Sandbox,
    share: Path,
    samba_or_none: Samba | None,
    moment: str,
    known: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a first pass, or in one that has something of it to send: the next pass, at the latest, has all in place."""
    if known:
        assert migrate(program)["complete"]
        (share / "A/x/new.txt").write_bytes(b"new")
    before = ids(box)

    def rename(*args: Any) -> bool:
        (share / "A/x").rename(share / "M/another name")
        return True

    def listed(source: Any, paths: str | Sequence[str]) -> bool:
        """Over SMB a folder is listed alone, or together with others."""
        there = (share / "A/x").is_dir()
        return there and "A/x" in ([paths] if isinstance(paths, str) else paths) and rename()

    if moment == "in the walk":
        once(monkeypatch, LocalSource if samba_or_none is None else _smb(), "_list", listed)
        if samba_or_none is not None:
            once(monkeypatch, _smb(), "_list_together", listed)
    elif moment == "before it is sent":
        once(monkeypatch, sending, "send_batch", rename)
    else:
        once(monkeypatch, completing, "verify_tree", rename)

    migrate(program)
    assert (share / "M/another name").is_dir()
    for _ in range(2):
        assert migrate(program)["complete"]

    if known:
        assert before["A/x/deep/1.txt"] == ids(box)["M/another name/deep/1.txt"]
    assert {1} == set(assert_same(box, share).values())
    sums_add_up(program)


def _smb() -> type:
    from connectors.sources.smb.source import SMBSource

    return SMBSource
