"""What Windows servers do with opens: backup operators read past the rights, mount points stand for other volumes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.errors import AccessDenied, ShareUnreachable
from connectors.source import Source
from connectors.sources.registry import open_source
from tests.contract import Root
from tests.servers import missing
from tests.servers.as_windows import (
    FOLDER,
    NO_OPTION,
    NOT_FOLDER,
    READING,
    SHARE_EVERYTHING,
    SYSTEM_SECURITY,
    AsWindows,
)
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.servers.samba import Samba
from tests.trees import Tree, build_tree, read_tree

TREE: Tree = {"a.txt": b"1", "sub": {"large.bin": os.urandom(300_000), "empty.txt": b""}}

OpenSource = Callable[..., Any]


@pytest.fixture
def root(samba: Samba) -> Iterator[Root]:
    """The emptied share."""
    yield Root(empty(samba.root))
    empty(samba.root)


@pytest.fixture
def open_through(samba: Samba, root: Root) -> Iterator[OpenSource]:
    """Opens sources on the server as this kind of Windows, below a folder if wanted, and closes them."""
    opened: list[Source] = []
    proxies: list[Proxy] = []

    def open_one(windows: AsWindows, share: str = "data", folder: str = "") -> Source:
        proxies.append(Proxy(samba.port))
        windows.through(proxies[-1])
        url = samba.url_of(share, proxies[-1].port) + (f"/{folder}" if folder else "")
        account = {"username": samba.username, "password": samba.password}
        opened.append(open_source(url, **account, options={"signing": False, "patience_seconds": 5}))
        opened[-1].connect()
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()
    for proxy in proxies:
        proxy.close()


def close_to_all(root: Root) -> None:
    """Make `closed`, which the account of the share `guarded` may not read, and `opened`, which it may."""
    if os.getuid() != 0:
        missing("root", "only root may take rights away from the user that Samba serves as")
    build_tree(root.path, {"closed": TREE, "opened": TREE})
    root.path.chmod(0o755)
    for path in (root.path / "closed" / "sub" / "large.bin", root.path / "closed"):
        path.chmod(0o700 if path.is_dir() else 0o600)


# --- backup intent ---


def test_a_backup_operator_reads_past_the_rights(open_through: OpenSource, root: Root) -> None:
    """Every open says that it is for a backup: what lists, what looks, what reads, what reads on."""
    close_to_all(root)
    windows = AsWindows(backup_right={"closed": "opened"})
    source = open_through(windows, "guarded")

    assert TREE == read_tree(source, "closed")
    assert 1 == source.stat("closed/a.txt").size
    assert {True} == {intends for _, intends in windows.opens}
    assert {FOLDER, NOT_FOLDER, 0} == {kind for kind, _ in windows.opens}
    # A backup operator's right to write is never asked for, and nobody is kept from the files (P5).
    assert {(True, SHARE_EVERYTHING)} == {
        (not rights & ~READING, sharing) for rights, sharing in windows.asked
    }


def test_whom_the_server_knows_as_no_backup_operator(open_through: OpenSource, root: Root) -> None:
    """What is denied is asked for once more, without; the others are read; what was tried and what to grant is told."""
    close_to_all(root)
    windows = AsWindows()
    source = open_through(windows, "guarded")
    assert TREE == read_tree(source, "opened")
    assert {True} == {intends for _, intends in windows.opens}
    with pytest.raises(AccessDenied, match=r"asked with backup intent.*Backup Operators"):
        source.list_folder("closed")

    assert 1 == sum(count for (_, intends), count in windows.opens.items() if not intends)
    assert TREE == read_tree(source, "opened")
    assert 1 == sum(count for (_, intends), count in windows.opens.items() if not intends)


@pytest.mark.parametrize("bits", [(SYSTEM_SECURITY, 0), (0, NO_OPTION)], ids=["denied", "invalid"])
@pytest.mark.parametrize("kinds", [(FOLDER, NOT_FOLDER, 0), (NOT_FOLDER,)], ids=["all", "files"])
@pytest.mark.gate(2)
def test_a_server_that_refuses_backup_intent(
    open_through: OpenSource, root: Root, bits: tuple[int, int], kinds: tuple[int, ...]
) -> None:
    """It is asked without, which is remembered: one open more of each kind, and everything is read."""
    close_to_all(root)
    windows = AsWindows(refused=dict.fromkeys(kinds, bits))
    source = open_through(windows, "guarded")

    assert TREE == read_tree(source, "opened")
    assert dict.fromkeys(kinds, 1) == {kind: windows.opens[kind, True] for kind in kinds}
    with pytest.raises(AccessDenied, match="the server refuses opens with backup intent"):
        source.list_folder("closed")


# --- volume mount points ---

ADVICE = "volume mount point or junction, not followed; .*share that itself on the server"


def test_a_root_that_is_a_mount_point_says_what_to_write(open_through: OpenSource, root: Root) -> None:
    """It is not the login's fault, nor a link like any other: one line names what it is and what to share instead."""
    root.build({"mounted": TREE})

    with pytest.raises(
        ShareUnreachable, match=f"/mounted: the root folder is no ordinary one: {ADVICE}"
    ) as told:
        open_through(AsWindows(mounted=frozenset({"mounted"})), folder="mounted")
    assert "\n" not in str(told.value)
    assert TREE == read_tree(open_through(AsWindows(), folder="mounted"))


def test_a_folder_that_is_a_mount_point_says_what_to_write(open_through: OpenSource, root: Root) -> None:
    """A tree's own folder, and what is below one: never followed, with the same advice."""
    root.build({"mounted": TREE, "beside": {"b.txt": b"2"}})
    source = open_through(AsWindows(mounted=frozenset({"mounted"})))

    for path in ("mounted", "mounted/sub"):
        with pytest.raises(AccessDenied, match=f"'mounted'.*{ADVICE}"):
            source.list_folder(path)
    with pytest.raises(AccessDenied, match=ADVICE):
        source.open("mounted/a.txt")
    assert {"b.txt": b"2"} == read_tree(source, "beside")


def test_a_share_whose_folder_is_a_mount_point_is_read(open_through: OpenSource, root: Root) -> None:
    """That is what the advice leads to: the root of a share is wherever the server puts it."""
    root.build(TREE)

    assert TREE == read_tree(open_through(AsWindows(mounted=frozenset({""}))))
