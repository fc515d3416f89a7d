"""SMBSource on a real Samba server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connectors.entry import EntryKind
from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectorError,
    Locked,
    NotFound,
    ReadFailed,
    ShareUnreachable,
)
from connectors.source import Source
from connectors.sources.registry import open_source
from connectors.sources.smb.filesystem import SMBFileSystem
from connectors.sources.smb.login import SMBAccount
from tests.contract import Root, SourceContract
from tests.servers.fixtures import empty
from tests.servers.proxy import Proxy
from tests.servers.samba import Samba
from tests.trees import UGLY_TREE, read_tree

OpenSource = Callable[..., Any]


@pytest.fixture
def root(samba: Samba) -> Root:
    """The emptied share."""
    return Root(empty(samba.root))


@pytest.fixture
def open_smb(samba: Samba, root: Root) -> Iterator[OpenSource]:
    """Opens sources on the server, on other shares, ports or accounts if wanted, and closes them."""
    opened: list[Source] = []

    def open_one(share: str = "data", port: int | None = None, folder: str = "", **options: Any) -> Source:
        account = {
            "username": options.pop("username", samba.username),
            "password": options.pop("password", samba.password),
        }
        url = samba.url_of(share, port) + (f"/{folder}" if folder else "")
        opened.append(open_source(url, **account, options={"patience_seconds": 5, **options}))
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()


@pytest.fixture
def source(open_smb: OpenSource) -> Source:
    """A source over the whole share."""
    return open_smb()


@pytest.fixture
def secrets_of(samba: Samba) -> list[str]:
    """What must not be shown."""
    return [samba.password, samba.username]


class TestSMB(SourceContract):
    """Everything that every source promises."""

    # Samba answers with the modified time where Windows answers with a change time of its own.
    sees_same_size_change = False


def test_opened_file_tells_its_fingerprint(source: Source, root: Root) -> None:
    """What the server says at opening equals what the listing says, file id included."""
    root.build({"a.txt": b"content"})
    (listed,) = source.list_folder("")
    with source.open("a.txt") as file:
        assert listed.fingerprint == file.entry.fingerprint  # type: ignore[attr-defined]
        assert listed.file_id is not None


def test_a_walk_asks_nothing_per_entry(
    samba: Samba, open_smb: OpenSource, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten folders of 300 files cost four requests each, one round trip; nothing grows with the files."""
    monkeypatch.setattr("connectors.sources.ancestry.FRESH_SECONDS", 300.0)  # however slow this machine is
    root.build({f"folder {n}": {f"{m:03} {'x' * 40}.txt": b"" for m in range(300)} for n in range(10)})
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port, walkers=1)
        source.list_folder("")
        source.stat("folder 0")
        proxy.reset()
        listed = dict(source.list_folders([f"folder {n}" for n in range(10)]))

        assert 3_000 == sum(len(entries) for entries in listed.values())
        assert {"messages": 20, "CREATE": 10, "QUERY_DIRECTORY": 20, "CLOSE": 10} == dict(proxy.commands)
        source.close()


