"""The bytes of SMB2 that are read and written by hand: requests, directory records, file information, streams. Pure."""

from __future__ import annotations

from codecs import utf_16_le_decode
from collections.abc import Callable, Iterator
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from connectors.entry import NamedStream, Streams

LOGOFF, TREE_CONNECT, CREATE, CLOSE, READ, QUERY_DIRECTORY, CHANGE_NOTIFY, QUERY_INFO = (
    2,
    3,
    5,
    6,
    8,
    14,
    15,
    16,
)
#: Classes of file information ([MS-FSCC] 2.4).
FILE_ALL_INFORMATION, FILE_STREAM_INFORMATION, FILE_ATTRIBUTE_TAG_INFORMATION = 18, 22, 35
FILE_ID_FULL_DIRECTORY_INFORMATION = 38

#: Where a READ answer has its payload, from the header on: behind header and the answer's own head.
READ_PAYLOAD_AT = 80
#: In a related compound: the file that the CREATE before has opened.
PREVIOUS_FILE = b"\xff" * 16
#: Reading, writing, renaming and deleting by everybody else go on while we hold a file (P5).
SHARE_EVERYTHING = 0x1 | 0x2 | 0x4

READ_DATA = 0x0001  # for a folder: list
READ_ATTRIBUTES = 0x0080
SYNCHRONIZE = 0x0010_0000

OPTION_FOLDER = 0x0000_0001
OPTION_SEQUENTIAL = 0x0000_0004
OPTION_NOT_FOLDER = 0x0000_0040
OPTION_BACKUP_INTENT = 0x0000_4000
OPTION_REPARSE_POINT_ITSELF = 0x0020_0000
OPTION_NO_RECALL = 0x0040_0000

ATTRIBUTE_DIRECTORY = 0x0010
ATTRIBUTE_REPARSE_POINT = 0x0400
#: OFFLINE, RECALL_ON_OPEN, RECALL_ON_DATA_ACCESS: the bytes are on slower storage.
ATTRIBUTES_OFFLINE = 0x0000_1000 | 0x0004_0000 | 0x0040_0000

#: FileIdFullDirectoryInformation without its name ([MS-FSCC] 2.4.23).
DIRECTORY_RECORD = Struct("<IIQQQQQQIIIIQ")
#: FileAllInformation up to the end of EaSize ([MS-FSCC] 2.4.2).
_ALL_INFORMATION = Struct("<QQQQIIQQIBBHQI")
#: FileStreamInformation without its name ([MS-FSCC] 2.4.47).
_STREAM_INFORMATION = Struct("<IIqq")
#: CREATE response without its contexts ([MS-SMB2] 2.2.14).
_CREATE_RESPONSE = Struct("<HBBIQQQQQQII16sII")
#: A create context without name and data ([MS-SMB2] 2.2.13.2), and the one that tells the file id.
_CONTEXT = Struct("<IHHHHI")
_FILE_ID_CONTEXT = b"QFid"
_FILE_ID = Struct("<Q")
_FILE_ID_REQUEST = _CONTEXT.pack(0, 16, 4, 0, 24, 0) + _FILE_ID_CONTEXT + bytes(4)
_TAG_INFORMATION = Struct("<II")
_BUFFER_HEAD = Struct("<HHI")
_READ_HEAD = Struct("<HBBI")
#: TREE_CONNECT response ([MS-SMB2] 2.2.10), and the flag of a share that enumerates by access.
_TREE_CONNECT_RESPONSE = Struct("<HBBIII")
_ACCESS_BASED_ENUMERATION = 0x0000_0800
_HEADER_SIZE = 64
#: A message of SMB2 is charged one credit for each so many bytes that it may bring ([MS-SMB2] 3.2.4.1.5).
CREDIT_BYTES = 65_536

