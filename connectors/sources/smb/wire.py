"""The bytes of SMB2 that are read and written by hand: directory records, file information, streams. Pure."""

from __future__ import annotations

from codecs import utf_16_le_decode
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from smbprotocol.create_contexts import SMB2CreateContextRequest
from smbprotocol.file_info import FileInformationClass, InfoType
from smbprotocol.open import (
    CreateDisposition,
    ImpersonationLevel,
    SMB2CloseRequest,
    SMB2CreateRequest,
    SMB2QueryDirectoryRequest,
    SMB2QueryInfoRequest,
    SMB2ReadRequest,
)

from connectors.entry import NamedStream, Streams

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

#: FileIdFullDirectoryInformation without its name ([MS-FSCC] 2.4.23).
_DIRECTORY_RECORD = Struct("<IIQQQQQQIIIIQ")
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
_TAG_INFORMATION = Struct("<II")
_BUFFER_HEAD = Struct("<HHI")
_READ_HEAD = Struct("<HBBI")
_HEADER_SIZE = 64

#: 100 ns ticks between 1601 and 1970.
_UNIX_EPOCH_TICKS = 116_444_736_000_000_000


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
    return (ticks - _UNIX_EPOCH_TICKS) * 100 if ticks else None


def directory_records(buffer: bytes) -> Iterator[Record]:
    """The records of one QUERY_DIRECTORY answer, "." and ".." included.

    A name may hold unpaired surrogates, which NTFS allows: they are kept.
    """
    offset = 0
    while offset < len(buffer):
        (step, _, created, _, modified, changed, size, _, attributes, name_size, ea, _, file_id) = (
            _DIRECTORY_RECORD.unpack_from(buffer, offset)
        )
        start = offset + _DIRECTORY_RECORD.size
        name = utf_16_le_decode(buffer[start : start + name_size], "surrogatepass")[0]
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
        name = utf_16_le_decode(encoded, "surrogatepass")[0].removeprefix(":").partition(":")[0]
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


def create_request(path: str, *, access: int, options: int, with_file_id: bool = False) -> SMB2CreateRequest:
    """Open what exists, never create, share everything, ask for no oplock (its break wants an answer).

    The root of a share is wherever the server puts it, a volume mount point as well: "" is always what stands there.
    """
    options &= ~(0 if path else OPTION_REPARSE_POINT_ITSELF)
    request = SMB2CreateRequest()
    request["impersonation_level"] = ImpersonationLevel.Impersonation
    request["desired_access"] = access | READ_ATTRIBUTES | SYNCHRONIZE
    request["share_access"] = SHARE_EVERYTHING
    request["create_disposition"] = CreateDisposition.FILE_OPEN
    request["create_options"] = options
    request["buffer_path"] = path.replace("/", "\\").encode("utf-16-le", "surrogatepass") or b"\0\0"
    if with_file_id:
        context = SMB2CreateContextRequest()
        context["buffer_name"] = _FILE_ID_CONTEXT
        request["buffer_contexts"] = [context]
    return request


def query_directory_request(handle: bytes, size: int) -> SMB2QueryDirectoryRequest:
    """The next records of a folder, with file ids."""
    request = SMB2QueryDirectoryRequest()
    request["file_information_class"] = FileInformationClass.FILE_ID_FULL_DIRECTORY_INFORMATION
    request["file_id"] = handle
    request["output_buffer_length"] = size
    request["buffer"] = "*".encode("utf-16-le")
    return request


def query_information_request(handle: bytes, information_class: int, *, size: int) -> SMB2QueryInfoRequest:
    """Ask for one class of file information, at most `size` bytes of it."""
    request = SMB2QueryInfoRequest()
    request["info_type"] = InfoType.SMB2_0_INFO_FILE
    request["file_info_class"] = information_class
    request["output_buffer_length"] = size
    request["file_id"] = handle
    return request


def read_request(handle: bytes, offset: int, length: int) -> SMB2ReadRequest:
    """Read a range."""
    request = SMB2ReadRequest()
    # The offset from the header at which the server puts the payload of its answer.
    request["padding"] = 80
    request["length"] = length
    request["offset"] = offset
    request["file_id"] = handle
    return request


def close_request(handle: bytes) -> SMB2CloseRequest:
    """Release a handle."""
    request = SMB2CloseRequest()
    request["file_id"] = handle
    return request
