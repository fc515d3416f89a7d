"""Upload sessions: create, part, list, plan, commit, abort, expiry. The file itself is made by `items`.

A session belongs to the user that created it (403 for others), takes each part once and in one alignment, does
not occupy its name, and is gone after commit, abort or expiry. Readings chosen where Box says nothing:

* A part whose Digest does not match its bytes: 412 precondition_failed is not used; 400 bad_digest is. A commit
  with another digest than that of the parts answers 400 digest_mismatch, as has been seen.
* A part sent twice: 409 range_overlaps_existing_part, even when the bytes are the same; with `overlap_is_416`
  416 with the part in `context_info.conflicting_part`. Both have been seen.
* A version session with a file name that is taken answers 409 at once, not at its commit.
* A session that was committed or aborted: 404, except that a committed one may be deleted (Box's own client
  tests do so); one past its life: 410 session_expired.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any

from connectors.box.sandbox.errors import BoxError, bad_request, missing, not_found, session_gone
from connectors.box.sandbox.rules import permissions
from connectors.box.sandbox.rules.items import Items
from connectors.box.sandbox.rules.names import check_session_name
from connectors.box.sandbox.store.records import File, Part, UploadSession, User
from connectors.box.sandbox.store.store import Store

MIB = 1024**2
#: Seen at Box: 8 MiB up to about 1.4 GB, then 32 MiB, 64 MiB for several GiB (box.md §5.1).
_PART_SIZES = ((1_400_000_000, 8 * MIB), (4 * 1024**3, 32 * MIB))
_LARGEST_PART = 64 * MIB
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)


class NotReady(Exception):
    """The commit has to be sent again: 202 with Retry-After."""


class Sessions:
    """The rules of chunked uploads."""

    def __init__(self, store: Store, items: Items) -> None:
        self.store = store
        self.items = items

    def create(self, user: User, body: dict[str, Any]) -> UploadSession:
        """POST /files/upload_sessions; the checks of a preflight are part of it."""
        if body.get("file_id") is not None and body.get("folder_id") is not None:
            raise BoxError(400, "multiple_destinations", "Only one of folder_id and file_id may be given")
        folder_id = body.get("folder_id")
        if folder_id is None:
            raise BoxError(400, "missing_destination", "Missing destination")
        if not isinstance(folder_id, str) or not folder_id.isdigit():
            raise BoxError(400, "invalid_folder_id", "Invalid folder id")
        if body.get("file_name") is None:
            raise BoxError(400, "missing_file_name", "Missing file name")
        size = self._size(body)
        name = check_session_name(body["file_name"], self.store.settings)
        try:
            folder, name = self.items.check_upload(user, folder_id, name, size)
        except BoxError as error:
            if error.status == 404:
                raise BoxError(404, "invalid_parameter", "Invalid folder", error.context_info) from error
            raise
        return self._open(user, None, name, size, folder)

    def create_version(self, user: User, file_id: str, body: dict[str, Any]) -> UploadSession:
        """POST /files/:id/upload_sessions."""
        size = self._size(body)
        file = self.items.check_version(user, file_id, size, None)
        name = body.get("file_name")
        text = file.name if name is None else check_session_name(name, self.store.settings)
        self.items.check_rename(user, file, text)
        return self._open(user, file, text, size, file.parent)

    def get(self, user: User, session_id: str) -> UploadSession:
        """The session, for its own user: 404 unknown, 410 expired, 403 somebody else's."""
        session = self.store.sessions.get(session_id)
        if session is None:
            if self.store.ended_sessions.get(session_id) == "expired":
                raise session_gone()
            raise not_found("upload_session", session_id)
        if session.expires <= self._clock():
            self._end(session, "expired")
            raise session_gone()
        if session.user is not user:
            raise BoxError(403, "forbidden", "The upload session belongs to another user")
        return session

    def abort(self, user: User, session_id: str) -> None:
        """DELETE: the parts are gone. A committed session may be deleted as well, once more and without effect."""
        if self.store.ended_sessions.get(session_id) == "committed":
            return
        self._end(self.get(user, session_id), "aborted")

    def add_part(
        self, session: UploadSession, content_range: str | None, digest: str | None, chunks: Sequence[bytes], size: int,
        *, corrupt: bool = False,
    ) -> Part:  # fmt: skip
        """Store one part; every refusal leaves the session as it was."""
        offset = self._check_range(session, content_range, size)
        sha1, sha512 = self._check_digest(digest, chunks)
        if corrupt:
            chunks = [spoil(b"".join(chunks))]
            sha1 = hashlib.sha1(chunks[0]).hexdigest()  # noqa: S324  # Box's own digest
        blob = self.store.contents.keep(chunks, size)
        part = Part(
            id=secrets.token_hex(4).upper(), offset=offset, size=size, sha1=sha1, sha512=sha512, blob=blob
        )
        session.parts[offset] = part
        self._feed(session, part, chunks)
        self.store.save(session)
        return part

    def resume(self, session: UploadSession, parts: list[Part]) -> None:
        """Take parts that were read from the data folder."""
        for part in sorted(parts, key=lambda part: part.offset):
            session.parts[part.offset] = part
            self._feed(session, part, tuple(_bytes_of(part)))

    def list_parts(self, session: UploadSession) -> list[Part]:
        """All parts by offset."""
        return [session.parts[offset] for offset in sorted(session.parts)]

    def plan(self, session: UploadSession, body: dict[str, Any]) -> tuple[list[Part], list[dict[str, Any]]]:
        """Which of the described parts Box has already: (hits, misses).

        Only for versions: the bytes of the file's current version are looked up by offset, size and SHA-512,
        and hits become parts of the session without being sent.
        """
        hits, misses = [], []
        wanted = body.get("parts")
        if not isinstance(wanted, list):
            raise missing("parts")
        for description in wanted:
            offset, size, sha512 = _plan_part(description)
            self._check_offset(session, offset, size)
            part = session.parts.get(offset) or self._known_part(session, offset, size, sha512)
            if part is not None and part.sha512 == sha512 and part.size == size:
                hits.append(part)
            else:
                misses.append({"offset": offset, "size": size, "sha512": sha512})
        self.store.save(session)
        return hits, misses

    def commit(
        self, user: User, session_id: str, body: dict[str, Any], digest: str | None, if_match: str | None,
        if_none_match: str | None, dates: tuple[int | None, int | None],
    ) -> File:  # fmt: skip
        """Make the file. Raises NotReady for a 202, and BoxError for every refusal."""
        session = self.get(user, session_id)
        expected = self._sha1_header(digest)
        settings = self.store.settings
        self._check_parts(session, body.get("parts"))
        if session.rounds_mismatch < settings.parts_mismatch_rounds:
            session.rounds_mismatch += 1
            raise _parts_mismatch()
        if session.rounds_202 < settings.commit_202_rounds:
            session.rounds_202 += 1
            raise NotReady
        actual = session.hasher.hexdigest()
        if actual != expected:
            raise BoxError(400, "digest_mismatch", "The digest of the file differs from that of its parts")
        file = self._store_file(user, session, actual, if_match, if_none_match, dates)
        self._end(session, "committed", keep_blobs=True)
        return file

    def expire_old(self) -> None:
        """Drop every session past its life."""
        now = self._clock()
        for session in [s for s in self.store.sessions.values() if s.expires <= now]:
            self._end(session, "expired")

    # --- inside ---

    def _clock(self) -> float:
        return time.time() + self.store.settings.clock_offset_seconds

    def _size(self, body: dict[str, Any]) -> int:
        size = body.get("file_size")
        if size is None:
            raise BoxError(400, "missing_file_size", "Missing file size")
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise BoxError(400, "invalid_file_size", "Invalid file size")
        if size < self.store.settings.min_session_size:
            raise BoxError(400, "file_size_too_small", "File size is too small for an upload session")
        return size

    def _open(self, user: User, file: File | None, name: str, size: int, folder: Any) -> UploadSession:
        now = self._clock()
        part_size = self.store.settings.part_size or _part_size(size)
        session = UploadSession(
            id=secrets.token_hex(16).upper(),
            user=user,
            folder=folder,
            file=file,
            name=name,
            size=size,
            part_size=part_size,
            created=now,
            expires=now + self.store.settings.session_ttl,
            hasher=hashlib.sha1(usedforsecurity=False),
        )
        self.store.sessions[session.id] = session
        self.store.save(session)
        return session

    def _check_range(self, session: UploadSession, header: str | None, size: int) -> int:
        match = _RANGE.fullmatch(header or "")
        if match is None:
            raise bad_request("The Content-Range header is missing or malformed", "content-range")
        low, high, total = (int(group) for group in match.groups())
        if total != session.size or high < low or high >= session.size or high - low + 1 != size:
            raise _range_mismatch()
        self._check_offset(session, low, size)
        # Aligned parts of fixed sizes overlap only when they start at the same place.
        if low in session.parts:
            raise self._overlap(session.parts[low])
        return low

    def _overlap(self, part: Part) -> BoxError:
        text = "The part overlaps one that was uploaded already"
        if not self.store.settings.overlap_is_416:
            return BoxError(409, "range_overlaps_existing_part", text)
        found = {"part_id": part.id, "offset": part.offset, "size": part.size, "sha1": part.sha1}
        return BoxError(416, "range_overlaps_existing_part", text, {"conflicting_part": found})

    def _check_offset(self, session: UploadSession, offset: int, size: int) -> None:
        expected = min(session.part_size, session.size - offset)
        if offset < 0 or offset % session.part_size or size != expected:
            raise _range_mismatch()

    def _check_digest(self, header: str | None, chunks: Iterable[bytes]) -> tuple[str, str | None]:
        sha512 = None
        kind, _, value = (header or "").partition("=")
        if kind == "sha-512":
            wide = hashlib.sha512()
            for chunk in chunks:
                wide.update(chunk)
            sha512 = wide.hexdigest()
        narrow = hashlib.sha1(usedforsecurity=False)
        for chunk in chunks:
            narrow.update(chunk)
        sha1 = narrow.hexdigest()
        if _hex_digest(kind, value) != (sha1 if kind == "sha" else sha512):
            raise BoxError(400, "bad_digest", "The specified content digest did not match what we received")
        return sha1, sha512

    def _sha1_header(self, header: str | None) -> str:
        kind, _, value = (header or "").partition("=")
        if kind != "sha":
            raise bad_request("The Digest header is missing or malformed", "digest")
        return _hex_digest(kind, value)

    def _feed(self, session: UploadSession, part: Part, chunks: Sequence[bytes]) -> None:
        """Drive the whole file's hash over the parts without a gap before them."""
        if part.offset != session.hashed:
            session.waiting[part.offset] = [] if part.blob is not None else list(chunks)
            return
        for chunk in chunks:
            session.hasher.update(chunk)
        session.hashed += part.size
        while session.hashed in session.waiting:
            pieces = session.waiting.pop(session.hashed)
            following = session.parts[session.hashed]
            for chunk in pieces or _bytes_of(following):
                session.hasher.update(chunk)
            session.hashed += following.size

    def _known_part(self, session: UploadSession, offset: int, size: int, sha512: str) -> Part | None:
        file = session.file
        if file is None or file.blob is None or offset + size > file.size:
            return None
        content = b"".join(file.blob.read(offset, offset + size))
        if hashlib.sha512(content).hexdigest() != sha512:
            return None
        part = Part(
            id=secrets.token_hex(4).upper(),
            offset=offset,
            size=size,
            sha1=hashlib.sha1(content, usedforsecurity=False).hexdigest(),
            sha512=sha512,
            blob=self.store.contents.keep([content], size),
        )
        session.parts[offset] = part
        self._feed(session, part, [content])
        return part

    def _check_parts(self, session: UploadSession, listed: object) -> None:
        if not isinstance(listed, list) or not listed:
            raise missing("parts")
        offset = 0
        for entry in sorted(
            (e for e in listed if isinstance(e, dict)), key=lambda e: _sortable(e.get("offset"))
        ):
            part = session.parts.get(offset)
            if (
                part is None
                or entry.get("part_id") != part.id
                or entry.get("offset") != part.offset
                or entry.get("size") != part.size
                or entry.get("sha1", part.sha1) != part.sha1
            ):
                raise _parts_mismatch()
            offset += part.size
        if offset != session.size or len(listed) != session.total_parts:
            raise _parts_mismatch()

    def _store_file(
        self, user: User, session: UploadSession, sha1: str, if_match: str | None, if_none_match: str | None,
        dates: tuple[int | None, int | None],
    ) -> File:  # fmt: skip
        items = self.items
        if session.file is not None:
            file = items.check_version(user, session.file.id, session.size, if_match)
            if if_none_match is not None and if_none_match.strip('"') in {"*", str(file.etag)}:
                raise BoxError(412, "precondition_failed", "The resource has not been modified")
            if session.name != file.name:
                items.check_rename(user, file, session.name)
            blob = self._combined(session)
            items.add_version(user, file, session.size, sha1, blob, dates[1])
            if session.name != file.name:
                items.move_or_rename(user, file, session.name, None)
            return file
        permissions.check_not_trashed(session.folder)
        folder, name = items.check_upload(user, session.folder.id, session.name, session.size)
        return items.add_file(user, folder, name, session.size, sha1, self._combined(session), *dates)

    def _combined(self, session: UploadSession) -> Any:
        parts = self.list_parts(session)
        return self.store.contents.combine([part.blob for part in parts], session.size)

    def _end(self, session: UploadSession, how: str, *, keep_blobs: bool = False) -> None:
        self.store.sessions.pop(session.id, None)
        self.store.ended_sessions[session.id] = how
        self.store.save(("ended", session.id, how))
        self.store.drop(session)
        if not keep_blobs:
            for part in session.parts.values():
                self.store.contents.drop(part.blob)
        session.parts.clear()
        session.waiting.clear()


