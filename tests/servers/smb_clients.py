"""Other clients of an SMB share, on smbprotocol directly: they hold and lock files while a test reads."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from smbprotocol.connection import Connection
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FileAttributes,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    LockFlags,
    Open,
    SMB2LockElement,
    SMB2LockRequest,
)
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

READ_WRITE = FilePipePrinterAccessMask.FILE_READ_DATA | FilePipePrinterAccessMask.FILE_WRITE_DATA


@contextmanager
def opened(port: int, share: str, username: str, password: str, name: str, *, sharing: int) -> Iterator[Open]:
    """A file opened for reading and writing by a client of its own."""
    connection = Connection(uuid.uuid4(), "127.0.0.1", port)
    connection.connect()
    try:
        session = Session(connection, username, password, require_encryption=False)
        session.connect()
        tree = TreeConnect(session, rf"\\127.0.0.1\{share}")
        tree.connect()
        file = Open(tree, name.replace("/", "\\"))
        file.create(
            ImpersonationLevel.Impersonation,
            READ_WRITE,
            FileAttributes.FILE_ATTRIBUTE_NORMAL,
            sharing,
            CreateDisposition.FILE_OPEN,
            CreateOptions.FILE_NON_DIRECTORY_FILE,
        )
        yield file
        file.close(False)
    finally:
        connection.disconnect(True)


@contextmanager
def held_exclusively(port: int, share: str, username: str, password: str, name: str) -> Iterator[None]:
    """As an office program opens a document: shared with nobody."""
    with opened(port, share, username, password, name, sharing=0):
        yield


@contextmanager
def range_locked(port: int, share: str, username: str, password: str, name: str) -> Iterator[None]:
    """As a database does: open for all, its first 100 bytes locked."""
    with opened(port, share, username, password, name, sharing=7) as file:
        element = SMB2LockElement()
        element["offset"] = 0
        element["length"] = 100
        element["flags"].set_flag(LockFlags.SMB2_LOCKFLAG_EXCLUSIVE_LOCK)
        element["flags"].set_flag(LockFlags.SMB2_LOCKFLAG_FAIL_IMMEDIATELY)
        request = SMB2LockRequest()
        request["file_id"] = file.file_id
        request["locks"] = [element]
        sent = file.connection.send(
            request, file.tree_connect.session.session_id, file.tree_connect.tree_connect_id
        )
        file.connection.receive(sent)
        yield
