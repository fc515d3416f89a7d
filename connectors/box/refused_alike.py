"""Uploads that Box refuses one after the other, in the same words: is it these files, or every file of the account?

A rule beside the role may be known to the upload alone: Box's permissions allow it, and so does the preflight. What
decides then is one file of a byte that is put into the landing folder, and taken away again: for good, or into the
trash of whoever owns that folder.
"""

from __future__ import annotations

import io
import logging
import threading
import uuid
from contextlib import suppress

from connectors.box.client.connection import BoxConnection
from connectors.box.client.refusal import code_of, refusal_of, status_of
from connectors.box.items import BoxItems
from connectors.box.probes import PROBE_NAME, REFUSALS_IN_A_ROW
from connectors.box.types import Known, Upload
from connectors.box.upload.direct import put_direct
from connectors.entry import EntryKind
from connectors.errors import (
    ChangedInBox,
    ConnectorError,
    DestinationGone,
    DigestMismatch,
    ItemError,
    LockedInBox,
    NameInUse,
    NameRejected,
    PermissionMissing,
    TooLarge,
)
from connectors.on_error import OnError

log = logging.getLogger(__name__)

#: Refusals that speak of the file, or of its place, whatever the account may do.
OF_THE_FILE = (
    NameInUse, NameRejected, DestinationGone, DigestMismatch, LockedInBox, ChangedInBox, TooLarge,
)  # fmt: skip

#: After a try that Box took, so many times as many refusals come before the next one.
FEWER_TRIES = 10


class RefusedAlike:
    """Counts uploads that Box refuses alike with none taken between. Safe for many threads.

    Ten of them cost one try: an upload, and two calls that take it away; the next hundred one more, and so on.
    """

    def __init__(self, connection: BoxConnection, landing_folder_id: str) -> None:
        self._connection = connection
        self._landing_folder_id = landing_folder_id
        self._lock = threading.Lock()
        self._words: tuple[int, str | None] | None = None
        self._count, self._bound = 0, REFUSALS_IN_A_ROW

    def watched(self) -> OnError:
        """Let the refusal of one file pass; PermissionMissing instead when Box refuses every file in these words."""
        return OnError(self._refused, otherwise=self._taken)

    def _taken(self) -> None:
        if self._count or self._bound != REFUSALS_IN_A_ROW:
            with self._lock:
                self._count, self._bound = 0, REFUSALS_IN_A_ROW

    def _refused(self, error: BaseException) -> bool:
        if not isinstance(error, ItemError) or refusal_of(error) is None or isinstance(error, OF_THE_FILE):
            return False
        if self._is_of_all(error):
            raise PermissionMissing(
                f"Box takes no file from the service account, not even in the landing folder "
                f"{self._landing_folder_id}, though it says that it would; ask a Box admin what forbids it, then "
                f"run again, and boxhaul retry for the files that it had refused by then. {error}"
            ) from error
        return False

    def _is_of_all(self, error: ItemError) -> bool:
        words = status_of(error), code_of(error)
        with self._lock:
            if words != self._words:
                self._words, self._count, self._bound = words, 0, REFUSALS_IN_A_ROW
            self._count += 1
            if self._count < self._bound:
                return False
            self._count, self._bound = 0, self._bound * FEWER_TRIES
            return self._tried() == words

    def _tried(self) -> tuple[int, str | None] | None:
        """Put a file of one byte into the landing folder and take it away; how Box refused it, None if it did not."""
        name = f"{PROBE_NAME} {uuid.uuid4().hex[:8]}"
        item = Upload(folder_id=self._landing_folder_id, name=name, size=1)
        try:
            receipt = put_direct(self._connection, item, lambda: io.BytesIO(b"?"))  # type: ignore[arg-type,return-value]
        except ConnectorError as exc:
            return status_of(exc), code_of(exc)
        known = Known(kind=EntryKind.FILE, box_id=receipt.file_id, name=receipt.name, etag=receipt.etag)
        try:
            BoxItems(self._connection).trash(known)
        except ConnectorError as exc:
            log.warning("the landing folder has a file of one byte, %s, that may be deleted: %s", name, exc)
            return None
        with suppress(ConnectorError):  # the trash is its owner's
            self._connection.ask("DELETE /files/:id/trash", f"/files/{receipt.file_id}/trash")
        return None