def spoil(content: bytes) -> bytes:
    """The content with its first byte changed, for the wrong-digest fault; one byte where there was none."""
    return bytes([content[0] ^ 0xFF]) + content[1:] if content else b"\x00"


def _part_size(size: int) -> int:
    return next((part for limit, part in _PART_SIZES if size <= limit), _LARGEST_PART)


def _bytes_of(part: Part) -> Iterable[bytes]:
    return () if part.blob is None else part.blob.read(0, part.size)


def _hex_digest(kind: str, value: str) -> str:
    length = {"sha": 20, "sha-512": 64}.get(kind)
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if length is None or len(raw) != length:
        raise bad_request("The Digest header is missing or malformed", "digest")
    return raw.hex()


def _plan_part(description: object) -> tuple[int, int, str]:
    if isinstance(description, dict):
        offset, size, sha512 = (description.get(name) for name in ("offset", "size", "sha512"))
        if type(offset) is int and type(size) is int and isinstance(sha512, str) and len(sha512) == 128:
            return offset, size, sha512
    raise bad_request("Each part needs offset, size and sha512", "parts")


def _sortable(value: object) -> int:
    return value if isinstance(value, int) else -1


def _range_mismatch() -> BoxError:
    return BoxError(416, "range_not_satisfiable", "The range does not match the upload session")


def _parts_mismatch() -> BoxError:
    return BoxError(400, "parts_mismatch", "The parts do not match what was uploaded")
