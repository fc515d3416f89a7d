"""A large file through an upload session: create or resume → parts → commit; or abort.

Nothing here decides whether a file has to be sent, and nothing is believed: Box's sha1 and size must be ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from box_sdk_gen.schemas.upload_session import UploadSession

from connectors.box.client.connection import BoxConnection
from connectors.box.client.errors import retry_after_seconds
from connectors.box.client.refusal import code_of, status_of
from connectors.box.files import file_info
from connectors.box.types import CheckSource, OpenFile, PartState, Receipt, SessionState, Upload
from connectors.box.upload.part import (
    Part,
    PartSender,
    SessionGone,
    SessionStale,
    digest_header,
    is_gone,
    list_parts,
    put_part,
    session_gone,
)
from connectors.box.upload.part_order import parts_in_order
from connectors.box.upload.part_threads import FileParts, PartSenders
from connectors.box.upload.reader import look_at_end, read_exactly, sha1_of
from connectors.box.upload.receipts import (
    accept,
    adopt_name,
    adopt_version,
    box_dates,
    first_entry,
)
from connectors.box.upload.session_store import SessionStore
from connectors.box.values import json_object, moment_of
from connectors.errors import (
    AccessDenied,
    ConnectorError,
    ItemError,
    Locked,
    NameInUse,
    PermissionMissing,
    ReadFailed,
    Rejected,
    ServerBusy,
)
from connectors.source import SourceFile

#: Sessions that one put() opens before it gives up on a file whose sessions vanish.
MAX_SESSIONS = 3
#: A commit answers 202 while parts are assembled: dozens of rounds on busy days.
COMMIT_ROUNDS = 100
COMMIT_WAIT_SECONDS = 10.0
#: parts_mismatch right after the last part passes by itself.
MISMATCH_ROUNDS = 10
#: A session this close to its end is not begun with any more.
SESSION_LEAD = timedelta(minutes=5)


# --- direct upload ---


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
    item, last = work.item, ServerBusy()
    for _ in range(MAX_SESSIONS):
        try:
            with _session(work) as session:
                return _send_session(work, session)
        except SessionGone as exc:
            last = exc
            if isinstance(exc, SessionStale):
                continue  # forgotten when it was given back, else it is tried again and given back then
            # It may be gone because a commit whose answer was lost took effect: a new file then answers the next
            # create with its name in use and our sha1, a new version shows in the file itself.
            store.clear()
            if item.file_id and (receipt := _version_if_stored(work)):
                return receipt
        except NameInUse as exc:
            return adopt_name(connection, item, exc, work.sha1())
        except Rejected as exc:
            if item.file_id and status_of(exc) == 412:
                return adopt_version(connection, item, work.sha1(), exc)
            raise
    raise ServerBusy(
        f"Box's upload sessions for this file ended again and again; it is tried again later. {last}"
    )


def commit(
    connection: BoxConnection, item: Upload, session: SessionState, parts: list[PartState], sha1: str
) -> Mapping[str, Any]:
    """Make the file out of the parts and return the answer's file. 202 and parts_mismatch are waited out.

    SessionGone also stands for a commit whose answer was lost. NameInUse, Rejected with 412: as for direct uploads.
    """
    route = "POST /files/upload_sessions/:id/commit"
    headers = {"Digest": digest_header(sha1)} | (
        {"If-Match": item.etag} if item.file_id and item.etag else {}
    )
    body = {"parts": _commit_parts(session, parts), "attributes": box_dates(item)}
    mismatches = 0
    for _ in range(COMMIT_ROUNDS):
        pause = COMMIT_WAIT_SECONDS
        with session_gone():
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
    """Give the session back; one that is gone, or has somebody else's address, counts as done."""
    if not connection.transport.may_ask(session.endpoints["abort"]):
        return
    chunked = connection.client.chunked_uploads
    try:
        connection.call(
            "DELETE /files/upload_sessions/:id",
            lambda: chunked.delete_file_upload_session_by_url(session.endpoints["abort"]),
        )
    except (ItemError, PermissionMissing) as exc:
        if not is_gone(exc):
            raise


def open_and_give_back(connection: BoxConnection, item: Upload) -> None:
    """Open a session for a file of this size and give it back at once: whether Box would take such a file."""
    abort(connection, _create(connection, item))


# --- private ---


@dataclass
class _Work:
    """One file on its way through sessions."""

    connection: BoxConnection
    item: Upload
    open_file: OpenFile
    store: SessionStore
    senders: PartSenders
    check_source: CheckSource | None = None
    #: SHA-1 of the whole file once it was read to the end.
    known_sha1: str | None = None

    def sha1(self) -> str:
        if self.known_sha1 is None:
            self.known_sha1 = sha1_of(self.open_file, self.item.size, self.check_source)
        return self.known_sha1


