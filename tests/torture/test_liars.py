"""A source that lies, of each kind, from the start or later: every entry is told of, and that is true (P1, P2)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from connectors.box.sandbox import Sandbox
from connectors.entry import Entry, EntryKind, Fault
from connectors.errors import AccessDenied, PathRefused
from connectors.sources import registry
from connectors.sources.reopening import OpenedFile
from tests.acceptance.test_live_sftp import plan_source as sftp_source
from tests.acceptance.test_live_share import plan_source as smb_source
from tests.servers.fixtures import empty
from tests.torture.liars import Lies, Told, registrations
from tests.torture.lying_share import LyingShare

KINDS = ("local", "sftp", "smb", "memory")

A, B, C, FOLDER, DEEP = "T/a.txt", "T/folder/b.txt", "T/folder/deep/c.txt", "T/folder", "T/folder/deep"
#: What comes between two passes.
NEW = "T/folder/new.txt"


@dataclass(frozen=True)
class Lie:
    """What a source says that is not so, and what can follow from it alone."""

    lies: Callable[[], Lies]
    #: Nobody can know of these when they were never listed.
    hidden: frozenset[str] = frozenset()
    #: The source denies these in every way.
    denied: frozenset[str] = frozenset()
    #: It says that these are links.
    links: frozenset[str] = frozenset()
    #: The bytes that it gives for a file, each time.
    served: dict[str, bytes] = field(default_factory=dict)


def listing(change: Callable[[str, list[Entry]], list[Entry]]) -> Callable[[], Lies]:
    """Alter listings."""
    return lambda: Lies(listed=change)


def without(*paths: str) -> Callable[[str, list[Entry]], list[Entry]]:
    """Listings without these."""
    return lambda folder, entries: [entry for entry in entries if entry.path not in paths]


def each(path: str, **changes: Any) -> Callable[[str, list[Entry]], list[Entry]]:
    """Listings in which an entry is another."""
    return lambda folder, entries: [
        replace(entry, **changes) if entry.path == path else entry for entry in entries
    ]


def looks(path: str, **changes: Any) -> Callable[[Entry], Entry]:
    """Looks at which an entry is another."""
    return lambda entry: replace(entry, **changes) if entry.path == path else entry


def fails(error: Exception, *paths: str) -> Callable[[str], None]:
    """Raise it for these paths and what is below them."""

    def fail(path: str) -> None:
        if any(path == each or path.startswith(f"{each}/") for each in paths):
            raise error

    return fail


def both(path: str, **changes: Any) -> Callable[[], Lies]:
    """It is another in each answer."""
    return lambda: Lies(
        listed=each(path, **changes), looked_at=looks(path, **changes), opened=opened_as(path, changes)
    )


def opened_as(path: str, changes: dict[str, Any]) -> Callable[[str, OpenedFile], OpenedFile]:
    """What is opened is another."""
    return lambda asked, file: replace(file, entry=replace(file.entry, **changes)) if asked == path else file


def reads(path: str, say: Callable[[bytes], bytes]) -> Callable[[], Lies]:
    """Other bytes than there are."""
    return lambda: Lies(
        opened=lambda asked, file: replace(file, raw=Told(file.raw, say)) if asked == path else file
    )


def changing(field_name: str) -> Callable[[], Lies]:
    """A field that is another one whenever it is asked for."""
    count = iter(range(1, 1_000_000))

    def alter(entry: Entry) -> Entry:
        value: Any = next(count)
        return replace(entry, **{field_name: f"{value}" if field_name == "file_id" else value * 10**12})

    return lambda: Lies(
        listed=lambda folder, entries: [alter(entry) for entry in entries],
        looked_at=alter,
        opened=lambda path, file: replace(file, entry=alter(file.entry)),
    )


def everywhere(**changes: Any) -> Callable[[], Lies]:
    """Every entry says the same."""
    return lambda: Lies(
        listed=lambda folder, entries: [replace(entry, **changes) for entry in entries],
        looked_at=lambda entry: replace(entry, **changes),
        opened=lambda path, file: replace(file, entry=replace(file.entry, **changes)),
    )


def more(*extra: Entry) -> Callable[[], Lies]:
    """Listings with entries of which nothing is there."""
    return listing(
        lambda folder, entries: [
            *entries,
            *(entry for entry in extra if entry.path.rpartition("/")[0] == folder),
        ]
    )


def twice(path: str, **changes: Any) -> Callable[[], Lies]:
    """Listings that show an entry a second time."""
    return listing(
        lambda folder, entries: [
            *entries,
            *(replace(entry, **changes) for entry in entries if entry.path == path),
        ]
    )


def not_there(*paths: str) -> FileNotFoundError:
    """The usual answer."""
    return FileNotFoundError(errno.ENOENT, "no such file")


def once(act: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """The first call alone."""
    calls = iter([act])
    return lambda *arguments: next(calls, otherwise)(*arguments)


def ghost(name: str, kind: EntryKind = EntryKind.FILE) -> Entry:
    """An entry that is not there."""
    return Entry(path=name, kind=kind, size=3 if kind is EntryKind.FILE else 0, modified_ns=10**18)


def strange(error: type[Exception]) -> Exception:
    """What no library should raise."""
    return error("nobody foresaw this")


BELOW_FOLDER = frozenset({FOLDER, DEEP, B, C})
DENIED = PermissionError(errno.EACCES, "denied")

LIES: dict[str, Lie] = {
    # listings that leave out
    "a file is left out": Lie(listing(without(A)), hidden=frozenset({A})),
    "a folder is left out": Lie(listing(without(FOLDER)), hidden=BELOW_FOLDER),
    "files are left out": Lie(listing(without(A, B, C)), hidden=frozenset({A, B, C})),
    "a folder lists nothing": Lie(
        listing(lambda folder, entries: [] if folder == FOLDER else entries), hidden=frozenset({B, C, DEEP})
    ),
    "a tree lists nothing": Lie(
        listing(lambda folder, entries: [] if folder == "T" else entries),
        hidden=frozenset({A, "T/twin", "T/twin/d.txt"}) | BELOW_FOLDER,
    ),
    "the root lists nothing": Lie(listing(lambda folder, entries: entries if folder else [])),
    "half of each listing": Lie(
        listing(lambda folder, entries: entries[: len(entries) // 2] if folder.startswith("T") else entries),
        hidden=frozenset({A, "T/twin", "T/twin/d.txt"}) | BELOW_FOLDER,
    ),
    "left out, and not there by name": Lie(
        lambda: Lies(
            listed=without(A, DEEP),
            before_listing=fails(not_there(), DEEP),
            before_look=fails(not_there(), A, DEEP),
            before_open=fails(not_there(), A, DEEP),
        ),
        hidden=frozenset({A, DEEP, C}),
        denied=frozenset({A, DEEP, C}),
    ),
    "left out, and denied by name": Lie(
        lambda: Lies(
            listed=without(A, DEEP),
            before_listing=fails(DENIED, DEEP),
            before_look=fails(DENIED, A, DEEP),
            before_open=fails(DENIED, A, DEEP),
        ),
        hidden=frozenset({A, DEEP, C}),
    ),
    # listings that say too much
    "a file twice": Lie(twice(A)),
    "a file twice, with another size": Lie(twice(A, size=7)),
    "a file twice, once as a folder": Lie(twice(A, kind=EntryKind.FOLDER, size=0)),
    "a folder twice": Lie(twice(FOLDER)),
    "a folder twice, once as a file": Lie(twice(FOLDER, kind=EntryKind.FILE)),
    "a folder twice, with another time": Lie(twice(FOLDER, modified_ns=1)),
    "a file that is not there": Lie(more(ghost("T/ghost.txt"))),
    "a folder that is not there": Lie(more(ghost("T/folder/ghosts", EntryKind.FOLDER))),
    "names that are one to Box": Lie(more(ghost("T/A.TXT"), ghost("T/Folder", EntryKind.FOLDER))),
    # what is listed is not found
    "a listed file is not found": Lie(
        lambda: Lies(before_look=fails(not_there(), A), before_open=fails(not_there(), A))
    ),
    "a listed folder is not found": Lie(
        lambda: Lies(before_listing=fails(not_there(), DEEP), before_look=fails(not_there(), DEEP))
    ),
    "a listed folder cannot be listed": Lie(lambda: Lies(before_listing=fails(not_there(), FOLDER))),
    # kinds
    "a file of no kind": Lie(both(A, kind=EntryKind.UNKNOWN)),
    "a folder of no kind": Lie(both(FOLDER, kind=EntryKind.UNKNOWN)),
    "a file of no kind when listed": Lie(listing(each(A, kind=EntryKind.UNKNOWN))),
    "a folder of no kind when listed": Lie(listing(each(FOLDER, kind=EntryKind.UNKNOWN))),
    "a device": Lie(both(A, kind=EntryKind.SPECIAL, fault=Fault("not_a_file", "a device"))),
    "a vendor's reparse point": Lie(both(FOLDER, kind=EntryKind.REPARSE)),
    "a file that is a folder when it is looked at": Lie(
        lambda: Lies(looked_at=looks(A, kind=EntryKind.FOLDER, size=0))
    ),
    "a folder that is a file when it is looked at": Lie(
        lambda: Lies(looked_at=looks(FOLDER, kind=EntryKind.FILE))
    ),
    "a file that is a link when it is looked at": Lie(
        lambda: Lies(looked_at=looks(A, kind=EntryKind.SYMLINK, skip_reason="link", size=0))
    ),
    "a folder that is a link when it is looked at": Lie(
        lambda: Lies(looked_at=looks(FOLDER, kind=EntryKind.SYMLINK, skip_reason="link"))
    ),
    "a file that is a link": Lie(
        both(A, kind=EntryKind.SYMLINK, skip_reason="link", size=0), links=frozenset({A})
    ),
    "a folder that is a junction": Lie(
        both(FOLDER, kind=EntryKind.JUNCTION, skip_reason="junction"),
        links=frozenset({FOLDER}),
        denied=BELOW_FOLDER | {NEW},
    ),
    "a file that is listed as a folder": Lie(listing(each(A, kind=EntryKind.FOLDER, size=0))),
    "a folder that is listed as a file": Lie(listing(each(FOLDER, kind=EntryKind.FILE))),
    # sizes and times
    "a size that is listed too small": Lie(listing(each(C, size=1))),
    "a size that is listed too large": Lie(listing(each(C, size=1_000))),
    "a size that is too small": Lie(both(C, size=1)),
    "a size that is too large": Lie(both(C, size=1_000)),
    "a size of nothing": Lie(both(C, size=0)),
    "no times": Lie(everywhere(modified_ns=None, changed_ns=None, created_ns=None)),
    "the same time for all": Lie(everywhere(modified_ns=10**18, changed_ns=None)),
    "times that cannot be": Lie(everywhere(modified_ns=-(10**30), changed_ns=10**30)),
    "times that never stay": Lie(changing("modified_ns")),
    "a listing with other times": Lie(
        listing(lambda folder, entries: [replace(e, modified_ns=5) for e in entries])
    ),
    # ids
    "one id for all": Lie(everywhere(file_id="1")),
    "no ids": Lie(everywhere(file_id=None)),
    "ids that never stay": Lie(changing("file_id")),
    "one id and one time for all": Lie(everywhere(file_id="1", modified_ns=10**18, changed_ns=None)),
    "one id for folders, and one is left out": Lie(
        lambda: Lies(
            listed=lambda folder, entries: [
                replace(entry, file_id="1", modified_ns=10**18, changed_ns=None, created_ns=None)
                for entry in without(FOLDER)(folder, entries)
            ],
            looked_at=lambda entry: replace(
                entry, file_id="1", modified_ns=10**18, changed_ns=None, created_ns=None
            ),
        ),
        hidden=BELOW_FOLDER,
    ),
    # refusals and strange errors
    "a folder is denied": Lie(lambda: Lies(before_listing=fails(DENIED, FOLDER))),
    "a file is denied when it is looked at": Lie(lambda: Lies(before_look=fails(DENIED, A))),
    "a file is denied when it is opened": Lie(lambda: Lies(before_open=fails(DENIED, A))),
    "a tree is denied": Lie(lambda: Lies(before_listing=fails(DENIED, "T"), before_look=fails(DENIED, "T"))),
    "a path is refused": Lie(
        lambda: Lies(
            before_listing=fails(PathRefused("too long"), DEEP),
            before_look=fails(PathRefused("too long"), C),
            before_open=fails(PathRefused("too long"), C),
        )
    ),
    "a name is too long": Lie(
        lambda: Lies(
            before_listing=fails(OSError(errno.ENAMETOOLONG, "too long"), DEEP),
            before_look=fails(OSError(errno.ENAMETOOLONG, "too long"), A),
        )
    ),
    "a disk error in a listing": Lie(lambda: Lies(before_listing=fails(OSError(errno.EIO, "disk"), FOLDER))),
    "a disk error in a look": Lie(lambda: Lies(before_look=fails(OSError(errno.EIO, "disk"), A))),
    "a strange error in a listing": Lie(lambda: Lies(before_listing=fails(strange(KeyError), FOLDER))),
    "a strange error in a look": Lie(lambda: Lies(before_look=fails(strange(ZeroDivisionError), A))),
    "a strange error in an opening": Lie(lambda: Lies(before_open=fails(strange(UnicodeError), A))),
    "a known entry has a fault": Lie(listing(each(A, fault=Fault(AccessDenied.reason, "denied")))),
    # bytes
    "reads that end early": Lie(reads(C, lambda data: data[:-1])),
    "reads of nothing": Lie(reads(C, lambda data: b"")),
    "reads that go on": Lie(reads(C, lambda data: data + b"more")),
    "other bytes": Lie(reads(C, lambda data: b"x" * len(data)), served={C: b"xxx"}),
}

#: Lied from the start, or once all is known.
WHEN = ("first", "later")

#: The gate's: of each sort one, over all kinds of sources.
SELECTED = {
    ("left out, and denied by name", "smb", "later"),
    ("one id for folders, and one is left out", "local", "later"),
    ("a folder that is listed as a file", "memory", "later"),
    ("a listed folder is not found", "sftp", "first"),
    ("reads that go on", "memory", "first"),
}


def cells() -> Iterator[object]:
    """Every lie with every kind; those that are not selected are marked."""
    for cell in product(LIES, KINDS, WHEN):
        marks = [] if cell in SELECTED else [pytest.mark.torture]
        yield pytest.param(*cell, marks=marks, id=" - ".join(cell))


@pytest.fixture
def share(
    tmp_path: Path,
    running_box: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    kind: str,
) -> LyingShare:
    """The share of this kind. The clock's only change: no two seconds before a file is tried again."""
    monkeypatch.setattr("flows.orchestration.dispatch.RETRY_SECONDS", 0.02)
    for scheme, registration in registrations(dict(registry.SOURCES)).items():
        monkeypatch.setitem(registry.SOURCES, scheme, registration)  # type: ignore[arg-type]
    if kind == "memory":
        memory = MemoryFileSystem()
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]
        return LyingShare(tmp_path, running_box, memory, "/share", {"url": "memory://share"})
    root = tmp_path / "share"
    source: dict[str, Any] = {"url": f"file://{root}"}
    if kind == "sftp":
        server = request.getfixturevalue("sftp_server")
        root, source = empty(server.root), sftp_source(server)
    if kind == "smb":
        server = request.getfixturevalue("samba")
        root, source = empty(server.root), smb_source(server)
        monkeypatch.setenv("SHARE_PW", server.password)
    return LyingShare(tmp_path, running_box, LocalFileSystem(), str(root), source)


@pytest.mark.parametrize(("name", "kind", "when"), list(cells()))
def test_every_lie_of_every_source(share: LyingShare, name: str, kind: str, when: str) -> None:
    """Whenever it is told, every entry is told of; and once nobody lies all is there as it is."""
    lie = LIES[name]
    if when == "first":
        share.assert_told(
            share.run(lie.lies()), never_seen=lie.hidden, gone=lie.denied, links=lie.links, served=lie.served
        )
        if not lie.served:  # nothing says that these bytes are not the file's
            share.assert_arrived()
        return
    assert 0 == share.run().code
    share.write(B, b"another")
    share.write(NEW, b"new")
    for _ in range(1 if (name, kind, when) in SELECTED else 2):
        ended = share.run(lie.lies())
        share.assert_told(
            ended,
            never_seen={NEW} if lie.hidden else set(),
            gone=lie.denied,
            links=lie.links,
            served=lie.served,
        )
    if not lie.served:
        share.assert_arrived()
