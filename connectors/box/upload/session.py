"""Sending one file: direct upload, or upload session as create → part → commit → abort; and the adopt rule.

Nothing here decides whether a file has to be sent, and nothing is believed: Box's sha1 and size must be ours.
"""

from __future__ import annotations

import base64
import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast

from box_sdk_gen.managers.uploads import (
    UploadFileAttributes,
    UploadFileAttributesParentField,
    UploadFileVersionAttributes,
)
from box_sdk_gen.schemas.files import Files
from box_sdk_gen.schemas.upload_session import UploadSession

from connectors.box.client.connection import BoxConnection
from connectors.box.client.errors import code_of, json_object, retry_after_seconds, status_of
from connectors.box.types import CheckSource, OpenFile, PartState, Receipt, SessionState, Upload
from connectors.box.upload.part_threads import FileParts, PartSenders
from connectors.box.upload.reader import HashingReader, look_at_end, opened, read_exactly, sha1_of
from connectors.box.upload.receipts import (
    accept,
    adopt_name,
    adopt_version,
    box_dates,
    file_info,
    first_entry,
    with_etag,
)
from connectors.errors import (
    AccessDenied,
    ConnectorError,
    DigestMismatch,
    ItemError,
    Locked,
    NameInUse,
    PermissionMissing,
    QuotaExceeded,
    ReadFailed,
    Rejected,
    ServerBusy,
    TooLarge,
)

UPLOAD_FIELDS = ["name", "size", "sha1", "etag", "file_version"]

#: Sessions that one put() opens before it gives up on a file whose sessions vanish.
MAX_SESSIONS = 3
#: A commit answers 202 while parts are assembled: dozens of rounds on busy days.
COMMIT_ROUNDS = 100
COMMIT_WAIT_SECONDS = 10.0
#: parts_mismatch right after the last part passes by itself.
MISMATCH_ROUNDS = 10
#: A part whose bytes were damaged on the way is sent this often.
PART_ATTEMPTS = 3
#: A session this close to its end is not begun with any more.
SESSION_LEAD = timedelta(minutes=5)

PART_ROUTE = "PUT /files/upload_sessions/:id"

#: Of a 403 to a call about a session. The first is documented; which code comes with it is not: the safe reading.
FOREIGN_CODES = frozenset({"forbidden", "access_denied_insufficient_permissions", "", None})
GONE_CODES = frozenset({"session_expired", "upload_failed", "invalid_upload_session_id"})


class SessionGone(ServerBusy):
    """The upload session ended, was aborted, or belongs to somebody else; a new one is opened."""

    reason = "session_gone"


class SessionStale(SessionGone):
    """The upload session holds other bytes than the file; it is given back and the file begun anew."""


class SessionStore(Protocol):
    """Where the upload session of one file survives the process. Called by one thread at a time."""

    def load(self) -> SessionState | None:
        """The session with its finished parts."""
        ...

    def save(self, session: SessionState) -> None:
        """Keep a new session, in place of an older one."""
        ...

    def add_part(self, part: PartState) -> None:
        """One more finished part of the kept session."""
        ...

    def clear(self) -> None:
        """The session is over."""
        ...


class MemorySessions:
    """A SessionStore for files whose session need not survive."""

    def __init__(self) -> None:
        self._session: SessionState | None = None

    def load(self) -> SessionState | None:
        return self._session

    def save(self, session: SessionState) -> None:
        self._session = session

    def add_part(self, part: PartState) -> None:
        if self._session:
            self._session = replace(self._session, parts=(*self._session.parts, part))

    def clear(self) -> None:
        self._session = None


# --- direct upload ---


def put_direct(
    connection: BoxConnection, item: Upload, open_file: OpenFile, check_source: CheckSource | None = None
) -> Receipt:
    """One multipart POST, hashed while it streams."""
    reader: HashingReader | None = None

    def send() -> Files:
        nonlocal reader
        with opened(open_file) as source:
            reader = HashingReader(source, item.size, check_source)
            reader.finish()
            return _post_content(connection, item, reader)

    def sha1() -> str:
        return (
            reader.hexdigest() if reader and reader.complete else sha1_of(open_file, item.size, check_source)
        )

    item = with_etag(connection, item)
    try:
        answer = connection.call(_content_route(item), send)
    except NameInUse as exc:
        return adopt_name(connection, item, exc, sha1())
    except Rejected as exc:
        if item.file_id and status_of(exc) == 412:
            return adopt_version(connection, item, sha1())
        raise
    connection.transport.count_bytes(item.size)
    return accept(connection, item, first_entry(answer.to_dict(), _content_route(item)), sha1())


