"""SMB without a server: the records of the wire, what attributes and tags mean, statuses as errors."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entry import NO_STREAMS, EntryKind, NamedStream, Streams
from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionLost,
    ConnectorError,
    ItemError,
    Locked,
    NotFound,
    PathRefused,
    ReadFailed,
    ServerBusy,
    ShareUnreachable,
)
from connectors.sources.filesystem import FilesystemSource
from connectors.sources.smb import status as statuses
from connectors.sources.smb import wire
from connectors.sources.smb.carrier import structure_of
from connectors.sources.smb.entries import entries_of
from connectors.sources.smb.filesystem import SMBFileSystem
from connectors.sources.smb.login import SMBAccount
from connectors.sources.smb.source import smb_error
from connectors.sources.smb.tags import classify
from connectors.sources.smb.wire import Record, all_information, directory_records, named_streams, nanoseconds

ACCOUNT = SMBAccount(host="h", share="s")
#: 2024-01-02 03:04:05.1234567 UTC in 100 ns ticks since 1601.
TICKS = 133_486_382_451_234_567


def record_bytes(
    name: str, *, last: bool = True, attributes: int = 0x20, tag: int = 0, size: int = 7
) -> bytes:
    """One FileIdFullDirectoryInformation record as a server sends it."""
    encoded = name.encode("utf-16-le", "surrogatepass")
    body = struct.pack(
        "<IQQQQQQIIIIQ",
        0,
        TICKS,
        1,
        TICKS + 1,
        TICKS + 2,
        size,
        4096,
        attributes,
        len(encoded),
        tag,
        0,
        0xABC,
    )
    length = 4 + len(body) + len(encoded)
    padded = length + -length % 8
    return (
        struct.pack("<I", 0 if last else padded) + body + encoded + b"\0" * (0 if last else padded - length)
    )


def directory_record_bytes(record: Record, *, last: bool) -> bytes:
    """One FileIdFullDirectoryInformation record with everything that a Record has."""
    encoded = record.name.encode("utf-16-le", "surrogatepass")
    fixed = struct.pack(
        "<QQQQQQIIIIQ",
        record.created,
        1,
        record.modified,
        record.changed,
        record.size,
        4096,
        record.attributes,
        len(encoded),
        record.ea_size_or_tag,
        0,
        record.file_id,
    )
    body = fixed + encoded
    padded = 8 + len(body) + -(8 + len(body)) % 8
    return struct.pack("<II", 0 if last else padded, 0) + (body if last else body.ljust(padded - 8, b"\0"))


def record(attributes: int, tag: int = 0) -> Record:
    """A record of which only attributes and tag matter."""
    return Record("x", TICKS, TICKS, TICKS, 7, attributes, tag, 1)


def test_records_of_a_listing() -> None:
    """Names of any length, padded to eight bytes, with times, size, attributes and id."""
    buffer = (
        record_bytes("a", last=False) + record_bytes("Größe 💩.txt", last=False) + record_bytes("z" * 255)
    )
    first, second, third = directory_records(buffer)

    assert Record("a", TICKS, TICKS + 1, TICKS + 2, 7, 0x20, 0, 0xABC) == first
    assert ("Größe 💩.txt", "z" * 255) == (second.name, third.name)


def test_a_name_with_an_unpaired_surrogate_is_kept() -> None:
    """NTFS allows names that are no Unicode; they are listed and can be named again."""
    for name in ("bad\ud800name", "bad\ud800", "bad\udc00"):
        (found,) = directory_records(record_bytes(name))
        (entry,) = entries_of("", record_bytes(name))

        assert [name] * 2 == [found.name, entry.name]


def test_an_empty_listing_has_no_records() -> None:
    """An empty answer is not an error."""
    assert [] == list(directory_records(b""))


def test_file_information() -> None:
    """The parts of FileAllInformation that make a fingerprint."""
    buffer = struct.pack(
        "<QQQQIIQQIBBHQI", TICKS, 1, TICKS + 1, TICKS + 2, 0x20, 0, 4096, 7, 1, 0, 0, 0, 0xABC, 5
    )

    assert Record("", TICKS, TICKS + 1, TICKS + 2, 7, 0x20, 5, 0xABC) == all_information(
        buffer + b"name follows"
    )


def stream_bytes(name: str, size: int, *, last: bool = True) -> bytes:
    """One FileStreamInformation record as a server sends it."""
    encoded = name.encode("utf-16-le", "surrogatepass")
    padding = b"" if last else bytes(-(24 + len(encoded)) % 8)
    step = 0 if last else 24 + len(encoded) + len(padding)
    return struct.pack("<IIqq", step, len(encoded), size, 4096) + encoded + padding


def test_streams_of_a_file() -> None:
    """Every stream but the content itself, by its bare name, in the server's order, with its size."""
    content = stream_bytes("::$DATA", 7, last=False)
    named = stream_bytes(":Zone.Identifier:$DATA", 26, last=False) + stream_bytes(
        ":bad\ud800 Größe:$DATA", 1 << 40
    )

    assert NO_STREAMS == named_streams(stream_bytes("::$DATA", 7))
    assert Streams(
        (NamedStream("Zone.Identifier", 26), NamedStream("bad\ud800 Größe", 1 << 40))
    ) == named_streams(content + named)


