"""AsWindows: what a Windows server does with an open and Samba does not, done by rewriting messages on their way.

The connection must be unsigned. Samba still answers; what it is asked, or a few bits of what it says, is another thing.
"""

from __future__ import annotations

import struct
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.servers.proxy import Proxy

CREATE, QUERY_INFO = 5, 16
#: The rights to list or read, to look at attributes and to wait; and sharing that keeps nobody from anything.
READING, SHARE_EVERYTHING = 0x0010_0081, 0x7
FOLDER, NOT_FOLDER, BACKUP_INTENT, REPARSE_POINT_ITSELF = 0x1, 0x40, 0x4000, 0x20_0000
DIRECTORY_AND_REPARSE_POINT, MOUNT_POINT = 0x410, 0xA000_0003
#: Of an open, a right that Samba refuses with STATUS_ACCESS_DENIED or STATUS_PRIVILEGE_NOT_HELD, and an option that it
#: refuses with STATUS_INVALID_PARAMETER.
SYSTEM_SECURITY, NO_OPTION = 0x0100_0000, 0x0100_0000
#: Offsets from a message's header: of a CREATE's access, options and name, and of the attributes in answers.
ACCESS, OPTIONS, NAME_OFFSET, INFORMATION_CLASS, ATTRIBUTES, INFORMATION = 88, 104, 108, 67, 120, 72
ALL_INFORMATION, TAG_INFORMATION = 18, 35


#: By which an answer is known: its session, as many connections go through one proxy, and its number.
Key = tuple[bytes, int]


@dataclass
class AsWindows:
    """Rewrites what goes through a proxy, from `through` on."""

    #: Folder that only a backup operator may look into → one of the same length that is looked into instead: paths.
    backup_right: Mapping[str, str] = field(default_factory=dict)
    #: Folders that are volume mount points: whoever opens one itself, and not what it leads to, is told so.
    mounted: frozenset[str] = frozenset()
    #: Kinds of opens (FOLDER, NOT_FOLDER, 0 for both) that the server refuses for their backup intent, each with the
    #: bits that make Samba do so: SYSTEM_SECURITY or NO_OPTION.
    refused: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    #: Opens by kind and whether they had backup intent.
    opens: Counter[tuple[int, bool]] = field(default_factory=Counter)
    #: Rights and sharing that opens asked for.
    asked: set[tuple[int, int]] = field(default_factory=set)
    _marked: dict[Key, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def through(self, proxy: Proxy) -> None:
        """Begin."""
        proxy.alter_request, proxy.alter = self.request, self.answer

    def request(self, data: bytes) -> bytes:
        """What Samba is asked instead."""
        changed = bytearray(data)
        is_mounted = False
        for at, command, key in messages(data):
            if command == CREATE:
                is_mounted = self._open(changed, at)
            if is_mounted and command in (CREATE, QUERY_INFO):
                with self._lock:
                    self._marked[key] = data[at + INFORMATION_CLASS] if command == QUERY_INFO else 0
        return bytes(changed)

    def answer(self, data: bytes) -> bytes:
        """What the client is told instead."""
        changed = bytearray(data)
        for at, command, key in messages(data):
            with self._lock:
                asked = self._marked.pop(key, None)
            status = int.from_bytes(data[at + 8 : at + 12], "little")
            if asked is None or status:
                continue
            if command == CREATE:
                struct.pack_into("<I", changed, at + ATTRIBUTES, DIRECTORY_AND_REPARSE_POINT)
            elif asked == ALL_INFORMATION:
                struct.pack_into("<I", changed, at + INFORMATION + 32, DIRECTORY_AND_REPARSE_POINT)
            elif asked == TAG_INFORMATION:
                struct.pack_into("<II", changed, at + INFORMATION, DIRECTORY_AND_REPARSE_POINT, MOUNT_POINT)
        return bytes(changed)

    def _open(self, changed: bytearray, at: int) -> bool:
        """Rewrite a CREATE; True when it opens a mount point itself."""
        (options,) = struct.unpack_from("<I", changed, at + OPTIONS)
        kind, intends = options & (FOLDER | NOT_FOLDER), bool(options & BACKUP_INTENT)
        offset, length = struct.unpack_from("<HH", changed, at + NAME_OFFSET)
        path = changed[at + offset : at + offset + length].decode("utf-16-le").replace("\\", "/")
        rights, _, sharing = struct.unpack_from("<III", changed, at + ACCESS)
        with self._lock:
            self.opens[kind, intends] += 1
            self.asked.add((rights, sharing))
        if intends and kind in self.refused:
            access, option = self.refused[kind]
            struct.pack_into("<I", changed, at + ACCESS, rights | access)
            struct.pack_into("<I", changed, at + OPTIONS, options | option)
        for closed, instead in self.backup_right.items() if intends else ():
            if path == closed or path.startswith(f"{closed}/"):
                name = (instead + path[len(closed) :]).replace("/", "\\").encode("utf-16-le")
                changed[at + offset : at + offset + length] = name
        return path in self.mounted and bool(options & REPARSE_POINT_ITSELF)


def messages(data: bytes) -> Iterator[tuple[int, int, Key]]:
    """Where the header of each SMB2 message begins, its command and its key; whole frames, as small ones come."""
    frame = 0
    while frame + 4 < len(data):
        at, end = frame + 4, frame + 4 + int.from_bytes(data[frame + 1 : frame + 4], "big")
        session = data[at + 40 : at + 48]  # of the first one: related ones leave it out
        while data[at : at + 4] == b"\xfeSMB":
            number = int.from_bytes(data[at + 24 : at + 32], "little")
            yield at, int.from_bytes(data[at + 12 : at + 14], "little"), (session, number)
            step = int.from_bytes(data[at + 20 : at + 24], "little")
            if not step:
                break
            at += step
        frame = end
