"""What a record is for a migration, by its attributes and its reparse tag. Pure."""

from __future__ import annotations

import re

from connectors.entry import EntryKind
from connectors.sources.smb import wire

SUBSTITUTE_NAME_NOTE = "looks like what the server shows instead of a name that Windows does not allow"
EXTENDED_ATTRIBUTES_NOTE = "has extended attributes, which Box does not keep"

#: How Samba mangles names by default.
_SUBSTITUTE_NAME = re.compile(r"^[0-9A-Z_]{6}~[0-9A-Z](\.[0-9A-Z_]{1,3})?$")
_OFFLINE = 0x0000_1000 | 0x0004_0000 | 0x0040_0000  # OFFLINE, RECALL_ON_OPEN, RECALL_ON_DATA_ACCESS

_TAG_SYMLINK = 0xA000_000C
_TAG_MOUNT_POINT = 0xA000_0003
_TAG_DFS = 0x8000_000A
#: Reparse points that hold the file's own data: deduplicated, compressed, replicated or tiered files.
_DATA_TAGS = frozenset(
    {0x8000_0013, 0x8000_0017, 0x8000_0012, 0xC000_0004, 0x8000_0006, 0x8000_0007, 0x9000_001B}
)
_TAG_CLOUD = 0x9000_001A
_CLOUD_MASK = 0xFFFF_0FFF


def classify(record: wire.Record, *, recall_offline: bool = False) -> tuple[EntryKind, str | None]:
    """What a record is for a migration, and why it is not read, by [MS-FSCC] 2.1.2.1 and 2.6."""
    plain = EntryKind.FOLDER if record.is_folder else EntryKind.FILE
    tag = record.reparse_tag
    if record.attributes & wire.ATTRIBUTE_REPARSE_POINT and not holds_own_data(tag):
        return _link_kind(tag)
    if plain is EntryKind.FILE and record.attributes & _OFFLINE and not recall_offline:
        return plain, "offline: its bytes are on slower storage; set recall_offline to have them recalled"
    return plain, None


def note_of(record: wire.Record) -> str | None:
    """What of it will not arrive in Box; None when nothing is lost."""
    if not record.reparse_tag and record.ea_size_or_tag:
        return EXTENDED_ATTRIBUTES_NOTE
    return SUBSTITUTE_NAME_NOTE if _SUBSTITUTE_NAME.match(record.name) else None


def holds_own_data(tag: int) -> bool:
    """True for a reparse point whose data is the file's own."""
    return tag in _DATA_TAGS or tag & _CLOUD_MASK == _TAG_CLOUD


def _link_kind(tag: int) -> tuple[EntryKind, str]:
    if tag == _TAG_SYMLINK:
        return EntryKind.SYMLINK, "symbolic link, not followed"
    if tag == _TAG_MOUNT_POINT:
        return EntryKind.JUNCTION, "junction or mount point, not followed"
    if tag == _TAG_DFS:
        return EntryKind.REPARSE, "DFS link, not followed; make its target a source of its own"
    return EntryKind.REPARSE, f"reparse point 0x{tag:08X}, not followed"


def file_id_of(number: int) -> str | None:
    """The id in text; None where the file system has none."""
    # Both mean that the file system has no ids ([MS-FSCC] 2.1.9).
    return None if number in (0, 0xFFFF_FFFF_FFFF_FFFF) else f"{number:x}"