def test_a_small_file_costs_one_round_trip(
    samba: Samba, open_smb: OpenSource, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening brings the first bytes and the named streams along; closing is not waited for."""
    monkeypatch.setattr("connectors.sources.ancestry.FRESH_SECONDS", 300.0)  # however slow this machine is
    root.build({"small.txt": b"x" * 60_000})
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port)
        source.list_folder("")
        source.open("small.txt").close()  # beside open files one connection more is open
        source.stat("small.txt")  # its answer comes after the closing, which nobody waits for
        proxy.reset()
        with source.open("small.txt") as file:
            content = file.read()
        source.stat("small.txt")

        assert b"x" * 60_000 == content
        expected = {"CREATE": 2, "READ": 1, "CLOSE": 2, "QUERY_INFO": 2, "messages": 3}
        assert expected == dict(proxy.commands)
        source.close()


@pytest.mark.parametrize("command", ["get", "rename", "del"])
def test_reading_disturbs_nobody(samba: Samba, source: Source, root: Root, command: str) -> None:
    """While we read a file, another client reads, renames and deletes it, and we read on to its end."""
    content = os.urandom(5_000_000)
    root.build({"shared.bin": content})
    line = {
        "get": "get shared.bin /dev/null",
        "rename": "rename shared.bin moved.bin",
        "del": "del shared.bin",
    }
    with source.open("shared.bin") as file:
        head = file.read(1_000_000)
        samba.client(line[command])

        assert content == head + file.read()
    # The handle's close is sent without waiting; the next answer comes after it.
    source.list_folder("")
    assert (command == "get") is (root.path / "shared.bin").exists()


def test_reading_lets_others_write(samba: Samba, source: Source, root: Root) -> None:
    """While we hold a file, another client replaces its content, and `stat` sees that."""
    root.build({"shared.txt": b"old", "newer.txt": b"much newer"})
    with source.open("shared.txt") as file:
        samba.client(f'put "{root.path / "newer.txt"}" shared.txt')

        assert not source.stat("shared.txt").fingerprint.same_content_as(file.entry.fingerprint)  # type: ignore[attr-defined]


def test_it_is_an_fsspec_filesystem(samba: Samba, root: Root) -> None:
    """What fsspec offers over `ls`, `info` and `open` works, and nothing that writes does."""
    root.build({"a": {"b": {"c.txt": b"deep"}}, "top.txt": b"line 1\nline 2\n"})
    filesystem = SMBFileSystem(
        SMBAccount(
            host="127.0.0.1", share="data", port=samba.port, username=samba.username, password=samba.password
        )
    )

    assert ["a/b/c.txt", "top.txt"] == sorted(filesystem.find(""))
    assert b"deep" == filesystem.cat("a/b/c.txt")
    assert (True, False) == (filesystem.exists("a/b"), filesystem.exists("nothing"))
    with filesystem.open("top.txt", "r") as text:
        assert ["line 1\n", "line 2\n"] == list(text)
    with pytest.raises(NotImplementedError):
        filesystem.open("new.txt", "wb")
    filesystem.close()


def test_our_own_folder_of_a_share(open_smb: OpenSource, root: Root) -> None:
    """A URL with a path below the share makes that folder the root."""
    root.build({"Departments": {"Übersicht 100%": {"a.txt": b"1"}}, "other": b""})
    source = open_smb(folder="Departments/Übersicht 100%")
    source.connect()

    assert read_tree(source) == {"a.txt": b"1"}


def test_encrypted_share(open_smb: OpenSource, root: Root) -> None:
    """A share that demands encryption works, and so does demanding it of an ordinary one."""
    root.build(UGLY_TREE)

    assert read_tree(open_smb("sealed")) == UGLY_TREE
    assert read_tree(open_smb(encryption=True)) == UGLY_TREE


def test_encryption_hides_everything(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """With `encryption` no command after the login is readable on the wire."""
    root.build({"a.txt": b"1"})
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port, encryption=True)
        source.connect()
        source.open("a.txt").close()  # beside open files one connection more is open
        proxy.reset()
        read_tree(source)

        assert {"messages", "sealed"} == set(proxy.commands)
        source.close()


def test_without_signing(open_smb: OpenSource, root: Root) -> None:
    """Signing can be given up for servers that cannot."""
    root.build({"a.txt": b"1"})

    assert read_tree(open_smb(signing=False)) == {"a.txt": b"1"}


def test_altered_answers_are_not_believed(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """A byte that is changed on the way is never part of a content, whatever the read ends with."""
    content = bytes(2_000_000)
    root.build({"zeros.bin": content})
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port, patience_seconds=1)
        source.connect()
        proxy.alter = lambda data: data.replace(bytes(1000), bytes(999) + b"1")
        with pytest.raises(ConnectorError):
            source.open("zeros.bin").read()
        source.close()


def test_unsigned_answers_are_not_believed(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """An answer whose signature was taken away is refused: signing is required, not only verified if there."""
    root.build({"a.txt": b"1"})

    def unsign(data: bytes) -> bytes:
        header = data.find(b"\xfeSMB")
        if header < 0:
            return data
        flags = int.from_bytes(data[header + 16 : header + 20], "little") & ~8
        unsigned = data[: header + 16] + flags.to_bytes(4, "little") + data[header + 20 : header + 48]
        return unsigned + bytes(16) + data[header + 64 :]

    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port, patience_seconds=1)
        source.connect()
        proxy.alter = unsign
        with pytest.raises(ShareUnreachable):
            source.stat("a.txt")
        source.close()


def test_links_inside_the_share_do_not_loop(source: Source, root: Root) -> None:
    """Samba shows links as their targets; a folder that is one of its own ancestors is a link to us."""
    root.build({"a": {"b": {"file": b"x"}}})
    (root.path / "a" / "b" / "loop").symlink_to("../..")
    (root.path / "a" / "b" / "self").symlink_to(".")
    (root.path / "a" / "b" / "to a").symlink_to("../../a")
    kinds = {entry.name: (entry.kind, entry.skip_reason) for entry in source.list_folder("a/b")}
    loop = (EntryKind.SYMLINK, "leads back to a folder above it")

    assert {"file": (EntryKind.FILE, None), "loop": loop, "self": loop, "to a": loop} == kinds


def test_links_out_of_the_share_lead_nowhere(source: Source, root: Root, tmp_path: Any) -> None:
    """A link to a place outside of the share cannot be read through."""
    (tmp_path / "secret").write_text("not for you")
    (root.path / "out").symlink_to(tmp_path)
    (root.path / "file").symlink_to(tmp_path / "secret")

    for path in ("out/secret", "file"):
        with pytest.raises(ConnectorError):
            source.open(path)
    assert all(entry.kind is not EntryKind.FOLDER for entry in source.list_folder(""))


def test_dfs_links_are_listed_not_followed(open_smb: OpenSource) -> None:
    """A DFS link fails with what to do about it: no rule of the plan excludes it."""
    (link,) = open_smb("dfs").list_folder("")

    assert (link.name, link.kind) == ("link", EntryKind.REPARSE)
    assert "make its target a source of its own" in str(link.fault)


def test_backslash_and_colon_are_no_way_out(source: Source, root: Root) -> None:
    """The server's own separator and stream names are refused before anything is sent."""
    root.build({"a": {"b": b""}})
    for path in ("a\\b", "..\\..\\etc", "a/b:stream", "a/b::$DATA"):
        with pytest.raises(AccessDenied):
            source.open(path)


def test_names_that_smb_cannot_open_are_not_lost(source: Source, root: Root) -> None:
    """A name that the server lists and cannot open is an error of its own, never taken for deleted."""
    root.build({"what?.txt": b"1", "a:b": b"2", "fine": b"3"})

    assert ["a:b", "fine", "what?.txt"] == [entry.path for entry in source.list_folder("")]
    with pytest.raises(ReadFailed, match="rename it on the server"):
        source.open("what?.txt")
    with pytest.raises(AccessDenied, match="rename it"):
        source.open("a:b")


def test_substituted_names_are_noted(open_smb: OpenSource, root: Root) -> None:
    """Where Samba shows a substitute for a name that Windows forbids, the file arrives and the report says so."""
    root.build({"what?.txt": b"1", "plain.txt": b"2"})
    substitute, plain = open_smb("mangled").list_folder("")

    assert (None, "plain.txt") == (plain.note, plain.name)
    assert "instead of a name" in str(substitute.note)
    with open_smb("mangled").open(substitute.path) as file:
        assert b"1" == file.read()


def test_extended_attributes_are_noted(source: Source, root: Root) -> None:
    """A file with extended attributes says that they will not arrive; an ordinary one says nothing."""
    root.build({"plain": b"", "tagged": b""})
    try:
        os.setxattr(root.path / "tagged", "user.comment", b"important")
    except OSError:
        pytest.fail("this file system has no extended attributes")
    notes = {entry.name: entry.note for entry in source.list_folder("")}

    assert notes["plain"] is None
    assert "extended attributes" in str(notes["tagged"])
    assert notes["tagged"] == source.stat("tagged").note


def test_wrong_password(samba: Samba, open_smb: OpenSource) -> None:
    """A wrong password is one line without the secret, and tried once: it must not lock the account."""
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port, password="wrong-" + samba.password)
        with pytest.raises(AuthenticationFailed, match="check user name and password") as caught:
            source.connect()
        with pytest.raises(AuthenticationFailed):
            source.list_folder("")

        assert proxy.connections == 1
    assert samba.password not in str(caught.value) + repr(caught.value.__cause__)
    assert "\n" not in str(caught.value)


