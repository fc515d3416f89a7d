"""SMBFileSystem: a read-only fsspec filesystem for one share. No cache, no lock, no link followed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from fsspec import AbstractFileSystem

from connectors.entry import EntryKind
from connectors.sources.pool import Pool
from connectors.sources.smb import wire
from connectors.sources.smb.backup import BackupIntent
from connectors.sources.smb.connection import SMBHandle, SMBLink, SMBWhole
from connectors.sources.smb.file import SMBFile
from connectors.sources.smb.listing import Listing, list_folder, list_together
from connectors.sources.smb.login import LoginGate, SMBAccount
from connectors.sources.smb.notices import SMBNotices
from connectors.sources.smb.small_files import is_plain, read_together
from connectors.sources.smb.status import (
    NO_SUCH_FILE,
    SMBAccessError,
    SMBConnectionLostError,
    SMBLinkError,
    SMBNotFoundError,
    SMBStatusError,
    SMBUnreachableError,
)
from connectors.sources.smb.tags import classify, file_id_of, holds_own_data, note_of

_NOT_A_DIRECTORY = 0xC000_0103


class SMBFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """Paths are relative to the share, "/" between names. Safe for threads: each call and each open file
    has a connection of its own; where the server gives few, they take turns.

    `info` and `ls` carry, beside fsspec's keys: modified_ns, created_ns, changed_ns, file_id, kind (an
    EntryKind), skip_reason, fault, note, attributes, reparse_tag. A refused login is not tried again: that would
    lock the account.
    """

    protocol = "smb"
    cachable = False
    root_marker = ""

    def __init__(self, account: SMBAccount, *, recall_offline: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._account = account
        #: Read files that slower storage must recall.
        self.recall_offline = recall_offline
        self._start_pool()

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        # Names keep their spaces and dots; only slashes at the ends go.
        return [cls._strip_protocol(one) for one in path] if isinstance(path, list) else str(path).strip("/")

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """A folder by its directory query alone: no request per entry, no cache."""
        path = self._strip_protocol(path)
        records = [record for page in self.pages(path) for record in wire.directory_records(page)]
        infos = [
            self._info_of(f"{path}/{r.name}" if path else r.name, r)
            for r in records
            if r.name not in (".", "..")
        ]
        return infos if detail else [info["name"] for info in infos]

    def pages(self, path: str) -> list[bytes]:
        """A folder's records as the server sends them (wire.directory_records)."""
        with self._link() as link:
            try:
                folder, pages = self._listing_of(link, path)
            except SMBNotFoundError as exc:
                if exc.status == NO_SUCH_FILE and link.query(path).is_folder:
                    # It is there, and not even its "." may be looked at: Samba leaves out all of it.
                    raise SMBAccessError(exc.status, path) from exc
                raise
        if not folder.is_folder:
            raise SMBNotFoundError(_NOT_A_DIRECTORY, path)
        return pages

    def pages_together(self, paths: Iterable[str]) -> Iterator[tuple[str, list[bytes]]]:
        """The same of several folders, many in flight; only of those of which there is nothing else to say."""
        with self._link() as link:
            for path, listing in list_together(link, paths):
                yield path, listing.pages

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """One entry as it is now, itself if it is a link."""
        path = self._strip_protocol(path)
        return self._info_of(path, self.record(path))

    def record(self, path: str) -> wire.Record:
        """What the server says of one file or folder now, itself if it is a link."""
        with self._link() as link:
            return link.query(path)

    def read_whole(self, path: str, size: int) -> SMBWhole | None:
        """A plain file of up to `size` bytes in one round trip; None for whatever is more, or anything else."""
        with self._link() as link:
            whole = link.read_whole(path, size, recall=self.recall_offline)
        return whole if is_plain(whole) else None

    def read_together(self, wanted: Iterable[tuple[str, int]]) -> Iterator[tuple[str, SMBWhole]]:
        """The same of several files, many in flight; only of those of which there is nothing else to say."""
        with self._link() as link:
            yield from read_together(link, wanted, recall=self.recall_offline)

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> SMBFile:
        if mode != "rb":
            raise NotImplementedError("the source is never written to")
        path = self._strip_protocol(path)
        pool = self._pool()
        link = pool.take(lasting=True)
        try:
            handle = self._open_on(link, path)
        except BaseException as exc:
            pool.give_back(link, keep=isinstance(exc, SMBStatusError), lasting=True)
            raise
        return SMBFile(
            link,
            handle,
            self._info_of(path, handle.record),
            give_back=lambda keep: pool.give_back(link, keep=keep, lasting=True),
        )

    def hides_names(self) -> bool:
        """True when the share enumerates by access: a listing leaves out what the account may not read."""
        with self._link() as link:
            return link.hides_names()

    def notices(self, path: str) -> SMBNotices:
        """What the server tells by itself of changes below this folder, on a connection of its own."""
        self._gate.require_open()
        return SMBNotices(self._account, self._gate, path)

    def close(self) -> None:
        """Log off from all idle connections; open files keep theirs until they are closed."""
        self._pool().close()

    def _open_on(self, link: SMBLink, path: str) -> SMBHandle:
        handle = link.open(path, recall=self.recall_offline)
        if not handle.record.attributes & wire.ATTRIBUTE_REPARSE_POINT:
            return handle
        link.release(handle.id)
        record = link.query(path)
        if not holds_own_data(record.reparse_tag):
            raise SMBLinkError(path, classify(record).why)
        return link.open(path, follow_data_tag=True, recall=self.recall_offline)

    def _info_of(self, path: str, record: wire.Record) -> dict[str, Any]:
        record = record._replace(name=path.rpartition("/")[2])
        kind, skip_reason, fault = classify(record, recall_offline=self.recall_offline)
        return {
            "name": path,
            "size": record.size if kind is EntryKind.FILE else 0,
            "type": {EntryKind.FILE: "file", EntryKind.FOLDER: "directory"}.get(kind, "other"),
            "modified_ns": wire.nanoseconds(record.modified),
            "created_ns": wire.nanoseconds(record.created),
            "changed_ns": wire.nanoseconds(record.changed),
            "file_id": file_id_of(record.file_id),
            "kind": kind,
            "skip_reason": skip_reason,
            "fault": fault,
            "note": note_of(record),
            "attributes": record.attributes,
            "reparse_tag": record.reparse_tag,
        }

    def _listing_of(self, link: SMBLink, path: str) -> Listing:
        listing = list_folder(link, path)
        if not listing.folder.attributes & wire.ATTRIBUTE_REPARSE_POINT:
            return listing
        # Some volumes tag ordinary folders, too (replication, deduplication, tiering); the tag decides.
        found = classify(link.query(path))
        if found.kind is not EntryKind.FOLDER:
            raise SMBLinkError(path, found.why)
        # Opened as a reparse point it may list less than what belongs to it.
        return list_folder(link, path, follow_data_tag=True)

    def _start_pool(self) -> None:
        self._pid = os.getpid()
        self._gate = LoginGate()
        self.backup = BackupIntent()
        self._links = Pool(
            self._connect,
            is_usable=lambda link: link.usable,
            is_refusal=lambda exc: isinstance(exc, SMBUnreachableError | SMBConnectionLostError),
            end=SMBLink.close,
            drop=SMBLink.abandon,
        )

    def _connect(self) -> SMBLink:
        self._gate.require_open()
        return SMBLink(self._account, self._gate, self.backup)

    def _pool(self) -> Pool[SMBLink]:
        if self._pid != os.getpid():
            # After a fork the sockets belong to the parent.
            self._start_pool()
        return self._links

    def _link(self) -> AbstractContextManager[SMBLink]:
        """A connection for one call; it is dropped unless the call ended in a known state."""
        return self._pool().lent(keep_after=lambda exc: isinstance(exc, SMBStatusError))
