"""SMBLink: one connection, session and share of one thread: what is asked, in which messages, and what it means.

How messages travel is its carrier's business (raw.py; carrier.py for the plain way). It raises what status.py has.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

from smbprotocol.connection import Connection
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from connectors.entry import NO_STREAMS, Streams
from connectors.sources.smb import wire
from connectors.sources.smb.backup import BackupIntent
from connectors.sources.smb.carrier import Answer, Carrier, PlainCarrier, must_sign
from connectors.sources.smb.login import LoginGate, SMBAccount, login_error
from connectors.sources.smb.raw import RawCarrier
from connectors.sources.smb.status import (
    BUFFER_OVERFLOW,
    END_OF_FILE,
    NO_MORE_FILES,
    UNSUPPORTED,
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
#: Of the plain way: enough for four reads in flight (16 credits each) and the requests beside them.
WANTED_CREDITS = 128

#: NTSTATUS values that come with data, and those that only say that there is none (any more).
_TOLD = frozenset({0, BUFFER_OVERFLOW})
_NO_ERROR = frozenset({NO_MORE_FILES, END_OF_FILE})


@dataclass(frozen=True, kw_only=True, slots=True)
class SMBHandle:
    """An open file: the server's handle, what it was at opening, its named streams, and its first bytes."""

    id: bytes
    record: wire.Record
    streams: Streams
    first_bytes: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class SMBWhole:
    """A small file by one handle: what it was at opening and after its bytes were read, its streams, its bytes."""

    before: wire.Record
    content: bytes
    after: wire.Record
    streams: Streams


