"""One part of an upload session: send it, find it, plan it. What of a session is over is told here, too."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from connectors.box.client.connection import BoxConnection
from connectors.box.client.refusal import code_of, status_of
from connectors.box.types import PartState, SessionState
from connectors.box.upload.session_store import SessionStore
from connectors.box.values import json_object, object_of
from connectors.errors import (
    ConnectorError,
    DigestMismatch,
    ItemError,
    PermissionMissing,
    QuotaExceeded,
    Rejected,
    ServerBusy,
    TooLarge,
)

#: A part whose bytes were damaged on the way is sent this often.
PART_ATTEMPTS = 3
PART_ROUTE = "PUT /files/upload_sessions/:id"
#: Of a 403 to a call about a session. The first is documented; which code comes with it is not: the safe reading.
FOREIGN_CODES = frozenset({"forbidden", "access_denied_insufficient_permissions", "", None})
GONE_CODES = frozenset({"session_expired", "upload_failed", "invalid_upload_session_id"})


class SessionGone(ServerBusy):
    """The upload session ended, was aborted, or belongs to somebody else; a new one is opened."""

    reason = "session_gone"


class SessionStale(SessionGone):
    """The upload session holds other bytes than the file; it is given back and the file begun anew."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The bytes of one part."""

    offset: int
    content: bytes | bytearray = field(repr=False)
    #: Size of the whole file.
    total: int

    @property
    def sha1(self) -> str:
        return hashlib.sha1(self.content, usedforsecurity=False).hexdigest()

    @property
    def content_range(self) -> str:
        return f"bytes {self.offset}-{self.offset + len(self.content) - 1}/{self.total}"

    def proved_by(self, finished: PartState) -> PartState:
        """Return the finished part; SessionStale when it does not hold what the source holds now."""
        if finished.sha1 == self.sha1 and finished.size == len(self.content):
            return finished
        raise SessionStale


@dataclass
class PartSender:
    """What the part threads of one file share."""

    connection: BoxConnection
    session: SessionState
    store: SessionStore
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, part: PartState, *, sent: bool) -> PartState:
        with self.lock:
            self.store.add_part(part)
            self.sent += sent
        return part


def put_part(sender: PartSender, part: Part) -> PartState:
    """Send one part, or find that Box has it: a 5xx may come although the part was stored."""
    connection, session, sha1 = sender.connection, sender.session, part.sha1
    if "plan" in session.endpoints and (known := _planned_part(sender, part, sha1)):
        return sender.record(known, sent=False)

    headers = {"Digest": digest_header(sha1), "Content-Range": part.content_range}

    def send() -> PartState:
        answer = connection.fetch(
            "PUT",
            session.endpoints["upload_part"],
            body=part.content,
            content_type="application/octet-stream",
            headers=headers,
        )
        return _part_state(json_object(object_of(answer.data).get("part"), PART_ROUTE))

    def stored() -> PartState | None:
        return find_part(connection, session, part.offset, sha1, len(part.content))

    for attempt in range(1, PART_ATTEMPTS + 1):
        with session_gone():
            try:
                answered: PartState | None = connection.call(PART_ROUTE, send, settled=stored)
            except (Rejected, DigestMismatch) as exc:
                # 409 and 416: it is there already, or another one is. 400 and 412: damaged on the way.
                answered = stored()
                if answered is None and status_of(exc) not in (400, 412):
                    raise
                if answered is None and attempt == PART_ATTEMPTS:
                    raise DigestMismatch(f"Box does not take the part at {part.offset}: {exc}") from exc
        if answered:
            connection.transport.count_bytes(len(part.content))
            return sender.record(_proved_part(answered, part, sha1, stored), sent=True)
    raise AssertionError("the loop returns or raises")


def find_part(
    connection: BoxConnection, session: SessionState, offset: int, sha1: str, size: int
) -> PartState | None:
    """Return the finished part at this offset when it holds these bytes, or None."""
    for part in list_parts(connection, session):
        if part.offset == offset and part.sha1 == sha1 and part.size == size:
            return part
    return None


def list_parts(connection: BoxConnection, session: SessionState) -> list[PartState]:
    """Return every finished part, with one call per 1,000. SessionGone when the session is over."""
    route, url = "GET /files/upload_sessions/:id/parts", session.endpoints["list_parts"]
    parts: list[PartState] = []
    with session_gone():
        while True:
            page = connection.ask(route, url, params={"offset": str(len(parts)), "limit": "1000"}).data
            answer = json_object(page, route)
            entries = answer.get("entries") or []
            parts += [_part_state(each) for each in entries]
            if not entries or len(parts) >= int(answer.get("total_count") or 0):
                return parts


@contextmanager
def session_gone() -> Iterator[None]:
    """Turn whatever means that the session is of no use any more into SessionGone."""
    try:
        yield
    except (ItemError, PermissionMissing) as exc:
        if is_gone(exc):
            raise SessionGone(str(exc)) from exc
        raise


def is_gone(error: ConnectorError) -> bool:
    """Return True when the session is over: 404 and 410, and 403, which another user than its opener gets (facts §4).

    A 403 that names another cause (a policy, a lock, a missing scope) concerns the file: a new session meets it again.
    """
    if isinstance(error, TooLarge | QuotaExceeded):
        return False
    status, code = status_of(error), code_of(error)
    return status in (404, 410) or code in GONE_CODES or (status == 403 and code in FOREIGN_CODES)


def digest_header(hex_digest: str) -> str:
    """Return the Digest header of these bytes: SHA-1 goes out in base64 and comes back in hex."""
    return f"sha={base64.b64encode(bytes.fromhex(hex_digest)).decode()}"


# --- private ---


def _planned_part(sender: PartSender, part: Part, sha1: str) -> PartState | None:
    """Ask whether an older version of this file already holds these bytes: then the part need not be sent."""
    route = "POST /files/upload_sessions/:id/plan"
    wanted = {
        "offset": part.offset,
        "size": len(part.content),
        "sha512": hashlib.sha512(part.content).hexdigest(),
    }
    with session_gone():
        answer = sender.connection.ask(route, sender.session.endpoints["plan"], data={"parts": [wanted]}).data
    hits = json_object(answer, route).get("hits") or []
    if not hits:
        return None
    return PartState(part_id=str(hits[0]["part_id"]), offset=part.offset, size=len(part.content), sha1=sha1)


def _proved_part(
    answered: PartState, part: Part, sha1: str, stored: Callable[[], PartState | None]
) -> PartState:
    """Return the part when Box's answer says what we sent; if not, the list of parts decides."""
    if (answered.offset, answered.size, answered.sha1) == (part.offset, len(part.content), sha1):
        return answered
    if found := stored():
        return found
    raise DigestMismatch(f"Box stored other bytes for the part at {part.offset}; the file is sent again.")


def _part_state(entry: Mapping[str, Any]) -> PartState:
    try:
        return PartState(
            part_id=str(entry["part_id"]),
            offset=int(entry["offset"]),
            size=int(entry["size"]),
            sha1=str(entry["sha1"]).lower(),
        )
    except (KeyError, TypeError, ValueError):
        raise ServerBusy("Box's description of a part is incomplete.") from None
