"""Uploads that Box refuses one after the other, in the same words: is it these files, or all that are sent so?

A rule beside the role may be known to the upload alone: Box's permissions allow it, and so does the preflight. It may
be about the whole account, about one uploader, or about one way of sending: new versions, or upload sessions. What
decides is to send a file of a byte, or to open a session, in that very way: in the landing folder, and for an uploader,
who may not be in there, in the folder that refused; for the last uploader, also in one that took its files before. It
is taken away again: for good, or into the trash of whoever owns the folder.
"""

from __future__ import annotations

import io
import logging
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from connectors.box.client.connection import BoxConnection
from connectors.box.client.refusal import code_of, refusal_of, status_of
from connectors.box.items import BoxItems
from connectors.box.probes import PROBE_NAME, REFUSALS_IN_A_ROW
from connectors.box.types import Known, Receipt, Upload
from connectors.box.upload.direct import put_direct
from connectors.box.upload.session import open_and_give_back
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
    WayRefused,
)
from connectors.on_error import OnError

log = logging.getLogger(__name__)

#: Refusals that speak of the file, or of its place, whatever the account may do.
OF_THE_FILE = (
    NameInUse, NameRejected, DestinationGone, DigestMismatch, LockedInBox, ChangedInBox, TooLarge,
)  # fmt: skip

#: After a try that Box took, so many times as many refusals come before the next one.
FEWER_TRIES = 10


class Way(StrEnum):
    """How a file is sent."""

    NEW = "new files"
    VERSION = "new versions"
    LARGE = "upload sessions of large files"
    LARGE_VERSION = "upload sessions of new versions"


def way_of(file_id: str | None, *, large: bool) -> Way:
    """Return how a file is sent, over this one of Box if any."""
    if large:
        return Way.LARGE_VERSION if file_id else Way.LARGE
    return Way.VERSION if file_id else Way.NEW


class UploaderRefused(Exception):
    """This uploader is asked no more; another one can send the file."""


Words = tuple[int, str | None]


@dataclass
class _Row:
    """Refusals of one uploader and one way, with none taken between."""

    words: Words | None = None
    count: int = 0
    bound: int = REFUSALS_IN_A_ROW