# Requests up to what they end with ([MS-SMB2] 2.2.9, 2.2.13, 2.2.15, 2.2.19, 2.2.33, 2.2.37).
_TREE_CONNECT_REQUEST = Struct("<HHHH")
_CREATE_REQUEST = Struct("<HBBIQQIIIIIHHII")
_CLOSE_REQUEST = Struct("<HHI16s")
_READ_REQUEST = Struct("<HBBIQ16sIIIHH")
_QUERY_DIRECTORY_REQUEST = Struct("<HBBI16sHHI")
_QUERY_INFO_REQUEST = Struct("<HBBIHHIII16s")
#: CHANGE_NOTIFY ([MS-SMB2] 2.2.35): everything below the folder, whose names, sizes and dates changed.
_CHANGE_NOTIFY_REQUEST = Struct("<HHI16sII")
_WATCH_TREE, _NAMES_SIZES_DATES = 0x1, 0x1 | 0x2 | 0x8 | 0x10 | 0x40
#: FILE_NOTIFY_INFORMATION without its name ([MS-FSCC] 2.7.1).
_CHANGED = Struct("<III")
_ANY_NAME = "*".encode("utf-16-le")
_IMPERSONATION, _FILE_OPEN = 2, 1

#: 100 ns ticks between 1601 and 1970.
UNIX_EPOCH_TICKS = 116_444_736_000_000_000


class Record(NamedTuple):
    """What the server says of one file or folder; times in its 100 ns ticks since 1601, 0 for none."""

    name: str
    created: int
    modified: int
    changed: int
    size: int
    attributes: int
    #: The reparse tag when ATTRIBUTE_REPARSE_POINT is set, else the size of the extended attributes.
    ea_size_or_tag: int
    #: 0 where the server has none or the request does not tell.
    file_id: int

    @property
    def is_folder(self) -> bool:
        """By its attributes; a junction is one, too."""
        return bool(self.attributes & ATTRIBUTE_DIRECTORY)

    @property
    def reparse_tag(self) -> int:
        """0 for everything that is no reparse point."""
        return self.ea_size_or_tag if self.attributes & ATTRIBUTE_REPARSE_POINT else 0


def nanoseconds(ticks: int) -> int | None:
    """Server time in nanoseconds since 1970 UTC; None for none."""
    return (ticks - UNIX_EPOCH_TICKS) * 100 if ticks else None


def _text(encoded: bytes) -> str:
    """A name, which NTFS allows to be no Unicode: unpaired surrogates are kept, at its end as well."""
    return utf_16_le_decode(encoded[: len(encoded) & ~1], "surrogatepass", True)[0]


def directory_records(buffer: bytes) -> Iterator[Record]:
    """The records of one QUERY_DIRECTORY answer, "." and ".." included.

    A name may hold unpaired surrogates, which NTFS allows: they are kept.
    """
    offset = 0
    while offset < len(buffer):
        (step, _, created, _, modified, changed, size, _, attributes, name_size, ea, _, file_id) = (
            DIRECTORY_RECORD.unpack_from(buffer, offset)
        )
        start = offset + DIRECTORY_RECORD.size
        name = _text(buffer[start : start + name_size])
        yield Record(name, created, modified, changed, size, attributes, ea, file_id)
        if not step:
            return
        offset += step


def all_information(buffer: bytes) -> Record:
    """A FileAllInformation answer; the name is left out."""
    (created, _, modified, changed, attributes, _, _, size, _, _, _, _, file_id, ea_size) = (
        _ALL_INFORMATION.unpack_from(buffer)
    )
    return Record("", created, modified, changed, size, attributes, ea_size, file_id)


def created_file(data: bytes) -> tuple[bytes, Record]:
    """The handle of a CREATE answer and what it says of the file (no extended attributes, no reparse tag)."""
    (_, _, _, _, created, _, modified, changed, _, size, attributes, _, handle, start, length) = (
        _CREATE_RESPONSE.unpack_from(data)
    )
    contexts = data[start - _HEADER_SIZE : start - _HEADER_SIZE + length] if length else b""
    return handle, Record("", created, modified, changed, size, attributes, 0, _file_id(contexts))


def _file_id(contexts: bytes) -> int:
    """The id in the answer's QFid context; 0 when the server did not send one."""
    offset = 0
    while offset + _CONTEXT.size <= len(contexts):
        step, name_offset, name_size, _, data_offset, _ = _CONTEXT.unpack_from(contexts, offset)
        if contexts[offset + name_offset :][:name_size] == _FILE_ID_CONTEXT:
            return int(_FILE_ID.unpack_from(contexts, offset + data_offset)[0])
        if not step:
            break
        offset += step
    return 0


