"""SMBFileSystem: a read-only fsspec filesystem for one share. No cache, no lock, no link followed."""

from __future__ import annotations

import io
import os
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fsspec import AbstractFileSystem

from connectors.entry import EntryKind
from connectors.sources.smb import wire
from connectors.sources.smb.link import FIRST_READ, READ_SIZE, LoginGate, SMBAccount, SMBHandle, SMBLink
from connectors.sources.smb.status import (
    NO_SUCH_FILE,
    STOPPED_ON_SYMLINK,
    SMBAccessError,
    SMBNotFoundError,
    SMBStatusError,
)

#: READs in flight for a file that is read in order.
READS_IN_FLIGHT = 4
#: Connections kept for reuse; every open file and every running call has one of its own.
IDLE_CONNECTIONS = 64
SUBSTITUTE_NAME_NOTE = "looks like what the server shows instead of a name that Windows does not allow"
EXTENDED_ATTRIBUTES_NOTE = "has extended attributes, which Box does not keep"

#: How Samba mangles names by default.
_SUBSTITUTE_NAME = re.compile(r"^[0-9A-Z_]{6}~[0-9A-Z](\.[0-9A-Z_]{1,3})?$")
_OFFLINE = 0x0000_1000 | 0x0004_0000 | 0x0040_0000  # OFFLINE, RECALL_ON_OPEN, RECALL_ON_DATA_ACCESS
_NOT_A_DIRECTORY = 0xC000_0103

_TAG_SYMLINK = 0xA000_000C
_TAG_MOUNT_POINT = 0xA000_0003
_TAG_DFS = 0x8000_000A
#: Reparse points that hold the file's own data: deduplicated, compressed, replicated or tiered files.
_DATA_TAGS = frozenset(
    {0x8000_0013, 0x8000_0017, 0x8000_0012, 0xC000_0004, 0x8000_0006, 0x8000_0007, 0x9000_001B}
)
_TAG_CLOUD = 0x9000_001A
_CLOUD_MASK = 0xFFFF_0FFF


class SMBFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """Paths are relative to the share, "/" between names. Safe for threads: each call has a connection.

    `info` and `ls` carry, beside fsspec's keys: modified_ns, created_ns, changed_ns, file_id, kind (an
    EntryKind), skip_reason, note, attributes, reparse_tag. A refused login is not tried again: that would
    lock the account.
    """

    protocol = "smb"
    cachable = False
    root_marker = ""

    def __init__(self, account: SMBAccount, *, recall_offline: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._account = account
        self._recall_offline = recall_offline
        self._idle: list[SMBLink] = []
        self._start_pool()

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        # Names keep their spaces and dots; only slashes at the ends go.
        return [cls._strip_protocol(one) for one in path] if isinstance(path, list) else str(path).strip("/")

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """A folder by its directory query alone: no request per entry, no cache."""
        path = self._strip_protocol(path)
        with self._link() as link:
            try:
                folder, records = link.list_folder(path)
            except SMBNotFoundError as exc:
                if exc.status == NO_SUCH_FILE and link.query(path).is_folder:
                    # It is there, and not even its "." may be looked at: Samba leaves out all of it.
                    raise SMBAccessError(exc.status, path) from exc
                raise
        self._require_plain_folder(path, folder)
        infos = [
            self._info_of(f"{path}/{r.name}" if path else r.name, r)
            for r in records
            if r.name not in (".", "..")
        ]
        return infos if detail else [info["name"] for info in infos]

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """One entry as it is now, itself if it is a link."""
        path = self._strip_protocol(path)
        with self._link() as link:
            return self._info_of(path, link.query(path))

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> SMBFile:
        if mode != "rb":
            raise NotImplementedError("the source is never written to")
        path = self._strip_protocol(path)
        link = self._take()
        try:
            handle = self._open_on(link, path)
        except BaseException as exc:
            self._give_back(link, keep=isinstance(exc, SMBStatusError))
            raise
        return SMBFile(self, link, path, handle, self._info_of(path, handle.record))

    def close(self) -> None:
        """Log off from all idle connections; open files keep theirs until they are closed."""
        with self._lock:
            idle = self._idle
            self._idle = []
            self._keep = 0
        for link in idle:
            link.close()

    def _open_on(self, link: SMBLink, path: str) -> SMBHandle:
        handle = link.open(path, recall=self._recall_offline)
        if not handle.record.attributes & wire.ATTRIBUTE_REPARSE_POINT:
            return handle
        link.release(handle)
        record = link.query(path)
        if not _holds_own_data(record.reparse_tag):
            raise SMBAccessError(STOPPED_ON_SYMLINK, path)
        return link.open(path, follow_data_tag=True, recall=self._recall_offline)

    def _info_of(self, path: str, record: wire.Record) -> dict[str, Any]:
        record = record._replace(name=path.rpartition("/")[2])
        kind, skip_reason = classify(record, recall_offline=self._recall_offline)
        return {
            "name": path,
            "size": record.size if kind is EntryKind.FILE else 0,
            "type": {EntryKind.FILE: "file", EntryKind.FOLDER: "directory"}.get(kind, "other"),
            "modified_ns": wire.nanoseconds(record.modified),
            "created_ns": wire.nanoseconds(record.created),
            "changed_ns": wire.nanoseconds(record.changed),
            "file_id": _file_id(record.file_id),
            "kind": kind,
            "skip_reason": skip_reason,
            "note": _note(record),
            "attributes": record.attributes,
            "reparse_tag": record.reparse_tag,
        }

    def _require_plain_folder(self, path: str, folder: wire.Record) -> None:
        if not folder.is_folder:
            raise SMBNotFoundError(_NOT_A_DIRECTORY, path)
        if folder.attributes & wire.ATTRIBUTE_REPARSE_POINT:
            # Some volumes tag ordinary folders, too (replication, deduplication); the tag decides.
            with self._link() as link:
                if classify(link.query(path))[0] is not EntryKind.FOLDER:
                    raise SMBAccessError(STOPPED_ON_SYMLINK, path)

    def _start_pool(self) -> None:
        self._pid = os.getpid()
        # Reentrant: the garbage collector may give back a link while this thread takes one.
        self._lock = threading.RLock()
        self._gate = LoginGate()
        self._idle = []
        self._keep = IDLE_CONNECTIONS

    @contextmanager
    def _link(self) -> Iterator[SMBLink]:
        """A connection for one call; it is dropped unless the call ended in a known state."""
        link = self._take()
        keep = False
        try:
            yield link
            keep = True
        except SMBStatusError:
            keep = True
            raise
        finally:
            self._give_back(link, keep=keep)

    def _take(self) -> SMBLink:
        if self._pid != os.getpid():
            # After a fork the sockets belong to the parent.
            self._start_pool()
        with self._lock:
            while self._idle:
                link = self._idle.pop()
                if link.usable:
                    return link
            self._keep = IDLE_CONNECTIONS
        self._gate.require_open()
        return SMBLink(self._account, self._gate)

    def _give_back(self, link: SMBLink, *, keep: bool) -> None:
        with self._lock:
            if keep and link.usable and len(self._idle) < self._keep:
                self._idle.append(link)
                return
        if keep:
            link.close()
        else:
            link.abandon()


class SMBFile(io.RawIOBase):
    """A file opened with full sharing on a connection of its own; reads in order are pipelined.

    It ends where the file ended when it was opened. `details` is its `info` at that moment, `streams` what it
    has beside its content.
    """

    def __init__(
        self, filesystem: SMBFileSystem, link: SMBLink, path: str, handle: SMBHandle, details: dict[str, Any]
    ) -> None:
        super().__init__()
        self.details = details
        self.streams = handle.streams
        self.path = path
        self._filesystem = filesystem
        self._link = link
        self._handle = handle
        self._size = handle.record.size
        self._offset = 0
        #: Bytes at _offset that have arrived already.
        self._ready = memoryview(handle.first_bytes[: self._size])
        self._flying: deque[tuple[int, Any]] = deque()
        #: Where the next READ begins, and how much was delivered since the last seek.
        self._next = len(self._ready)
        self._run = 0
        self._broken = False

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes, at least one before the end."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(READ_SIZE), b""))
        if not self._ready and size and self._offset < self._size:
            self._ready = memoryview(self._receive_next(size))
        data = bytes(self._ready[:size])
        self._ready = self._ready[len(data) :]
        self._offset += len(data)
        self._run += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move; what was read ahead is dropped unless the position stays."""
        position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._size}[whence]
        if position != self._offset:
            self._settle()
            self._ready = memoryview(b"")
            self._offset = self._next = position
            self._run = 0
        return position

    def tell(self) -> int:
        """The position in bytes."""
        return self._offset

    def close(self) -> None:
        """Release handle and connection; may be called twice."""
        if self.closed:
            return
        super().close()
        try:
            if not self._broken:
                self._settle()
                self._link.release(self._handle)
        except OSError:
            self._broken = True
        finally:
            self._filesystem._give_back(self._link, keep=not self._broken)

    def _receive_next(self, wanted: int) -> bytes:
        """The next bytes in order, with more reads sent ahead as the caller reads in order."""
        try:
            self._send_ahead(wanted)
            length, request = self._flying.popleft()
            data = self._link.finish_read(self.path, request)
            if len(data) < length:
                self._settle()
                self._next = self._offset + len(data)
            return data
        except SMBStatusError:
            self._settle()
            self._next = self._offset
            raise
        except BaseException:
            self._broken = True
            raise

    def _send_ahead(self, wanted: int) -> None:
        """What is wanted for a first or a random access; when the caller reads in order, as much as is useful."""
        in_order = self._run >= FIRST_READ
        depth = READS_IN_FLIGHT if in_order else min(READS_IN_FLIGHT, max(1, -(-wanted // READ_SIZE)))
        while len(self._flying) < depth and self._next < self._size:
            left = self._size - self._next
            room = self._link.read_room()
            if room < min(FIRST_READ, left) and self._flying:
                return
            length = min(left, max(room, 1), READ_SIZE if in_order else max(wanted, FIRST_READ))
            self._flying.append((length, self._link.start_read(self._handle, self._next, length)))
            self._next += length

    def _settle(self) -> None:
        """Take the answers of all reads in flight, so that the connection is at rest."""
        while self._flying:
            try:
                self._link.finish_read(self.path, self._flying.popleft()[1])
            except SMBStatusError:
                continue  # the reader asks again if it still wants these bytes
            except BaseException:
                self._broken = True
                raise


def classify(record: wire.Record, *, recall_offline: bool = False) -> tuple[EntryKind, str | None]:
    """What a record is for a migration, and why it is not read, by [MS-FSCC] 2.1.2.1 and 2.6."""
    plain = EntryKind.FOLDER if record.is_folder else EntryKind.FILE
    tag = record.reparse_tag
    if record.attributes & wire.ATTRIBUTE_REPARSE_POINT and not _holds_own_data(tag):
        return _link_kind(tag)
    if plain is EntryKind.FILE and record.attributes & _OFFLINE and not recall_offline:
        return plain, "offline: its bytes are on slower storage; set recall_offline to have them recalled"
    return plain, None


def _note(record: wire.Record) -> str | None:
    if not record.reparse_tag and record.ea_size_or_tag:
        return EXTENDED_ATTRIBUTES_NOTE
    return SUBSTITUTE_NAME_NOTE if _SUBSTITUTE_NAME.match(record.name) else None


def _holds_own_data(tag: int) -> bool:
    return tag in _DATA_TAGS or tag & _CLOUD_MASK == _TAG_CLOUD


def _link_kind(tag: int) -> tuple[EntryKind, str]:
    if tag == _TAG_SYMLINK:
        return EntryKind.SYMLINK, "symbolic link, not followed"
    if tag == _TAG_MOUNT_POINT:
        return EntryKind.JUNCTION, "junction or mount point, not followed"
    if tag == _TAG_DFS:
        return EntryKind.REPARSE, "DFS link, not followed; make its target a source of its own"
    return EntryKind.REPARSE, f"reparse point 0x{tag:08X}, not followed"


def _file_id(number: int) -> str | None:
    # Both mean that the file system has no ids ([MS-FSCC] 2.1.9).
    return None if number in (0, 0xFFFF_FFFF_FFFF_FFFF) else f"{number:x}"