@contextmanager
def _session(work: _Work) -> Iterator[SessionState]:
    """Yield the open session. When the file cannot go on with it, it is given back to Box; otherwise it is kept."""
    session = _resume(work) or _opened(work)
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
    """Return the stored session with the parts that Box really has; None when there is none to go on with."""
    stored = work.store.load()
    if stored is None:
        return None
    if not all(work.connection.transport.may_ask(url) for url in stored.endpoints.values()):
        work.store.clear()  # somebody else's address in the checkpoint: neither asked nor given back there
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


def _opened(work: _Work) -> SessionState:
    session = _create(work.connection, work.item)
    work.store.save(session)
    return session


def _create(connection: BoxConnection, item: Upload) -> SessionState:
    chunked = connection.client.chunked_uploads

    def send() -> UploadSession:
        if item.file_id:
            return chunked.create_file_upload_session_for_existing_file(
                item.file_id, item.size, file_name=item.name
            )
        return chunked.create_file_upload_session(item.folder_id, item.size, item.name)

    route = "POST /files/:id/upload_sessions" if item.file_id else "POST /files/upload_sessions"
    answer = json_object(connection.call(route, send).to_dict(), route)
    return _session_state(answer, item, connection.user_id)


def _session_state(answer: Mapping[str, Any], item: Upload, identity: str | None) -> SessionState:
    expires = answer.get("session_expires_at")
    endpoints = {name: str(url) for name, url in (answer.get("session_endpoints") or {}).items() if url}
    if not item.file_id:
        endpoints.pop("plan", None)  # asks for parts of an older version: there is none
    try:
        return SessionState(
            session_id=str(answer["id"]),
            endpoints=endpoints,
            part_size=int(answer["part_size"]),
            total_parts=int(answer["total_parts"]),
            expires_at=moment_of(expires) or datetime.now(UTC) + timedelta(days=6),
            fingerprint=item.content,
            identity=identity,
        )
    except (KeyError, TypeError, ValueError):
        raise ServerBusy("Box's answer to a new upload session is incomplete.") from None


def _send_session(work: _Work, session: SessionState) -> Receipt:
    """Read the file once from start to end: hash it, prove the finished parts, send the others, commit.

    One part is hashed for the whole file while the next one is read and earlier ones are sent.
    """
    item, finished = work.item, {part.offset: part for part in session.parts}
    whole, kept = hashlib.sha1(usedforsecurity=False), []
    sender = PartSender(work.connection, session, work.store)
    hashed: Future[None] | None = None
    with work.open_file() as source, work.senders.file() as sending, ThreadPoolExecutor(1, "hash") as hasher:
        for offset, length, in_box in parts_in_order(item.size, session.part_size, finished):
            sending.room()
            content = _next_content(sending, source, length)
            if hashed is not None:
                hashed.result()
            hashed = hasher.submit(whole.update, content)
            part = Part(offset=offset, content=content, total=item.size)
            if in_box is not None:
                sending.back()
                kept.append(part.proved_by(in_box))
            else:
                sending.send(lambda part=part: put_part(sender, part))  # type: ignore[misc]
        look_at_end(source, item.size, work.check_source)
        if hashed is not None:
            hashed.result()
        work.known_sha1 = whole.hexdigest()
        sent = sending.join()
    answer = commit(work.connection, item, session, [*kept, *sent], work.known_sha1)
    receipt = accept(work.connection, item, answer, work.known_sha1)
    return replace(receipt, parts_sent=sender.sent)


def _next_content(sending: FileParts, source: SourceFile, size: int) -> bytearray:
    try:
        return read_exactly(source, size)
    except BaseException:
        sending.back()
        raise


def _commit_parts(session: SessionState, parts: list[PartState]) -> list[dict[str, Any]]:
    """Return parts in order. Where `plan` was asked the hashes stay out: parts found there must not carry one."""
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
    """Look with one GET before a large version is sent: an earlier run may have died between commit and record."""
    stored = file_info(work.connection, work.item.file_id or "")
    if work.item.etag is None:
        work.item = replace(work.item, etag=stored.etag)
    if stored.etag == work.item.etag:
        return None
    return adopt_version(work.connection, work.item, work.sha1())


def _give_back(work: _Work) -> None:
    """Give a session that is still kept back: the content is in Box already."""
    session = work.store.load()
    if session is not None:
        with suppress(ConnectorError):  # it stays in the store, and is given back later
            abort(work.connection, session)
            work.store.clear()


def _version_if_stored(work: _Work) -> Receipt | None:
    """Return the receipt when the file's current version is this content already, or None."""
    stored = file_info(work.connection, work.item.file_id or "")
    if stored.size != work.item.size or stored.sha1 != work.sha1():
        return None
    return adopt_version(work.connection, work.item, work.sha1())


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)