def reparse_tag(buffer: bytes) -> int:
    """The tag of a FileAttributeTagInformation answer."""
    return int(_TAG_INFORMATION.unpack_from(buffer)[1])


def named_streams(buffer: bytes, *, complete: bool = True) -> Streams:
    """A FileStreamInformation answer without the file's own content, which has no name (`::$DATA`).

    Incomplete ones (the server's buffer was full, or the answer is damaged) are read as far as they go.
    """
    found: list[NamedStream] = []
    offset = 0
    while offset + _STREAM_INFORMATION.size <= len(buffer):
        step, name_size, size, _ = _STREAM_INFORMATION.unpack_from(buffer, offset)
        encoded = buffer[offset + _STREAM_INFORMATION.size :][:name_size]
        name = _text(encoded).removeprefix(":").partition(":")[0]
        if name:
            found.append(NamedStream(name, size))
        if len(encoded) < name_size or 0 < step < _STREAM_INFORMATION.size:
            return Streams(tuple(found), more=True)
        if not step:
            return Streams(tuple(found), more=not complete)
        offset += step
    return Streams(tuple(found), more=bool(buffer) or not complete)


def output_buffer(data: bytes) -> bytes:
    """The payload of a QUERY_DIRECTORY or QUERY_INFO answer."""
    _, offset, length = _BUFFER_HEAD.unpack_from(data)
    return data[offset - _HEADER_SIZE : offset - _HEADER_SIZE + length]


def read_payload(data: bytes) -> bytes:
    """The payload of a READ answer."""
    _, offset, _, length = _READ_HEAD.unpack_from(data)
    return data[offset - _HEADER_SIZE : offset - _HEADER_SIZE + length]


def hides_names(data: bytes) -> bool:
    """Whether a TREE_CONNECT answer says that the share enumerates by access."""
    return bool(_TREE_CONNECT_RESPONSE.unpack_from(data)[3] & _ACCESS_BASED_ENUMERATION)


class Message(NamedTuple):
    """A request behind its header."""

    command: int
    body: bytes
    #: Credits that it takes.
    charge: int = 1


#: A request about an open file, once its handle is known.
OnFile = Callable[[bytes], Message]


class Create(NamedTuple):
    """Open what exists, never create, share everything, ask for no oplock (its break wants an answer).

    The root of a share is wherever the server puts it, a volume mount point as well: "" is always what stands there.
    """

    #: Below the share, "/" between names; "" is its root.
    path: str
    access: int
    options: int
    #: Ask for the file's id, too.
    with_file_id: bool = False

    def message(self, prefix: str = "") -> Message:
        """As a request; `prefix` is put before the path, as a DFS namespace wants it."""
        path = f"{prefix}/{self.path}" if prefix and self.path else prefix or self.path
        name = path.replace("/", "\\").encode("utf-16-le", "surrogatepass")
        given = name or b"\0\0"
        contexts = _FILE_ID_REQUEST if self.with_file_id else b""
        padding = bytes(-len(given) % 8) if contexts else b""
        start = _HEADER_SIZE + _CREATE_REQUEST.size
        contexts_start = start + len(given) + len(padding) if contexts else 0
        access = self.access | READ_ATTRIBUTES | SYNCHRONIZE
        options = self.options & ~(0 if self.path else OPTION_REPARSE_POINT_ITSELF)
        fixed = _CREATE_REQUEST.pack(
            57, 0, 0, _IMPERSONATION, 0, 0, access, 0, SHARE_EVERYTHING, _FILE_OPEN, options, start, len(name),
            contexts_start, len(contexts),
        )  # fmt: skip
        return Message(CREATE, fixed + given + padding + contexts)


def open_folder(path: str, *, follow_data_tag: bool = False) -> Create:
    """Open a folder for its listing: a link itself, unless its tag is known to hold the folder's own entries."""
    itself = 0 if follow_data_tag else OPTION_REPARSE_POINT_ITSELF
    return Create(path, READ_DATA, OPTION_FOLDER | itself)