def test_a_wrong_password_of_many_threads(samba: Samba, open_smb: OpenSource) -> None:
    """Eight threads that start at once with a wrong password are one login attempt on the server."""
    with Proxy(samba.port) as proxy:
        source = open_smb(port=proxy.port, password="wrong")

        def attempt(_: int) -> str:
            with pytest.raises(AuthenticationFailed) as caught:
                source.list_folder("")
            return caught.value.reason

        with ThreadPoolExecutor(8) as pool:
            reasons = list(pool.map(attempt, range(8)))

        assert ["authentication_failed"] * 8 == reasons
        assert 2 == proxy.commands["SESSION_SETUP"]  # NTLM takes two messages


def test_right_user_does_not_lend_its_session(open_smb: OpenSource) -> None:
    """After a good login a second source with a wrong password is refused all the same."""
    open_smb().connect()

    with pytest.raises(AuthenticationFailed):
        open_smb(password="wrong").connect()


def test_wrong_share(open_smb: OpenSource) -> None:
    """A share that does not exist is one line that names it."""
    with pytest.raises(ShareUnreachable, match="has no share named 'nowhere'"):
        open_smb("nowhere").connect()


def test_wrong_folder(open_smb: OpenSource) -> None:
    """A root folder that does not exist is one line."""
    with pytest.raises(ShareUnreachable, match="the root folder does not exist"):
        open_smb(folder="not/there").connect()


