"""SMBLink: one connection, session and share of one thread, on smbprotocol's public classes.

This is the seam: whatever speaks SMB2 faster replaces this class and nothing else. It raises errors of status.py only.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBException, SMBResponseException
from smbprotocol.file_info import FileInformationClass
from smbprotocol.open import SMB2CloseRequest
from smbprotocol.session import Session
from smbprotocol.tree import (
    ShareFlags,
    SMB2TreeConnectRequest,
    SMB2TreeConnectResponse,
    TreeConnect,
)

from connectors.entry import NO_STREAMS, Streams
from connectors.sources.smb import wire
from connectors.sources.smb.backup import BackupIntent
from connectors.sources.smb.login import LoginGate, SMBAccount, login_error
from connectors.sources.smb.status import (
    BUFFER_OVERFLOW,
    END_OF_FILE,
    NO_MORE_FILES,
    UNSUPPORTED,
    SMBConnectionLostError,
    SMBLoginError,
    SMBStatusError,
    SMBUnreachableError,
    error_of_status,
)

#: Read together with the opening: small files take one round trip.
FIRST_READ = 65_536
ANSWER_BUFFER = 65_536
#: Some two hundred named streams, where files have one or two; what does not fit is told as "more".
STREAMS_BUFFER = 16_384
#: Beyond 1 MiB a message leaves the processor's cache and gets slower.
READ_SIZE = 1 << 20
#: Enough for four reads in flight (16 credits each) and the requests beside them.
WANTED_CREDITS = 128
#: Answers to CLOSE that are waited for at the latest when this many are out.
UNACKNOWLEDGED = 8

_SIGNED = 0x0000_0008

#: NTSTATUS values that come with data, and those that only say that there is none (any more).
_TOLD = frozenset({0, BUFFER_OVERFLOW})
_NO_ERROR = frozenset({NO_MORE_FILES, END_OF_FILE})


class Answer(NamedTuple):
    """What the server said: NTSTATUS (0 is success) and the bytes behind the header."""

    status: int
    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class SMBHandle:
    """An open file: the server's handle, what it was at opening, its named streams, and its first bytes."""

    id: bytes
    record: wire.Record
    streams: Streams
    first_bytes: bytes