def open_file(path: str, *, follow_data_tag: bool = False, recall: bool = False) -> Create:
    """Open a file for reading: a link itself, unless its tag is known to hold the file's own data."""
    options = OPTION_NOT_FOLDER | OPTION_SEQUENTIAL
    options |= 0 if follow_data_tag else OPTION_REPARSE_POINT_ITSELF
    options |= 0 if recall else OPTION_NO_RECALL
    return Create(path, READ_DATA, options, with_file_id=True)


def open_to_look(path: str) -> Create:
    """Open whatever it is, itself, for its attributes alone."""
    return Create(path, 0, OPTION_REPARSE_POINT_ITSELF)


@lru_cache(maxsize=64)
def query_directory(size: int) -> OnFile:
    """Ask for the next records of a folder, with file ids, at most `size` bytes of them."""

    def on(handle: bytes) -> Message:
        start = _HEADER_SIZE + _QUERY_DIRECTORY_REQUEST.size
        fixed = _QUERY_DIRECTORY_REQUEST.pack(
            33, FILE_ID_FULL_DIRECTORY_INFORMATION, 0, 0, handle, start, len(_ANY_NAME), size
        )
        return Message(QUERY_DIRECTORY, fixed + _ANY_NAME, charge_of(size))

    return on


@lru_cache(maxsize=64)
def query_information(information_class: int, *, size: int) -> OnFile:
    """Ask for one class of file information, at most `size` bytes of it."""

    def on(handle: bytes) -> Message:
        fixed = _QUERY_INFO_REQUEST.pack(41, 1, information_class, size, 0, 0, 0, 0, 0, handle)
        return Message(QUERY_INFO, fixed, charge_of(size))

    return on


def change_notify(size: int) -> OnFile:
    """Ask to be told of the next changes below a folder, at most `size` bytes of them. Answered once there are some."""

    def on(handle: bytes) -> Message:
        fixed = _CHANGE_NOTIFY_REQUEST.pack(32, _WATCH_TREE, size, handle, _NAMES_SIZES_DATES, 0)
        return Message(CHANGE_NOTIFY, fixed, charge_of(size))

    return on


def changed_paths(buffer: bytes) -> set[str]:
    """The paths of a CHANGE_NOTIFY answer below the folder, "/" between names; a renamed entry has both."""
    found = set()
    offset = 0
    while offset + _CHANGED.size <= len(buffer):
        step, _, size = _CHANGED.unpack_from(buffer, offset)
        start = offset + _CHANGED.size
        found.add(_text(buffer[start : start + size]).replace("\\", "/"))
        if not step:
            break
        offset += step
    return found


def read(offset: int, length: int) -> OnFile:
    """Ask for a range of a file; its payload comes at READ_PAYLOAD_AT from the header."""

    def on(handle: bytes) -> Message:
        fixed = _READ_REQUEST.pack(49, READ_PAYLOAD_AT, 0, length, offset, handle, 0, 0, 0, 0, 0)
        return Message(READ, fixed + b"\0", charge_of(length))

    return on


@lru_cache(maxsize=1024)
def read_beginning(length: int) -> OnFile:
    """The same from the beginning of the file."""
    return read(0, length)


@lru_cache(maxsize=4096)
def of_previous(build: OnFile) -> Message:
    """A request about the file that the CREATE before has opened. Kept: files are asked about alike."""
    return build(PREVIOUS_FILE)


def close(handle: bytes) -> Message:
    """Release a handle."""
    return Message(CLOSE, _CLOSE_REQUEST.pack(24, 0, 0, handle))


def log_off() -> Message:
    """End the session."""
    return Message(LOGOFF, b"\x04\0\0\0")


def tree_connect(share: str) -> Message:
    r"""Connect to a share once more: \\host\name."""
    path = share.encode("utf-16-le")
    start = _HEADER_SIZE + _TREE_CONNECT_REQUEST.size
    return Message(TREE_CONNECT, _TREE_CONNECT_REQUEST.pack(9, 0, start, len(path)) + path)


def charge_of(size: int) -> int:
    """How many credits a message costs that may bring so many bytes."""
    return max(1, -(-size // CREDIT_BYTES))