def _post_content(connection: BoxConnection, item: Upload, reader: HashingReader) -> Files:
    uploads = connection.client.uploads
    stream = cast("io.BufferedIOBase", reader)
    dates = {name: cast("datetime", text) for name, text in box_dates(item).items()}
    if item.file_id:
        return uploads.upload_file_version(
            item.file_id,
            UploadFileVersionAttributes(item.name, content_modified_at=dates.get("content_modified_at")),
            stream,
            fields=UPLOAD_FIELDS,
            if_match=item.etag,
        )
    parent = UploadFileAttributesParentField(id=item.folder_id)
    return uploads.upload_file(UploadFileAttributes(item.name, parent, **dates), stream, fields=UPLOAD_FIELDS)


def _content_route(item: Upload) -> str:
    return "POST /files/:id/content" if item.file_id else "POST /files/content"


# --- upload session ---


def put_session(
    connection: BoxConnection,
    item: Upload,
    open_file: OpenFile,
    store: SessionStore,
    senders: PartSenders,
    check_source: CheckSource | None = None,
) -> Receipt:
    """Create or resume the session, send the parts that Box lacks, commit."""
    work = _Work(connection, item, open_file, store, senders, check_source)
    if item.file_id and (receipt := _look_first(work)):
        _give_back(work)
        return receipt
    item = work.item
    for _ in range(MAX_SESSIONS):
        try:
            with _session(work) as session:
                return _send_session(work, session)
        except SessionGone:
            # It may be gone because a commit whose answer was lost took effect: a new file then answers the next
            # create with its name in use and our sha1, a new version shows in the file itself.
            store.clear()
            if item.file_id and (receipt := _version_if_stored(work)):
                return receipt
        except NameInUse as exc:
            return adopt_name(connection, item, exc, work.sha1())
        except Rejected as exc:
            if item.file_id and status_of(exc) == 412:
                return adopt_version(connection, item, work.sha1())
            raise
    raise ServerBusy("Box's upload sessions for this file ended again and again; it is tried again later.")


@dataclass
class _Work:
    """One file on its way through sessions."""

    connection: BoxConnection
    item: Upload
    open_file: OpenFile
    store: SessionStore
    senders: PartSenders
    check_source: CheckSource | None
    #: SHA-1 of the whole file once it was read to the end.
    known_sha1: str | None = None

    def sha1(self) -> str:
        if self.known_sha1 is None:
            self.known_sha1 = sha1_of(self.open_file, self.item.size, self.check_source)
        return self.known_sha1


@contextmanager
def _session(work: _Work) -> Iterator[SessionState]:
    """The open session. When the file cannot go on with it, it is given back to Box; otherwise it is kept."""
    session = _resume(work) or _create(work)
    try:
        yield session
    except (Locked, AccessDenied, ReadFailed):
        raise  # the source may be readable next time, and what Box has stays good
    except (ItemError, SessionStale):
        with suppress(ConnectorError):  # it stays in the store, and is given back later
            abort(work.connection, session)
            work.store.clear()
        raise
    work.store.clear()


def _resume(work: _Work) -> SessionState | None:
    """The stored session with the parts that Box really has; None when there is none to go on with."""
    stored = work.store.load()
    if stored is None:
        return None
    if not stored.fingerprint.same_content_as(work.item.content):
        abort(work.connection, stored)
        work.store.clear()
        return None
    if stored.expires_at <= datetime.now(UTC) + SESSION_LEAD:
        raise SessionGone
    listed = {part.offset: part for part in list_parts(work.connection, stored)}
    if "plan" in stored.endpoints:  # parts that Box knew from an older version need not be listed
        listed = {part.offset: part for part in stored.parts} | listed
    known = {part.offset for part in stored.parts}
    for part in listed.values():
        if part.offset not in known:
            work.store.add_part(part)
    return replace(stored, parts=tuple(sorted(listed.values(), key=lambda part: part.offset)))


def _create(work: _Work) -> SessionState:
    item, chunked = work.item, work.connection.client.chunked_uploads

    def send() -> UploadSession:
        if item.file_id:
            return chunked.create_file_upload_session_for_existing_file(
                item.file_id, item.size, file_name=item.name
            )
        return chunked.create_file_upload_session(item.folder_id, item.size, item.name)

    route = "POST /files/:id/upload_sessions" if item.file_id else "POST /files/upload_sessions"
    answer = json_object(work.connection.call(route, send).to_dict(), route)
    session = _session_state(answer, work)
    work.store.save(session)
    return session


def _session_state(answer: Mapping[str, Any], work: _Work) -> SessionState:
    expires = answer.get("session_expires_at")
    endpoints = {name: str(url) for name, url in (answer.get("session_endpoints") or {}).items() if url}
    if not work.item.file_id:
        endpoints.pop("plan", None)  # asks for parts of an older version: there is none
    try:
        return SessionState(
            session_id=str(answer["id"]),
            endpoints=endpoints,
            part_size=int(answer["part_size"]),
            total_parts=int(answer["total_parts"]),
            expires_at=_moment(expires) or datetime.now(UTC) + timedelta(days=6),
            fingerprint=work.item.content,
            identity=work.connection.user_id,
        )
    except (KeyError, TypeError, ValueError):
        raise ServerBusy("Box's answer to a new upload session is incomplete.") from None