def test_unreachable_host(open_smb: OpenSource) -> None:
    """A port where nobody listens is one line, at once."""
    with pytest.raises(ShareUnreachable, match="check host, port and share name") as caught:
        open_smb(port=1).connect()

    assert "\n" not in str(caught.value)


def test_access_denied(open_smb: OpenSource, root: Root) -> None:
    """What the account may not read is AccessDenied; the neighbours are listed and read."""
    root.build({"private.txt": b"1", "public.txt": b"2", "closed": {"x": b""}})
    for name in ("private.txt", "closed"):
        (root.path / name).chmod(0)
    source = open_smb("guarded")

    assert len(source.list_folder("")) == 3
    with pytest.raises(AccessDenied):
        source.open("private.txt")
    with pytest.raises(AccessDenied):
        source.list_folder("closed")
    with source.open("public.txt") as file:
        assert file.read() == b"2"


def test_locked_by_another_client(samba: Samba, source: Source, root: Root) -> None:
    """A file that another client holds exclusively is Locked; its listing and stat go on."""
    root.build({"held.docx": b"open in Word"})
    with samba.holding("held.docx"):
        with pytest.raises(Locked):
            source.open("held.docx")
        assert source.stat("held.docx").size == 12
    with source.open("held.docx") as file:
        assert file.read() == b"open in Word"


def test_byte_range_locked_by_another_client(samba: Samba, source: Source, root: Root) -> None:
    """A byte range that another client has locked is Locked as well."""
    root.build({"database.mdb": b"x" * 1000})
    with samba.locking("database.mdb"), pytest.raises(Locked):
        source.open("database.mdb").read()
    with source.open("database.mdb") as file:
        assert len(file.read()) == 1000


def test_long_paths_and_late_deletion(source: Source, root: Root) -> None:
    """Over 400 characters of path are read; what vanished between listing and opening is NotFound."""
    path = "/".join(letter * 90 for letter in "abcde")
    (root.path / path).mkdir(parents=True)
    (root.path / path / "bottom.txt").write_bytes(b"here")
    (listed,) = source.list_folder(path)

    with source.open(listed.path) as file:
        assert file.read() == b"here"
    (root.path / listed.path).unlink()
    with pytest.raises(NotFound):
        source.open(listed.path)


def test_a_share_that_hides_names_says_so(samba: Samba, open_smb: OpenSource, root: Root) -> None:
    """Access-based enumeration is in the answer to connecting to the share; the connection goes on as before."""
    root.build({"a.txt": b"1"})
    hiding, plain = open_smb("hiding"), open_smb()

    assert [True, False] == [hiding.hides_names(), plain.hides_names()]
    assert [{"a.txt": b"1"}] * 2 == [read_tree(hiding), read_tree(plain)]