def test_a_file_without_any_stream() -> None:
    """Folders, and empty files on some servers, have none at all; that is no lack."""
    assert NO_STREAMS == named_streams(b"")


def test_streams_that_did_not_fit_are_told_as_more() -> None:
    """What the server could not list is not taken for nothing: none, some, or half a record of them."""
    first = stream_bytes(":a:$DATA", 1, last=False)
    found = (NamedStream("a", 1),)

    assert Streams((), more=True) == named_streams(b"", complete=False)
    assert Streams(found, more=True) == named_streams(stream_bytes(":a:$DATA", 1), complete=False)
    assert Streams(found, more=True) == named_streams(first)
    assert Streams(found, more=True) == named_streams(first + stream_bytes(":b:$DATA", 1)[:20])
    assert named_streams(first + stream_bytes(":b:$DATA", 1)[:-8]).more


@given(st.binary(max_size=200))
def test_no_answer_about_streams_fails_a_file(buffer: bytes) -> None:
    """Whatever a server says of streams, reading its answer ends, without an error."""
    assert len(named_streams(buffer).found) <= len(buffer) // 24


# Of a name that begins or ends with a slash the plain way makes another one, and the short one a failed entry.
names = st.text(st.characters(), min_size=1, max_size=12).filter(
    lambda name: name == name.strip("/")
) | st.sampled_from([".", "..", "a/b", "nul\0", "ABCDEF~1.TXT", "x~", "bad\ud800name", "Größe 💩", "a b. "])
ticks = st.sampled_from([0, 1, TICKS, 2**64 - 1]) | st.integers(0, 2**64 - 1)


@given(
    st.lists(
        st.builds(
            Record,
            names,
            ticks,
            ticks,
            ticks,
            st.integers(0, 2**63),
            st.sampled_from([0x20, 0x10, 0x80, 0x410, 0x420, 0x1020, 0x1010, 0x40_0020]),
            st.sampled_from([0, 5, 0xA000_000C, 0xA000_0003, 0x8000_001E, 0xA000_0099]),
            st.sampled_from([0, 1, 0xABC, 2**64 - 1]),
        ),
        max_size=5,
    ),
    st.sampled_from(["", "a", "a/b"]),
    st.booleans(),
)
def test_entries_of_a_page_are_what_the_plain_way_makes_of_its_records(
    records: list[Record], folder: str, recall: bool
) -> None:
    """The short way from bytes to entries differs in nothing from records, fsspec's info and entries one by one."""
    page = b"".join(
        directory_record_bytes(each, last=n == len(records) - 1) for n, each in enumerate(records)
    )
    plain = FilesystemSource(SMBFileSystem(ACCOUNT, recall_offline=recall), "", display_url="smb://h/s")
    infos = [
        plain._filesystem._info_of(f"{folder}/{each.name}" if folder else each.name, each)
        for each in directory_records(page)
        if each.name not in (".", "..")
    ]
    expected = [plain._child(folder, folder, info) for info in infos]

    assert expected == entries_of(folder, page, recall_offline=recall)