def _send_session(work: _Work, session: SessionState) -> Receipt:
    """Read the file once from start to end: hash it, prove the finished parts, send the others, commit."""
    item, finished = work.item, {part.offset: part for part in session.parts}
    whole, kept = hashlib.sha1(usedforsecurity=False), []
    sender = _Sender(work.connection, session, work.store)
    with work.open_file() as source, work.senders.file() as sending:
        for offset in range(0, item.size, session.part_size):
            sending.room()
            content = _next_content(sending, source, min(session.part_size, item.size - offset))
            whole.update(content)
            part = _Part(offset=offset, content=content, total=item.size)
            if offset in finished:
                sending.back()
                kept.append(part.proved_by(finished[offset]))
            else:
                sending.send(lambda part=part: put_part(sender, part))  # type: ignore[misc]
        look_at_end(source, item.size, work.check_source)
        work.known_sha1 = whole.hexdigest()
        sent = sending.join()
    answer = commit(work.connection, item, session, [*kept, *sent], work.known_sha1)
    receipt = accept(work.connection, item, answer, work.known_sha1)
    return replace(receipt, parts_sent=sender.sent)


def _next_content(sending: FileParts, source: Any, size: int) -> bytes:
    try:
        return read_exactly(source, size)
    except BaseException:
        sending.back()
        raise


# --- parts ---


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The bytes of one part."""

    offset: int
    content: bytes = field(repr=False)
    #: Size of the whole file.
    total: int

    @property
    def sha1(self) -> str:
        return hashlib.sha1(self.content, usedforsecurity=False).hexdigest()

    @property
    def content_range(self) -> str:
        return f"bytes {self.offset}-{self.offset + len(self.content) - 1}/{self.total}"

    def proved_by(self, finished: PartState) -> PartState:
        """The finished part, if it holds what the source holds now; the session is of no use otherwise."""
        if finished.sha1 == self.sha1 and finished.size == len(self.content):
            return finished
        raise SessionStale


@dataclass
class _Sender:
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


def put_part(sender: _Sender, part: _Part) -> PartState:
    """Send one part, or find that Box has it: a 5xx may come although the part was stored."""
    connection, session, sha1 = sender.connection, sender.session, part.sha1
    if "plan" in session.endpoints and (known := _planned_part(sender, part, sha1)):
        return sender.record(known, sent=False)

    def send() -> PartState:
        answer = connection.client.chunked_uploads.upload_file_part_by_url(
            session.endpoints["upload_part"],
            io.BytesIO(part.content),
            f"sha={_base64(sha1)}",
            part.content_range,
        )
        return _part_state(json_object(answer.to_dict().get("part"), PART_ROUTE))

    def stored() -> PartState | None:
        return find_part(connection, session, part.offset, sha1, len(part.content))

    for attempt in range(1, PART_ATTEMPTS + 1):
        with _gone_as_such():
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
    """The finished part at this offset when it holds these bytes."""
    for part in list_parts(connection, session):
        if part.offset == offset and part.sha1 == sha1 and part.size == size:
            return part
    return None


def list_parts(connection: BoxConnection, session: SessionState) -> list[PartState]:
    """Every finished part, one call per 1,000. SessionGone when the session is over."""
    route, url = "GET /files/upload_sessions/:id/parts", session.endpoints["list_parts"]
    parts: list[PartState] = []
    with _gone_as_such():
        while True:
            page = connection.ask(route, url, params={"offset": str(len(parts)), "limit": "1000"}).data
            answer = json_object(page, route)
            entries = answer.get("entries") or []
            parts += [_part_state(each) for each in entries]
            if not entries or len(parts) >= int(answer.get("total_count") or 0):
                return parts


def commit(
    connection: BoxConnection, item: Upload, session: SessionState, parts: list[PartState], sha1: str
) -> Mapping[str, Any]:
    """Make the file out of the parts; the answer's file. 202 and parts_mismatch are waited out.

    SessionGone also stands for a commit whose answer was lost. NameInUse, Rejected with 412: as for direct uploads.
    """
    route = "POST /files/upload_sessions/:id/commit"
    headers = {"Digest": f"sha={_base64(sha1)}"} | (
        {"If-Match": item.etag} if item.file_id and item.etag else {}
    )
    body = {"parts": _commit_parts(session, parts), "attributes": box_dates(item)}
    mismatches = 0
    for _ in range(COMMIT_ROUNDS):
        pause = COMMIT_WAIT_SECONDS
        with _gone_as_such():
            try:
                answer = connection.ask(
                    route, session.endpoints["commit"], data=body, headers=headers, slow=True
                )
            except Rejected as exc:
                mismatches += 1
                if code_of(exc) != "parts_mismatch" or mismatches > MISMATCH_ROUNDS:
                    raise
                pause = min(float(mismatches), COMMIT_WAIT_SECONDS)
                if mismatches > 2:
                    body["parts"] = _commit_parts(session, list_parts(connection, session))
            else:
                if answer.status != 202:
                    return first_entry(cast("Mapping[str, Any]", answer.data), route)
                asked = retry_after_seconds(_header(answer.headers, "retry-after"))
                pause = pause if asked is None else max(asked, 0.1)
        connection.pacer.wait(pause)
    raise ServerBusy(
        "Box did not finish assembling the file; its parts are kept and the commit is tried again."
    )


def abort(connection: BoxConnection, session: SessionState) -> None:
    """Give the session back; gone already counts as done."""
    chunked = connection.client.chunked_uploads
    try:
        connection.call(
            "DELETE /files/upload_sessions/:id",
            lambda: chunked.delete_file_upload_session_by_url(session.endpoints["abort"]),
        )
    except (ItemError, PermissionMissing) as exc:
        if not _is_gone(exc):
            raise


# --- private ---


@contextmanager
def _gone_as_such() -> Iterator[None]:
    """Whatever means that the session is of no use any more becomes SessionGone."""
    try:
        yield
    except (ItemError, PermissionMissing) as exc:
        if _is_gone(exc):
            raise SessionGone(str(exc)) from exc
        raise


def _is_gone(error: ConnectorError) -> bool:
    """404 and 410; 403 is what another user than the one who opened it gets (facts §4), unless it names another
    cause: a policy, a lock, a missing scope concern the file, and a new session would meet them again."""
    if isinstance(error, TooLarge | QuotaExceeded):
        return False
    status, code = status_of(error), code_of(error)
    return status in (404, 410) or code in GONE_CODES or (status == 403 and code in FOREIGN_CODES)


def _planned_part(sender: _Sender, part: _Part, sha1: str) -> PartState | None:
    """Ask whether an older version of this file already holds these bytes: then the part need not be sent."""
    route = "POST /files/upload_sessions/:id/plan"
    wanted = {
        "offset": part.offset,
        "size": len(part.content),
        "sha512": hashlib.sha512(part.content).hexdigest(),
    }
    with _gone_as_such():
        answer = sender.connection.ask(route, sender.session.endpoints["plan"], data={"parts": [wanted]}).data
    hits = json_object(answer, route).get("hits") or []
    if not hits:
        return None
    return PartState(part_id=str(hits[0]["part_id"]), offset=part.offset, size=len(part.content), sha1=sha1)


def _proved_part(
    answered: PartState, part: _Part, sha1: str, stored: Callable[[], PartState | None]
) -> PartState:
    """Box's answer says what we sent; if not, the list of parts decides."""
    if (answered.offset, answered.size, answered.sha1) == (part.offset, len(part.content), sha1):
        return answered
    if found := stored():
        return found
    raise DigestMismatch(f"Box stored other bytes for the part at {part.offset}; the file is sent again.")