class RefusedAlike:
    """Counts uploads that Box refuses alike, by uploader and way. Safe for many threads.

    Ten of them cost one try, or two; the next hundred one more, and so on. A try is an upload, and two calls that take
    it away.
    """

    def __init__(self, connection: BoxConnection, landing_folder_id: str, *, large_size: int) -> None:
        self._service = connection
        self._landing_folder_id = landing_folder_id
        self._large_size = large_size
        self._lock = threading.Lock()
        self._rows: dict[tuple[str | None, Way], _Row] = {}
        #: Ways that Box refuses whatever is sent, with what is said of them.
        self._over: dict[Way, str] = {}
        #: Uploaders that it refuses whatever they send.
        self.uploaders: frozenset[str] = frozenset()
        #: The folder in which it took the last file of each.
        self._taken_in: dict[str | None, str] = {}

    def watched(self, connection: BoxConnection, item: Upload, way: Way, *, others: int = 0) -> OnError:
        """Let the refusal of one file pass.

        In place of it, once Box is shown to refuse alike whatever is sent: PermissionMissing for all files, WayRefused
        for one way of sending them, which is asked for no more, and UploaderRefused for one uploader, while there are
        `others`.
        """
        if way in self._over:
            raise WayRefused(self._over[way], way=way)
        return OnError(self._refused, connection, item, way, others, otherwise=self._taken)

    def _who(self, connection: BoxConnection) -> str | None:
        return connection.user_id if connection is not self._service else None

    def _taken(self, connection: BoxConnection, item: Upload, way: Way, others: int) -> None:
        who = self._who(connection)
        self._taken_in[who] = item.folder_id
        if self._rows:
            with self._lock:
                self._rows.pop((who, way), None)

    def _refused(
        self, error: BaseException, connection: BoxConnection, item: Upload, way: Way, others: int
    ) -> bool:
        if not isinstance(error, ItemError) or refusal_of(error) is None or isinstance(error, OF_THE_FILE):
            return False
        words, who = (status_of(error), code_of(error)), self._who(connection)
        with self._lock:
            # It may have been found out while this call was on its way.
            if way in self._over:
                raise WayRefused(self._over[way], way=way) from error
            if who in self.uploaders and others:
                raise UploaderRefused from error
            if self._is_enough(who, way, words):
                self._judge(connection, item, way, words, error, others=others)
        return False

    def _is_enough(self, who: str | None, way: Way, words: Words) -> bool:
        """Count one more; True when it is time for a try."""
        row = self._rows.setdefault((who, way), _Row())
        if words != row.words:
            row.words, row.count, row.bound = words, 0, REFUSALS_IN_A_ROW
        row.count += 1
        if row.count < row.bound:
            return False
        row.count, row.bound = 0, row.bound * FEWER_TRIES
        return True

    def _judge(
        self,
        connection: BoxConnection,
        item: Upload,
        way: Way,
        words: Words,
        error: ItemError,
        *,
        others: int,
    ) -> None:
        """Raise what stops more than this file; return where Box takes others."""
        landing = self._landing_folder_id
        if self._tried(self._service, landing, Way.NEW) == words:
            raise PermissionMissing(
                f"Box takes no file from the service account, not even in the landing folder "
                f"{landing}, though it says that it would; ask a Box admin what forbids it, then "
                f"run again, and boxhaul retry for the files that it had refused by then. {error}"
            ) from error
        if way is not Way.NEW and self._tried(self._service, landing, way) == words:
            self._over[way] = (
                f"Box takes no {way.value} from the service account, not even in the landing folder {landing}; ask a"
                f" Box admin what forbids it, then run again, and boxhaul retry for the files that it had refused by"
                f" then. {error}"
            )
            raise WayRefused(self._over[way], way=way) from error
        if connection is not self._service and self._is_of_uploader(connection, item, way, words):
            told = (
                f"Box takes no {way.value} from the uploader {connection.user_id}, but the service account's"
            )
            if not others and self._is_taken_elsewhere(connection, item, way):
                return  # it is about this folder, and other folders have nobody else
            if not others:
                raise PermissionMissing(
                    f"{told}, and there is no other uploader; ask a Box admin what forbids it, or take it out of"
                    f" box: identities, then run again. {error}"
                ) from error
            self.uploaders |= {str(connection.user_id)}
            log.warning("%s; the others go on without it. %s", told, error)
            raise UploaderRefused from error

    def _is_of_uploader(self, connection: BoxConnection, item: Upload, way: Way, words: Words) -> bool:
        folder_id = item.folder_id
        return (
            self._tried(connection, folder_id, way) == words
            and self._tried(self._service, folder_id, way) is None
        )

    def _is_taken_elsewhere(self, connection: BoxConnection, item: Upload, way: Way) -> bool:
        folder_id = self._taken_in.get(self._who(connection))
        return folder_id not in (None, item.folder_id) and self._tried(connection, folder_id, way) is None

    def _tried(self, connection: BoxConnection, folder_id: str, way: Way) -> Words | None:
        """Send something of no worth in this way, and take it away; how Box refused it, None if it did not."""
        name = f"{PROBE_NAME} {uuid.uuid4().hex[:8]}"
        item = Upload(folder_id=folder_id, name=name, size=1)
        made: Receipt | None = None
        try:
            if way is not Way.LARGE:
                made = _put(connection if way is Way.NEW else self._service, item)
            large = replace(item, size=self._large_size)
            if way is Way.VERSION and made is not None:
                made = _put(connection, replace(item, file_id=made.file_id, etag=made.etag))
            elif way is Way.LARGE_VERSION and made is not None:
                open_and_give_back(connection, replace(large, file_id=made.file_id, etag=made.etag))
            elif way is Way.LARGE:
                open_and_give_back(connection, large)
        except ConnectorError as exc:
            return status_of(exc), code_of(exc)
        finally:
            if made is not None:
                self._take_away(made)
        return None

    def _take_away(self, made: Receipt) -> None:
        known = Known(kind=EntryKind.FILE, box_id=made.file_id, name=made.name, etag=made.etag)
        try:
            BoxItems(self._service).trash(known)
        except ConnectorError as exc:
            log.warning("a file of one byte, %s, was left in Box and may be deleted: %s", made.name, exc)
            return
        with suppress(ConnectorError):  # the trash is its owner's
            self._service.ask("DELETE /files/:id/trash", f"/files/{made.file_id}/trash")


def _put(connection: BoxConnection, item: Upload) -> Receipt:
    return put_direct(connection, item, lambda: io.BytesIO(b"?"))  # type: ignore[arg-type,return-value]