class SMBLink:
    """Not for several threads at once; SMBFileSystem lends it to one at a time."""

    def __init__(self, account: SMBAccount, gate: LoginGate, backup: BackupIntent) -> None:
        """Connect and log in. Raises SMBUnreachableError, SMBLoginError or SMBConnectionLostError."""
        self._account = account
        self._gate = gate
        self._backup = backup
        self._pid = os.getpid()
        self._connection = Connection(
            uuid.uuid4(), account.host, account.port, require_signing=account.signing
        )
        # smbprotocol waits for the answers of a login without a limit of its own.
        watchdog = threading.Timer(account.connect_timeout_seconds * 2, self.abandon)
        watchdog.daemon = True
        watchdog.start()
        try:
            self._carrier = self._log_in()
        except BaseException as exc:
            self.abandon()
            if isinstance(exc, SMBLoginError | SMBUnreachableError) or not isinstance(exc, Exception):
                raise
            raise login_error(exc, account) from exc
        finally:
            watchdog.cancel()
        #: None once the server has refused it.
        self._streams_query: wire.OnFile | None = wire.query_information(
            wire.FILE_STREAM_INFORMATION, size=min(STREAMS_BUFFER, self._connection.max_transact_size)
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
        return self._pid == os.getpid() and self._carrier.usable

    def hides_names(self) -> bool:
        """True when the share enumerates by access ([MS-SMB2] 2.2.10): asked by connecting to it once more, until the
        session ends."""
        request = wire.tree_connect(rf"\\{self._account.host}\{self._account.share}")
        return wire.hides_names(self._data_of_one(request))

    def query(self, path: str) -> wire.Record:
        """One file or folder, fresh, itself if it is a link: one round trip, a second for a reparse point."""
        record = wire.all_information(self._ask(path, wire.FILE_ALL_INFORMATION))
        if record.attributes & wire.ATTRIBUTE_REPARSE_POINT:
            answer = self._ask(path, wire.FILE_ATTRIBUTE_TAG_INFORMATION)
            record = record._replace(ea_size_or_tag=wire.reparse_tag(answer))
        return record

    def open(self, path: str, *, follow_data_tag: bool = False, recall: bool = False) -> SMBHandle:
        """Open a file for reading: a link itself, unless its tag is known to hold the file's own data.

        One round trip. Its named streams are asked for on the way, as no listing shows them; that a server refuses
        to tell never fails the file.
        """
        create = wire.open_file(path, follow_data_tag=follow_data_tag, recall=recall)
        # Not behind the READ: what follows an error in a compound may fail alike ([MS-SMB2] 3.3.5.2.7.2), and the
        # READ of an empty file is one.
        query = [] if self._streams_query is None else [self._streams_query]
        created, *told, read = self.answers(create, [*query, wire.read(0, self._first_read)])
        handle, record = wire.created_file(data_of(created, path))
        refused = self._refused(told)
        try:
            # Refused together with the question before it, the READ says nothing: the file is read later.
            first = b"" if refused and read.status else data_of(read, path)
        except SMBStatusError:
            self.release(handle)
            raise
        return SMBHandle(
            id=handle,
            record=record,
            streams=NO_STREAMS if refused else _streams_of(told),
            first_bytes=wire.read_payload(first) if first else b"",
        )

    def read_whole(self, path: str, size: int, *, recall: bool = False) -> SMBWhole | None:
        """A file of up to `size` bytes, opened, read, looked at again and closed in one round trip.

        None when it has more, or when the answers leave anything to ask: it is to be opened then. A link is opened
        itself. Raises what opening raises.
        """
        if size >= self.read_room():
            return None
        answers = self.answers(wire.open_file(path, recall=recall), self._whole_questions(size))
        return self._whole_of(path, size, answers)

    def start_whole(self, path: str, size: int, *, recall: bool = False) -> list[Any] | None:
        """Send what `read_whole` sends, without waiting; `finish_whole` takes what this returns.

        None where the server's credits, or its largest read, do not suffice now.
        """
        if size >= self._connection.max_read_size:
            return None
        return self.start(wire.open_file(path, recall=recall), self._whole_questions(size))

    def finish_whole(self, path: str, size: int, sent: list[Any]) -> SMBWhole | None:
        """What `read_whole` returns, by the answers to what was sent. Raises as that."""
        return self._whole_of(path, size, self.take(sent))

    def _whole_questions(self, size: int) -> list[wire.OnFile]:
        query = [] if self._streams_query is None else [self._streams_query]
        # Nothing is read of an empty file: that is an error, and what follows it may fail alike.
        reading = [wire.read_beginning(size + 1)] if size else []
        looking = wire.query_information(wire.FILE_ALL_INFORMATION, size=self.answer_buffer)
        return [*query, *reading, looking, wire.close]

    def _whole_of(self, path: str, size: int, answers: Sequence[Answer]) -> SMBWhole | None:
        created, looked, closed = answers[0], answers[-2], answers[-1]
        handle, before = wire.created_file(data_of(created, path))
        if closed.status:
            self.release(handle)
        first_read = len(answers) - 2 - bool(size)
        told, read = answers[1:first_read], answers[first_read:-2]
        if self._refused(told) or any(answer.status for answer in (*read, looked)):
            return None
        content = wire.read_payload(read[0].data) if read else b""
        after = wire.all_information(wire.output_buffer(looked.data))
        if max(len(content), before.size, after.size) > size:
            return None
        return SMBWhole(before=before, content=content, after=after, streams=_streams_of(told))

    def start_read(self, handle: SMBHandle, offset: int, into: memoryview) -> Any:
        """Send a READ for as many bytes as the buffer holds, without waiting; `finish_read` takes what this returns.

        The buffer belongs to the server until then.
        """
        request = wire.read(offset, len(into))(handle.id)
        return self._carrier.send([request], into=into)[0]

    def finish_read(self, path: str, sent: Any) -> int:
        """How many bytes a READ that was started has put into its buffer; 0 behind the end."""
        answer = self._carrier.answer(sent)
        data_of(answer, path)
        return answer.placed

    def read_room(self, most: int = READ_SIZE) -> int:
        """How many bytes may be asked for now, by the server's credits and its largest read, up to `most`."""
        free = self._carrier.credits(1)
        credit = max(free - 2, min(free, 1))
        messages = credit if self._connection.supports_multi_credit else min(credit, 1)
        return int(max(0, min(messages * wire.CREDIT_BYTES, most, self._connection.max_read_size)))

    def start(self, create: wire.Create, others: Sequence[wire.OnFile]) -> list[Any] | None:
        """Send what opens a file, for a backup where the server takes that, and asks about it, without waiting.

        `take` takes what this returns; None where the server's credits do not suffice now.
        """
        return self._start(self._for_backup(create), others)

    def _start(self, create: wire.Create, others: Sequence[wire.OnFile]) -> list[Any] | None:
        messages = [self._opening(create), *map(wire.of_previous, others)]
        wanted = sum(message.charge for message in messages)
        return None if self._carrier.credits(wanted) < wanted else self._carrier.send(messages, related=True)

    def answers(self, create: wire.Create, others: Sequence[wire.OnFile]) -> list[Answer]:
        """Open something and ask about it, and take every answer, errors included, so that the connection is at rest.

        It is opened for a backup, or without that where the server refuses it. What was opened stays open, unless the
        last message closes it.
        """
        intended = self._for_backup(create)
        answers = self._exchange(intended, others)
        if intended == create:
            return answers
        if self._backup.may_be_why(answers[0].status):
            answers = self._exchange(create, others)
            if not answers[0].status:
                self._backup.learn(create.options, taken=False)
        elif not answers[0].status:
            self._backup.learn(create.options, taken=True)
        return answers

    def gathering(self) -> AbstractContextManager[None]:
        """While it lasts what is sent may be held back until an answer is waited for, to go out together."""
        return self._carrier.gathering()

    def take(self, sent: Iterable[Any]) -> list[Answer]:
        """Wait for answers."""
        return [self._carrier.answer(each) for each in sent]

    def close(self) -> None:
        """Log off and disconnect; never raises."""
        if not self.usable:
            return
        with suppress(Exception):
            self._carrier.log_off()
        self.abandon()

    def abandon(self) -> None:
        """Drop the connection without a word to the server; never raises. A forked child only forgets it."""
        if self._pid != os.getpid() or self._connection.transport is None:
            return
        with suppress(Exception):
            self._connection.disconnect(False)

    def ask_together(self, path: str, messages: Sequence[wire.Message]) -> list[bytes]:
        """Send unrelated messages in one round trip; b"" for "no more files" and "end of file"."""
        answers: list[bytes] = []
        while len(answers) < len(messages):
            free = max(1, self._carrier.credits(len(messages) - len(answers)))
            some = messages[len(answers) : len(answers) + free]
            answers += [data_of(answer, path) for answer in self.take(self._carrier.send(some))]
        return answers

    def release(self, handle: bytes) -> None:
        """Close an open file or folder; the answer is not waited for."""
        self._carrier.credits(1)
        self._carrier.forget(self._carrier.send([wire.close(handle)])[0])

    def _log_in(self) -> Carrier:
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
        signing, session.signing_required = session.signing_required, must_sign(session)
        tree.connect(require_secure_negotiate=session.session_key is not None)
        session.signing_required = signing
        #: What a name starts with in a DFS namespace ([MS-SMB2] 3.2.4.3).
        self._prefix = f"{account.host}/{account.share}" if tree.is_dfs_share else ""
        timeout = account.request_timeout_seconds
        if not self._connection.supports_multi_credit:
            return PlainCarrier(self._connection, session, tree, timeout=timeout)
        if not account.plain:
            return RawCarrier(
                self._connection,
                session,
                tree,
                timeout=timeout,
                connect_timeout=account.connect_timeout_seconds,
            )
        self._connection.echo(session.session_id, account.connect_timeout_seconds, WANTED_CREDITS)
        return PlainCarrier(self._connection, session, tree, timeout=timeout)

    def _ask(self, path: str, information_class: int) -> bytes:
        looking = wire.query_information(information_class, size=self.answer_buffer)
        created, told, closed = self.answers(wire.open_to_look(path), [looking, wire.close])
        if closed.status and not created.status:
            self.release(wire.created_file(created.data)[0])
        data_of(created, path)
        return wire.output_buffer(data_of(told, path))

    def _data_of_one(self, message: wire.Message) -> bytes:
        return data_of(self._carrier.answer(self._carrier.send([message])[0]), "")

    def _for_backup(self, create: wire.Create) -> wire.Create:
        return create._replace(options=self._backup.options(create.options))

    def _exchange(self, create: wire.Create, others: Sequence[wire.OnFile]) -> list[Answer]:
        sent = self._start(create, others)
        return self._one_by_one(create, others) if sent is None else self.take(sent)

    def _opening(self, create: wire.Create) -> wire.Message:
        """The one place where a CREATE becomes a message."""
        return create.message(self._prefix)

    def _one_by_one(self, create: wire.Create, others: Sequence[wire.OnFile]) -> list[Answer]:
        """The same answers where the server gives fewer credits than there are messages: each waits for the last."""
        answers = self.take(self._carrier.send([self._opening(create)]))
        if answers[0].status:
            return answers + [Answer(answers[0].status, b"")] * len(others)
        handle = wire.created_file(answers[0].data)[0]
        for build in others:
            self._carrier.credits(1)
            answers += self.take(self._carrier.send([build(handle)]))
        return answers

    @property
    def _first_read(self) -> int:
        return int(min(FIRST_READ, self._connection.max_read_size))

    def _refused(self, told: Sequence[Answer]) -> bool:
        """Whether the question for streams was refused; not asked again where the server does not know it."""
        refusals = [answer.status for answer in told if answer.status not in _TOLD]
        if not UNSUPPORTED.keys().isdisjoint(refusals):
            self._streams_query = None
        return bool(refusals)


def data_of(answer: Answer, path: str) -> bytes:
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