def test_requests_are_what_the_library_packs() -> None:
    """Every request built by hand has the bytes that smbprotocol gives it."""
    handle = bytes(range(16))
    for message in (
        wire.open_file("a/b ü.txt").message(),
        wire.open_file("bad\ud800", recall=True, follow_data_tag=True).message("host/share"),
        wire.open_folder("").message(),
        wire.open_to_look("x").message("host/share"),
        wire.query_directory(65_536)(handle),
        wire.query_information(22, size=16_384)(handle),
        wire.read(1 << 33, 1 << 20)(handle),
        wire.close(handle),
        wire.tree_connect("\\\\host\\share"),
    ):
        assert message.body == structure_of(message).pack()


def test_a_request_costs_a_credit_for_each_64_kib() -> None:
    """As the server counts: what may come back decides."""
    assert [1, 1, 2, 16] == [wire.read(0, size)(b"").charge for size in (1, 65_536, 65_537, 1 << 20)]


def test_times_are_exact() -> None:
    """100 ns ticks since 1601 become nanoseconds since 1970, before 1970 too; 0 means none."""
    assert 1_704_164_645_123_456_700 == nanoseconds(TICKS)
    assert -100 == nanoseconds(116_444_736_000_000_000 - 1)
    assert nanoseconds(0) is None


@pytest.mark.parametrize(
    ("attributes", "tag", "kind", "reason"),
    [
        (0x20, 0, EntryKind.FILE, None),
        (0x10, 0, EntryKind.FOLDER, None),
        (0x410, 0xA000_0003, EntryKind.JUNCTION, "junction"),
        (0x420, 0xA000_000C, EntryKind.SYMLINK, "symbolic link"),
        (0x410, 0xA000_000C, EntryKind.SYMLINK, "symbolic link"),
        (0x410, 0x8000_000A, EntryKind.REPARSE, "DFS link"),
        (0x420, 0xA000_001D, EntryKind.REPARSE, "0xA000001D"),
        (0x420, 0, EntryKind.REPARSE, "0x00000000"),
        (0x420, 0x8000_0014, EntryKind.FILE, None),
        (0x420, 0x8000_001E, EntryKind.FILE, None),  # tiered by a sync agent
        (0x420, 0x8000_0013, EntryKind.FILE, None),  # deduplicated: ordinary to every reader
        (0x420, 0x8000_0017, EntryKind.FILE, None),  # compressed by WOF
        (0x1420, 0xC000_0004, EntryKind.FILE, "recall_offline"),  # HSM stub
        (0x40_0420, 0x9000_701A, EntryKind.FILE, "recall_offline"),  # dehydrated cloud file
        (0x40_1420, 0x8000_001E, EntryKind.FILE, "recall_offline"),
        (0x1020, 0, EntryKind.FILE, "recall_offline"),
        (0x4_0020, 0, EntryKind.FILE, "recall_offline"),
        (0x9010, 0, EntryKind.FOLDER, None),
    ],
)
def test_what_attributes_and_tags_mean(
    attributes: int, tag: int, kind: EntryKind, reason: str | None
) -> None:
    """Links are never followed; what holds its own data is read; what is neither fails, offline files unless told."""
    found = classify(record(attributes, tag))
    told = found.skip_reason or (found.fault and found.fault.detail)

    assert kind is found.kind
    assert (kind in (EntryKind.SYMLINK, EntryKind.JUNCTION)) is (found.skip_reason is not None)
    assert (reason is None) is (told is None)
    assert (reason or "") in (told or "")


