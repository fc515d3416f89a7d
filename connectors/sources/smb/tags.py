"""What a record is for a migration, by its attributes and its reparse tag. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from connectors.entry import SUBSTITUTE_NAME_NOTE, EntryKind, Fault
from connectors.errors import Offline, Unclassified
from connectors.sources.smb import wire

EXTENDED_ATTRIBUTES_NOTE = "has extended attributes, which Box does not keep"

#: How Samba mangles names by default.
_SUBSTITUTE_NAME = re.compile(r"^[0-9A-Z_]{6}~[0-9A-Z](\.[0-9A-Z_]{1,3})?$")

_TAG_SYMLINK = 0xA000_000C
_TAG_MOUNT_POINT = 0xA000_0003
_TAG_DFS = 0x8000_000A
#: Reserved: a server that sends one of these says nothing ([MS-FSCC] 2.1.2.1).
_NO_TAGS = frozenset({0, 1, 2})
#: The bit of a tag whose file stands for something else; without it the data is the file's own.
_NAME_SURROGATE = 0x2000_0000

_LINKS = {
    _TAG_SYMLINK: (EntryKind.SYMLINK, "symbolic link, not followed"),
    _TAG_MOUNT_POINT: (
        EntryKind.JUNCTION,
        "volume mount point or junction, not followed; to move what it leads to, share that itself on the server, and "
        "name that share as the source",
    ),
}
OFFLINE = Fault(
    Offline.reason,
    "its bytes are on slower storage; set recall_offline in the source's options to recall them",
)


class Class(NamedTuple):
    """What a record is for a migration."""

    kind: EntryKind
    #: It is a link, and this says which.
    skip_reason: str | None = None
    #: It is not read, and no rule of the plan says so.
    fault: Fault | None = None

    @property
    def why(self) -> str:
        """Why nobody reads it; "" for what is read."""
        return self.skip_reason or (self.fault.detail if self.fault is not None else "")


def classify(record: wire.Record, *, recall_offline: bool = False) -> Class:
    """What a record is for a migration, by [MS-FSCC] 2.1.2.1 and 2.6: only what is proven to be a link is one."""
    plain = EntryKind.FOLDER if record.is_folder else EntryKind.FILE
    if record.attributes & wire.ATTRIBUTE_REPARSE_POINT and not holds_own_data(record.reparse_tag):
        return _of_surrogate(record.reparse_tag)
    if plain is EntryKind.FILE and record.attributes & wire.ATTRIBUTES_OFFLINE and not recall_offline:
        return Class(plain, fault=OFFLINE)
    return Class(plain)


def note_of(record: wire.Record) -> str | None:
    """What of it will not arrive in Box; None when nothing is lost."""
    if not record.reparse_tag and record.ea_size_or_tag:
        return EXTENDED_ATTRIBUTES_NOTE
    return SUBSTITUTE_NAME_NOTE if _SUBSTITUTE_NAME.match(record.name) else None


def holds_own_data(tag: int) -> bool:
    """True for a reparse point whose data is the file's own: deduplicated, compressed, tiered, replicated, …"""
    return not tag & _NAME_SURROGATE and tag not in _NO_TAGS and tag != _TAG_DFS


def _of_surrogate(tag: int) -> Class:
    if tag in _LINKS:
        return Class(*_LINKS[tag])
    if tag == _TAG_DFS:
        detail = "it is a DFS link; make its target a source of its own, and exclude the link by a rule of the plan"
    else:
        detail = f"it is a reparse point (0x{tag:08X}) of an unknown kind; look at it there, then exclude or waive it"
    return Class(EntryKind.REPARSE, fault=Fault(Unclassified.reason, detail))


def file_id_of(number: int) -> str | None:
    """The id in text; None where the file system has none."""
    # Both mean that the file system has no ids ([MS-FSCC] 2.1.9).
    return None if number in (0, 0xFFFF_FFFF_FFFF_FFFF) else f"{number:x}"
