"""RawCarrier: SMB2 on the bare socket of a session that smbprotocol has opened. Many requests in flight, one thread."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hmac import compare_digest
from struct import Struct

from cryptography.exceptions import InvalidTag
from smbprotocol.connection import Connection, Request
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from connectors.sources.smb import wire
from connectors.sources.smb.carrier import Answer, unsigned
from connectors.sources.smb.seal import SEALED, Seal
from connectors.sources.smb.status import SMBConnectionLostError, SMBUnreachableError

#: Credits that are asked for: eight reads of 1 MiB in flight take 16 each.
WANTED_CREDITS = 512
#: Two answers of 64 KiB to one compound, with their heads; larger frames get a buffer of their own.
BUFFER_SIZE = 160 * 1024
#: A connection that was silent for so long is not trusted: servers end them after some 15 minutes.
SILENT_SECONDS = 300.0
#: One that was silent for less than this is not looked at before it is used.
SURE_SECONDS = 0.2
FAREWELL_SECONDS = 2.0

#: SMB2 header ([MS-SMB2] 2.2.1.2).
_HEADER = Struct("<4sHHIHHIIQIIQ16s")
#: The same before its signature.
_UNSIGNED = Struct("<4sHHIHHIIQIIQ")
_PROTOCOL, _NO_SIGNATURE = b"\xfeSMB", bytes(16)
_ASYNC, _RELATED, _SIGNED, _DFS = 0x2, 0x4, 0x8, 0x1000_0000
_SIGNATURE = slice(48, 64)
#: What follows a message of so many bytes beyond a multiple of eight, when others follow it.
_PADDING = tuple(bytes(-length % 8) for length in range(8))
_PENDING = 0x0000_0103
_NOTHING = memoryview(b"")
#: Length of a frame, in four bytes.
_LENGTH = 4
#: What comes before the payload of a READ.
_READ_FRAME = _LENGTH + wire.READ_PAYLOAD_AT
_READ_HEAD = Struct("<HBBI")


class Sent:
    """A request under way, and its answer once that has come."""

    __slots__ = ("answer", "into")

    def __init__(self, into: memoryview | None) -> None:
        #: Where the payload of a READ goes.
        self.into = into
        self.answer: Answer | None = None


class RawCarrier:
    """Builds, signs or encrypts, counts credits and takes answers by itself; what was negotiated stays smbprotocol's.

    A protocol error, a signature that is wrong, silence for longer than `timeout`: the connection is dropped and
    SMBConnectionLostError raised. A missing signature is an SMBUnreachableError.
    """

    def __init__(
        self,
        connection: Connection,
        session: Session,
        tree: TreeConnect,
        *,
        timeout: float,
        connect_timeout: float,
    ) -> None:
        """Take the session over, at rest; `timeout`: seconds of silence while an answer is waited for."""
        self._connection = connection
        self._socket = take_over(connection, session, connect_timeout)
        self._timeout = timeout
        _limit(self._socket, timeout)
        self._session_id, self._tree_id = int(session.session_id), int(tree.tree_connect_id)
        self._seal = Seal(connection, session, tree)
        self._usual_flags = (_DFS if tree.is_dfs_share else 0) | (_SIGNED if self._seal.signs else 0)
        window = connection.sequence_window
        self._message_id, self._credits = int(window["low"]), int(window["high"] - window["low"])
        self._waiting: dict[int, Sent] = {}
        #: How many of those have a buffer of their own for what comes.
        self._filling = 0
        self._buffer = bytearray(BUFFER_SIZE)
        self._view = memoryview(self._buffer)
        self._begin = self._end = 0
        #: Frames that go out together, and whether more of them are to come.
        self._outgoing, self._gathering = b"", False
        self._heard = time.monotonic()

    @property
    def usable(self) -> bool:
        """As Carrier.usable; one that was silent too long, or has something to say unasked (its end), is dropped."""
        silent = time.monotonic() - self._heard
        if silent < SURE_SECONDS or not self._connection.transport.connected:
            return bool(self._connection.transport.connected)
        try:
            _limit(
                self._socket, FAREWELL_SECONDS
            )  # nobody waits long for a connection that may be at its end
            while self._waiting and (self._begin < self._end or _has_news(self._socket)):
                self._receive()
            _limit(self._socket, self._timeout)
            if silent > SILENT_SECONDS or (not self._waiting and _has_news(self._socket)):
                raise self._lost("silent, or at its end")
        except OSError:
            self.drop()
            return False
        return True

    def credits(self, wanted: int) -> int:
        """As Carrier.credits."""
        while self._credits < wanted and self._waiting:
            self._receive()
        return self._credits

    def send(
        self, messages: Sequence[wire.Message], *, related: bool = False, into: memoryview | None = None
    ) -> list[Sent]:
        """As Carrier.send."""
        charge = sum(message.charge for message in messages)
        if self.credits(charge) < charge:
            raise self._lost("the server gives no more credits")
        frame: list[bytes] = []
        sent = [Sent(into) for _ in messages]
        relation, last = 0, len(messages) - 1
        for position, message in enumerate(messages):
            frame += self._packed(message, is_last=position == last, relation=relation)
            relation = _RELATED if related else 0
            self._waiting[self._message_id] = sent[position]
            self._message_id += message.charge
        self._credits -= charge
        self._filling += into is not None
        data = b"".join(frame)
        if self._seal.encrypts:
            data = self._seal.encrypt(data)
        self._outgoing += len(data).to_bytes(_LENGTH, "big") + data
        if not self._gathering:
            self._flush()
        return sent

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """As Carrier.gathering."""
        self._gathering = True
        try:
            yield
        finally:
            self._gathering = False
        if self._outgoing:
            self._flush()

    def answer(self, sent: Sent) -> Answer:
        """As Carrier.answer."""
        while sent.answer is None:
            self._receive()
        return sent.answer

    def forget(self, sent: Sent) -> None:
        """As Carrier.forget: its answer is taken when others are."""

    def log_off(self) -> None:
        """As Carrier.log_off."""
        with suppress(OSError):
            _limit(self._socket, FAREWELL_SECONDS)
            self.answer(self.send([wire.log_off()])[0])
        self.drop()

    def drop(self) -> None:
        """As Carrier.drop."""
        with suppress(OSError):
            self._connection.transport.close()

    def _packed(self, message: wire.Message, *, is_last: bool, relation: int) -> tuple[bytes, bytes, bytes]:
        """One message of a frame in pieces: header, signature, body, which is padded when others follow."""
        command, body, charge = message
        flags, tree_id = self._usual_flags, self._tree_id
        if command in (wire.TREE_CONNECT, wire.LOGOFF):
            flags, tree_id = self._flags_outside(command), 0
        if is_last:
            more, following = max(0, min(WANTED_CREDITS - self._credits, WANTED_CREDITS)), 0
        else:
            body += _PADDING[len(body) % 8]
            more, following = 0, _HEADER.size + len(body)
        packed = _UNSIGNED.pack(
            _PROTOCOL,
            _HEADER.size,
            charge,
            0,
            command,
            charge + more,
            flags | relation,
            following,
            self._message_id,
            0,
            tree_id,
            self._session_id,
        )
        if not flags & _SIGNED or self._seal.mac is None:
            return packed, _NO_SIGNATURE, body
        return packed, self._seal.mac(self._message_id, False, packed + _NO_SIGNATURE + body), body

    def _flags_outside(self, command: int) -> int:
        """Of what is in no tree. A TREE_CONNECT is signed by whoever has a key: SMB 3.1.1 servers refuse others."""
        by_key = self._seal.mac is not None and not self._seal.encrypts
        return _SIGNED if (by_key if command == wire.TREE_CONNECT else self._seal.signs) else 0

    def _flush(self) -> None:
        data, self._outgoing = self._outgoing, b""
        try:
            self._socket.sendall(data)
        except OSError as exc:
            raise self._lost(f"cannot send: {exc}") from exc

    def _receive(self) -> None:
        """Take one frame, which answers one request or several."""
        if self._outgoing:
            self._flush()
        try:
            self._fill(_LENGTH)
            size = int.from_bytes(self._view[self._begin : self._begin + _LENGTH], "big")
            if not self._take_straight(size):
                self._take(self._frame(size))
        except BlockingIOError as exc:
            raise self._lost("no answer in time") from exc
        except (OSError, ValueError, InvalidTag, struct.error) as exc:
            if isinstance(exc, SMBUnreachableError | SMBConnectionLostError):
                raise
            raise self._lost(f"no answer: {exc or type(exc).__name__}") from exc
        except BaseException:
            self.drop()  # interrupted in the middle of a frame
            raise

    def _fill(self, wanted: int) -> None:
        """Have so many bytes in the buffer, or more; but nothing of a payload that goes elsewhere."""
        if self._begin + max(wanted, _READ_FRAME) > BUFFER_SIZE or self._begin == self._end:
            rest = bytes(self._view[self._begin : self._end])
            self._view[: len(rest)] = rest
            self._begin, self._end = 0, len(rest)
        while self._end - self._begin < wanted:
            limit = self._begin + max(wanted, _READ_FRAME) if self._filling else BUFFER_SIZE
            count = self._socket.recv_into(self._view[self._end : limit])
            self._end += self._heard_of(count)

    def _frame(self, size: int) -> memoryview:
        """The next frame, in the buffer where it fits; valid until the next one is taken."""
        if size + _LENGTH <= BUFFER_SIZE:
            self._fill(_LENGTH + size)
            start = self._begin + _LENGTH
            self._begin = start + size
            return self._view[start : start + size]
        frame = memoryview(bytearray(size))
        self._begin += _LENGTH
        self._pour(frame)
        return frame

    def _pour(self, target: memoryview) -> None:
        """Fill a buffer with what comes next."""
        done = min(self._end - self._begin, len(target))
        target[:done] = self._view[self._begin : self._begin + done]
        self._begin += done
        while done < len(target):
            done += self._heard_of(self._socket.recv_into(target[done:], 0, socket.MSG_WAITALL))

    def _heard_of(self, count: int) -> int:
        if not count:
            raise self._lost("the server closed the connection")
        self._heard = time.monotonic()
        return count

    def _take_straight(self, size: int) -> bool:
        """Take a frame that is a READ's payload right into the buffer that waits for it; False for any other frame."""
        if not self._filling or size <= wire.READ_PAYLOAD_AT:
            return False
        self._fill(_READ_FRAME)
        head = self._view[self._begin + _LENGTH : self._begin + _READ_FRAME]
        protocol, _, _, status, command, granted, flags, following, message_id, _, _, _, signature = (
            _HEADER.unpack_from(head)
        )
        sent = self._waiting.get(message_id)
        _, start, _, length = _READ_HEAD.unpack_from(head, _HEADER.size)
        if protocol != _PROTOCOL or command != wire.READ or status or following or sent is None:
            return False
        if (
            sent.into is None
            or start != wire.READ_PAYLOAD_AT
            or size != start + length
            or length > len(sent.into)
        ):
            return False
        head = memoryview(bytearray(head))
        self._begin += _READ_FRAME
        payload = sent.into[:length]
        self._pour(payload)
        self._believe(message_id, flags, signature, head, payload)
        self._credits += granted
        self._settle(message_id, 0, _NOTHING, length)
        return True

    def _take(self, frame: memoryview) -> None:
        """Hand every message of a frame to whom it answers."""
        sealed = frame[:4] == SEALED
        if sealed:
            frame = self._seal.decrypt(frame)
        start = 0
        while True:
            protocol, _, _, status, _, granted, flags, following, message_id, _, _, _, signature = (
                _HEADER.unpack_from(frame, start)
            )
            end = start + following if following else len(frame)
            if protocol != _PROTOCOL or not start + _HEADER.size <= end <= len(frame):
                raise ValueError("a damaged message")
            self._credits += granted
            if not (status == _PENDING and flags & _ASYNC) and message_id in self._waiting:
                message = frame[start:end]
                if not sealed:
                    self._believe(message_id, flags, signature, message)
                self._settle(message_id, status, message[_HEADER.size :])
            if not following:
                return
            start = end

    def _settle(self, message_id: int, status: int, data: memoryview, placed: int = 0) -> None:
        """This is the answer to a request; `placed`: bytes that are in its buffer already."""
        sent = self._waiting.pop(message_id)
        into, sent.into = sent.into, None
        if into is None:
            sent.answer = Answer(status, bytes(data))
            return
        self._filling -= 1
        if not (status or placed):
            payload = wire.read_payload(bytes(data))[: len(into)]
            placed, data = len(payload), _NOTHING
            into[:placed] = payload
        sent.answer = Answer(status, bytes(data), placed)

    def _believe(
        self, message_id: int, flags: int, signature: bytes, head: memoryview, *rest: memoryview
    ) -> None:
        """Verify a signature that is there, and miss one that is not; `head` begins with the header."""
        if self._seal.encrypts:
            raise self._lost("a plain answer where all are encrypted")
        if not flags & _SIGNED:
            if self._seal.signs:
                self.drop()
                raise SMBUnreachableError(unsigned(self._connection.server_name))
            return
        if self._seal.mac is None:
            return
        head[_SIGNATURE] = _NO_SIGNATURE
        if not compare_digest(self._seal.mac(message_id, True, head, *rest), signature):
            raise self._lost("an answer whose signature is wrong")

    def _lost(self, why: str) -> SMBConnectionLostError:
        self.drop()
        return SMBConnectionLostError(why)