class SMBLink:
    """Not for several threads at once; SMBFileSystem lends it to one at a time."""

    def __init__(self, account: SMBAccount, gate: LoginGate, backup: BackupIntent) -> None:
        """Connect and log in. Raises SMBUnreachableError, SMBLoginError or SMBConnectionLostError."""
        self._account = account
        self._gate = gate
        self._backup = backup
        self._pid = os.getpid()
        self._unacknowledged: list[Any] = []
        self._connection = Connection(
            uuid.uuid4(), account.host, account.port, require_signing=account.signing
        )
        # smbprotocol waits for the answers of a login without a limit of its own.
        watchdog = threading.Timer(account.connect_timeout_seconds * 2, self.abandon)
        watchdog.daemon = True
        watchdog.start()
        try:
            self._session, self._tree = self._log_in()
        except BaseException as exc:
            self.abandon()
            if isinstance(exc, SMBLoginError | SMBUnreachableError) or not isinstance(exc, Exception):
                raise
            raise login_error(exc, account) from exc
        finally:
            watchdog.cancel()
        # Built once: that takes longer than packing it. None once the server has refused it.
        self._streams_query: Any | None = wire.query_information_request(
            wire.PREVIOUS_FILE,
            FileInformationClass.FILE_STREAM_INFORMATION,
            size=min(STREAMS_BUFFER, self._connection.max_transact_size),
        )

    @property
    def answer_buffer(self) -> int:
        """How many bytes of information one answer may bring: one credit's worth, or less where the server says so.

        Larger ones bring nothing (facts: 64 KiB is enough for 80,000 entries a second).
        """
        return int(min(ANSWER_BUFFER, self._connection.max_transact_size))

    @property
    def usable(self) -> bool:
        """False once the server closed the connection, and in a forked child."""
        return self._pid == os.getpid() and bool(self._connection.transport.connected)

    def hides_names(self) -> bool:
        """True when the share enumerates by access ([MS-SMB2] 2.2.10): asked by connecting to it once more, until the
        session ends."""
        request = SMB2TreeConnectRequest()
        request["buffer"] = rf"\\{self._account.host}\{self._account.share}".encode("utf-16-le")
        try:
            sent = self._connection.send(
                request, sid=self._session.session_id, force_signature=_must_sign(self._session)
            )
            response = self._connection.receive(sent, timeout=self._account.request_timeout_seconds)
            answer = SMB2TreeConnectResponse()
            answer.unpack(response["data"].get_value())
        except SMBResponseException as exc:
            raise error_of_status(int(exc.status), "") from exc
        except (SMBException, OSError, ValueError) as exc:
            raise SMBConnectionLostError(f"no answer: {exc}") from exc
        return bool(answer["share_flags"].has_flag(ShareFlags.SMB2_SHAREFLAG_ACCESS_BASED_DIRECTORY_ENUM))

    def query(self, path: str) -> wire.Record:
        """One file or folder, fresh, itself if it is a link: one round trip, a second for a reparse point."""
        record = wire.all_information(self._ask(path, FileInformationClass.FILE_ALL_INFORMATION))
        if record.attributes & wire.ATTRIBUTE_REPARSE_POINT:
            answer = self._ask(path, FileInformationClass.FILE_ATTRIBUTE_TAG_INFORMATION)
            record = record._replace(ea_size_or_tag=wire.reparse_tag(answer))
        return record

    def open(self, path: str, *, follow_data_tag: bool = False, recall: bool = False) -> SMBHandle:
        """Open a file for reading: a link itself, unless its tag is known to hold the file's own data.

        One round trip. Its named streams are asked for on the way, as no listing shows them; that a server refuses
        to tell never fails the file.
        """
        options = wire.OPTION_NOT_FOLDER | wire.OPTION_SEQUENTIAL
        options |= 0 if follow_data_tag else wire.OPTION_REPARSE_POINT_ITSELF
        options |= 0 if recall else wire.OPTION_NO_RECALL
        create = wire.create_request(path, access=wire.READ_DATA, options=options, with_file_id=True)
        # Not behind the READ: what follows an error in a compound may fail alike ([MS-SMB2] 3.3.5.2.7.2), and the
        # READ of an empty file is one.
        query = [] if self._streams_query is None else [self._streams_query]
        created, *told, read = self._answers(
            [create, *query, wire.read_request(wire.PREVIOUS_FILE, 0, self._first_read)]
        )
        handle, record = wire.created_file(_data_of(created, path))
        refusals = [answer.status for answer in told if answer.status not in _TOLD]
        if not UNSUPPORTED.keys().isdisjoint(refusals):
            self._streams_query = None
        try:
            # Refused together with the question before it, the READ says nothing: the file is read later.
            first = b"" if refusals and read.status else _data_of(read, path)
        except SMBStatusError:
            self.release(handle)
            raise
        return SMBHandle(
            id=handle,
            record=record,
            streams=NO_STREAMS if refusals else _streams_of(told),
            first_bytes=wire.read_payload(first) if first else b"",
        )

    def start_read(self, handle: SMBHandle, offset: int, length: int) -> Any:
        """Send a READ without waiting for it; `finish_read` takes what this returns."""
        return self._send([wire.read_request(handle.id, offset, length)])[0]

    def finish_read(self, path: str, request: Any) -> bytes:
        """The bytes of a READ that was started; b"" behind the end."""
        data = self._receive(path, request)
        return wire.read_payload(data) if data else b""

    def read_room(self) -> int:
        """How many bytes may be asked for now, by the server's credits and its largest read."""
        free = self._free_credits(1)
        credit = max(free - 2, min(free, 1))
        room = credit * 65_536 if self._connection.supports_multi_credit else 65_536 * min(credit, 1)
        return int(max(0, min(room, READ_SIZE, self._connection.max_read_size)))

    def close(self) -> None:
        """Log off and disconnect; never raises."""
        if not self.usable:
            return
        with suppress(Exception):
            self._connection.disconnect(True, timeout=2)
        self.abandon()

    def abandon(self) -> None:
        """Drop the connection without a word to the server; never raises. A forked child only forgets it."""
        if self._pid != os.getpid() or self._connection.transport is None:
            return
        with suppress(Exception):
            self._connection.disconnect(False)

    def _log_in(self) -> tuple[Session, TreeConnect]:
        account = self._account
        self._connection.connect(timeout=account.connect_timeout_seconds)
        session = Session(
            self._connection,
            username=account.username,
            password=account.password,
            require_encryption=account.encryption,
            auth_protocol=account.authentication,
        )
        self._gate.log_in(session, account)
        tree = TreeConnect(session, rf"\\{account.host}\{account.share}")
        # SMB 3.1.1 servers refuse an unsigned TREE_CONNECT (jborean93/smbprotocol#290).
        signing, session.signing_required = session.signing_required, _must_sign(session)
        tree.connect(require_secure_negotiate=session.session_key is not None)
        session.signing_required = signing
        if self._connection.supports_multi_credit:
            self._connection.echo(session.session_id, account.connect_timeout_seconds, WANTED_CREDITS)
        return session, tree

    def _ask(self, path: str, information_class: int) -> bytes:
        _, answer, _ = self.compound(
            path,
            [
                wire.create_request(path, access=0, options=wire.OPTION_REPARSE_POINT_ITSELF),
                wire.query_information_request(
                    wire.PREVIOUS_FILE, information_class, size=self.answer_buffer
                ),
                wire.close_request(wire.PREVIOUS_FILE),
            ],
        )
        return wire.output_buffer(answer)

    def compound(self, path: str, messages: Sequence[Any]) -> list[bytes]:
        """Send related messages and wait for all; b"" for "no more files" and "end of file"."""
        answers = self._answers(messages)
        try:
            return [_data_of(answer, path) for answer in answers]
        except SMBStatusError:
            self._release_after(answers, messages)
            raise

    def _answers(self, messages: Sequence[Any]) -> list[Answer]:
        """Open with backup intent, without where the server refuses that; do what follows, and take every answer."""
        messages = self._with_dfs_path(messages)
        create = messages[0]
        plain = create["create_options"].get_value()
        create["create_options"] = intended = self._backup.options(plain)
        answers = self._exchange(messages)
        if intended != plain and self._backup.may_be_why(answers[0].status):
            create["create_options"] = plain
            answers = self._exchange(messages)
            if not answers[0].status:
                self._backup.learn(plain, taken=False)
        elif intended != plain and not answers[0].status:
            self._backup.learn(plain, taken=True)
        return answers

    def _exchange(self, messages: Sequence[Any]) -> list[Answer]:
        """Send related messages and take every answer, errors included, so that the connection is at rest."""
        if self._free_credits(len(messages)) < len(messages):
            return self._one_by_one(messages)
        return [self._answer(request) for request in self._send(messages)]

    def _one_by_one(self, messages: Sequence[Any]) -> list[Answer]:
        """The same answers where the server gives fewer credits than there are messages: each waits for the last."""
        create, *others = messages
        answers = [self._answer(request) for request in self._send([create])]
        if answers[0].status:
            return answers + [Answer(answers[0].status, b"")] * len(others)
        handle = wire.created_file(answers[0].data)[0]
        for message in others:
            message["file_id"] = handle
            try:
                self._free_credits(1)
                answers += [self._answer(request) for request in self._send([message])]
            finally:
                message["file_id"] = wire.PREVIOUS_FILE
        return answers

    @property
    def _first_read(self) -> int:
        return int(min(FIRST_READ, self._connection.max_read_size))

    def _free_credits(self, wanted: int) -> int:
        """How many messages may be sent now; while that are fewer than wanted, answers to CLOSE are waited for."""
        window = self._connection.sequence_window
        while (free := int(window["high"] - window["low"])) < wanted and self._unacknowledged:
            self._acknowledge(self._unacknowledged.pop(0))
        return free

    def _release_after(self, answers: Sequence[Answer], messages: Sequence[Any]) -> None:
        """Close what a compound opened before another part of it failed."""
        if not answers[0].status and not isinstance(messages[-1], SMB2CloseRequest):
            self.release(wire.created_file(answers[0].data)[0])

    def _with_dfs_path(self, messages: Sequence[Any]) -> Sequence[Any]:
        if self._tree.is_dfs_share:
            # In a DFS namespace a name starts with server and share ([MS-SMB2] 3.2.4.3).
            prefix = rf"{self._account.host}\{self._account.share}".encode("utf-16-le")
            name = messages[0]["buffer_path"].get_value()
            messages[0]["buffer_path"] = prefix if name == b"\0\0" else prefix + b"\\\0" + name
        return messages

    def ask_together(self, path: str, messages: Sequence[Any]) -> list[bytes]:
        """Send unrelated messages in one round trip; b"" for "no more files" and "end of file"."""
        answers: list[bytes] = []
        while len(answers) < len(messages):
            free = max(1, self._free_credits(len(messages) - len(answers)))
            some = messages[len(answers) : len(answers) + free]
            answers += [self._receive(path, request) for request in self._send(some, related=False)]
        return answers

    def release(self, handle: bytes) -> None:
        """Close an open file or folder; the answer is not waited for."""
        self._free_credits(1)
        self._unacknowledged += self._send([wire.close_request(handle)])
        while len(self._unacknowledged) > UNACKNOWLEDGED:
            self._acknowledge(self._unacknowledged.pop(0))

    def _acknowledge(self, request: Any) -> None:
        # A handle that the server does not know any more is closed.
        with suppress(SMBStatusError):
            self._receive("", request)

    def _send(self, messages: Sequence[Any], *, related: bool = True) -> list[Any]:
        if not self.usable:
            raise SMBConnectionLostError("the server closed the connection")
        try:
            sent: list[Any] = self._connection.send_compound(
                list(messages),
                self._session.session_id,
                self._tree.tree_connect_id,
                related=len(messages) > 1,
            )
        except (SMBException, OSError, ValueError) as exc:
            raise SMBConnectionLostError(f"cannot send: {exc}") from exc
        return sent

    def _receive(self, path: str, request: Any) -> bytes:
        return _data_of(self._answer(request), path)

    def _answer(self, request: Any) -> Answer:
        try:
            response = self._connection.receive(
                request, timeout=self._account.request_timeout_seconds, resolve_symlinks=False
            )
        except SMBResponseException as exc:
            self._require_signature(exc.header)
            return Answer(int(exc.status), bytes(exc.header["data"].get_value()))
        except (SMBException, OSError, ValueError, TypeError) as exc:
            raise SMBConnectionLostError(f"no answer: {exc}") from exc
        self._require_signature(response)
        return Answer(0, bytes(response["data"].get_value()))

    def _require_signature(self, response: Any) -> None:
        """smbprotocol verifies the signatures that are there; it does not miss those that are not."""
        if self._session.signing_required and not response["flags"].get_value() & _SIGNED:
            self.abandon()
            raise SMBUnreachableError(f"{self._account.host} sent an unsigned answer, or somebody altered it")


def _must_sign(session: Session) -> bool:
    """Whether a request can be signed and has to be where the protocol says so: a guest has no key."""
    return not session.encrypt_data and session.session_key is not None


def _data_of(answer: Answer, path: str) -> bytes:
    """What an answer brings, b"" for an end; raises its error status."""
    if answer.status in _TOLD:
        return answer.data
    if answer.status in _NO_ERROR:
        return b""
    raise error_of_status(answer.status, path)


def _streams_of(told: Sequence[Answer]) -> Streams:
    """What an answer says, if the question was asked."""
    for answer in told:
        return wire.named_streams(wire.output_buffer(answer.data), complete=not answer.status)
    return NO_STREAMS