@given(
    st.integers(0, 0xFFFF_FFFF),
    st.sampled_from([0, 0x10, 0x20, 0x1000, 0x4_0000, 0x40_0000, 0x40_1000, 0x1010]),
    st.booleans(),
)
def test_every_tag_is_read_or_a_link_or_fails(tag: int, others: int, recall: bool) -> None:
    """Without the name-surrogate bit a tag's data is the file's own; two tags are links; nothing else is left out."""
    found = classify(record(0x400 | others, tag), recall_offline=recall)
    links = {0xA000_000C: EntryKind.SYMLINK, 0xA000_0003: EntryKind.JUNCTION}
    plain = EntryKind.FOLDER if others & 0x10 else EntryKind.FILE

    assert (tag in links) is (found.skip_reason is not None)
    if tag in links:
        assert links[tag] is found.kind
    elif not tag & 0x2000_0000 and tag not in (0, 1, 2, 0x8000_000A):
        offline = plain is EntryKind.FILE and others & 0x44_1000 and not recall
        assert (plain, "offline" if offline else None) == (found.kind, found.fault and found.fault.reason)
    else:
        assert (EntryKind.REPARSE, True) == (found.kind, found.fault is not None)


def test_offline_files_are_read_when_told() -> None:
    """`recall_offline` takes the reason away, and nothing else: links stay links."""
    assert (EntryKind.FILE, None, None) == classify(record(0x1420, 0xC000_0004), recall_offline=True)
    assert EntryKind.JUNCTION is classify(record(0x1410, 0xA000_0003), recall_offline=True)[0]


@pytest.mark.parametrize(
    ("group", "error"),
    [
        (statuses.NOT_FOUND, NotFound),
        (statuses.ACCESS_DENIED, AccessDenied),
        (statuses.LOCKED, Locked),
        (statuses.CONNECTION_OVER, ConnectionLost),
        (statuses.BUSY, ServerBusy),
        ({statuses.STOPPED_ON_SYMLINK: ""}, AccessDenied),
        (statuses.PATH_REFUSED, PathRefused),
        ({statuses.DFS_LINK: ""}, ItemError),
        ({0xC000_009C: "STATUS_DEVICE_DATA_ERROR", 0xC000_0032: "", 0xDEAD_BEEF: ""}, ReadFailed),
    ],
)
def test_every_status_is_one_of_our_errors(group: dict[int, str], error: type[ConnectorError]) -> None:
    """The table of NTSTATUS values leads to the class that decides what happens next."""
    for status in group:
        assert error is type(smb_error(statuses.error_of_status(status, "a/b"), "a/b", "smb://h/s"))


def test_connecting_has_its_own_errors() -> None:
    """A refused login and an unreachable server are fatal and say what to check."""
    login = smb_error(statuses.SMBLoginError("fs01 refused the login"), "", "smb://fs01/data")
    unreachable = smb_error(statuses.SMBUnreachableError("no connection to fs01"), "", "smb://fs01/data")

    assert (AuthenticationFailed, ShareUnreachable) == (type(login), type(unreachable))
    assert "fs01 refused the login" in str(login)
    assert "check host, port and share name" in str(unreachable)


def test_what_a_server_tells_of_changes() -> None:
    """Every path below the folder, a renamed entry's both; odd names as they are; damaged answers as far as they go."""
    names = ["a\\b.txt", "old \ud800", "new"]
    records = [name.encode("utf-16-le", "surrogatepass") for name in names]
    padded = [bytes(-len(name) % 4) for name in records]
    steps = [12 + len(name) + len(pad) for name, pad in zip(records, padded, strict=True)]
    steps[-1] = 0
    buffer = b"".join(
        struct.pack("<III", step, 3, len(name)) + name + pad
        for step, name, pad in zip(steps, records, padded, strict=True)
    )

    assert {"a/b.txt", "old \ud800", "new"} == wire.changed_paths(buffer)
    assert {"a/b.txt"} == wire.changed_paths(buffer[: steps[0] + 4])
    assert set() == wire.changed_paths(b"")