def _commit_parts(session: SessionState, parts: list[PartState]) -> list[dict[str, Any]]:
    """Parts in order. Where `plan` was asked the hashes stay out: parts found there must not carry one."""
    ordered = sorted(parts, key=lambda part: part.offset)
    rows = [
        {"part_id": part.part_id, "offset": part.offset, "size": part.size, "sha1": part.sha1}
        for part in ordered
    ]
    if "plan" in session.endpoints:
        for row in rows:
            del row["sha1"]
    return rows


def _look_first(work: _Work) -> Receipt | None:
    """One GET before a large version is sent: an earlier run may have committed it and died before it said so."""
    stored = file_info(work.connection, work.item.file_id or "")
    if work.item.etag is None:
        work.item = replace(work.item, etag=stored.etag)
    if stored.etag == work.item.etag:
        return None
    return adopt_version(work.connection, work.item, work.sha1())


def _give_back(work: _Work) -> None:
    """The content is in Box, so a session that is still kept is over, or is of no use any more."""
    session = work.store.load()
    if session is not None:
        with suppress(ConnectorError):  # it stays in the store, and is given back later
            abort(work.connection, session)
            work.store.clear()


def _version_if_stored(work: _Work) -> Receipt | None:
    """The receipt when the file's current version is this content already."""
    stored = file_info(work.connection, work.item.file_id or "")
    if stored.size != work.item.size or stored.sha1 != work.sha1():
        return None
    return adopt_version(work.connection, work.item, work.sha1())


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


def _base64(hex_digest: str) -> str:
    return base64.b64encode(bytes.fromhex(hex_digest)).decode()


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)