class _Requests(dict[int, Request]):
    """Requests without an answer. The ending thread goes through them while the echo's own is taken out of them."""

    def values(self) -> list[Request]:  # type: ignore[override]
        return list(super().values())


def take_over(connection: Connection, session: Session, timeout: float) -> socket.socket:
    """End smbprotocol's receiving thread between two messages, with some credits more; its socket is ours then.

    Raises SMBConnectionLostError, or what smbprotocol raises. The only place that uses what smbprotocol keeps private.
    """
    connection.outstanding_requests = _Requests(connection.outstanding_requests)
    transport, window = connection.transport, connection.sequence_window
    receive, before = transport.recv, window["high"]
    # The thread may be waiting for a message already or be about to: it ends once the answer below has come, since
    # nothing else is under way that could bring credits.
    transport.recv = lambda seconds: b"" if window["high"] != before else receive(seconds)
    connection.echo(session.session_id, timeout, WANTED_CREDITS)
    worker = connection._t_worker
    worker.join(timeout)
    if worker.is_alive():
        raise SMBConnectionLostError("the server gave no credits")
    taken: socket.socket = transport._sock
    taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return taken


def _limit(connected: socket.socket, seconds: float) -> None:
    """Limit each wait; by the system where that is possible, as Python's own limit costs a system call each time."""
    if struct.calcsize("l") != 8 or not hasattr(socket, "SO_RCVTIMEO"):
        connected.settimeout(seconds)
        return
    connected.setblocking(True)
    span = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connected.setsockopt(socket.SOL_SOCKET, option, span)


def _has_news(connected: socket.socket) -> bool:
    """Whether there is something to read, or the end."""
    with suppress(BlockingIOError):
        connected.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        return True
    return False
