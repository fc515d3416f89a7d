"""Carrier: what takes messages to a server and brings the answers. PlainCarrier: smbprotocol's way, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, NamedTuple, Protocol

from smbprotocol.change_notify import SMB2ChangeNotifyRequest
from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBException, SMBResponseException
from smbprotocol.open import (
    SMB2CloseRequest,
    SMB2CreateRequest,
    SMB2QueryDirectoryRequest,
    SMB2QueryInfoRequest,
    SMB2ReadRequest,
)
from smbprotocol.session import Session
from smbprotocol.tree import SMB2TreeConnectRequest, TreeConnect

from connectors.sources.smb import wire
from connectors.sources.smb.status import SMBConnectionLostError, SMBUnreachableError

#: Answers that nobody wants are taken at the latest when this many are out.
UNWANTED = 8

_SIGNED = 0x0000_0008
_STRUCTURES = {
    wire.TREE_CONNECT: SMB2TreeConnectRequest,
    wire.CREATE: SMB2CreateRequest,
    wire.CLOSE: SMB2CloseRequest,
    wire.READ: SMB2ReadRequest,
    wire.QUERY_DIRECTORY: SMB2QueryDirectoryRequest,
    wire.CHANGE_NOTIFY: SMB2ChangeNotifyRequest,
    wire.QUERY_INFO: SMB2QueryInfoRequest,
}


class Answer(NamedTuple):
    """What the server said: NTSTATUS (0 is success) and the bytes behind the header."""

    status: int
    data: bytes
    #: Of a READ that was given a buffer: the bytes that were put there; `data` has none then.
    placed: int = 0


class Carrier(Protocol):
    """One connection, session and share of one thread. Raises SMBConnectionLostError and SMBUnreachableError only."""

    @property
    def usable(self) -> bool:
        """False once the connection is over."""
        ...

    def credits(self, wanted: int) -> int:
        """How many may be spent now; while that are fewer than wanted, answers that are under way are waited for."""
        ...

    def send(
        self, messages: Sequence[wire.Message], *, related: bool = False, into: memoryview | None = None
    ) -> list[Any]:
        """Send in one go without waiting; `answer` takes what this returns, in any order, each once.

        `related`: about the file that the first one opens. `into`: where the payload of the one READ goes.
        """
        ...

    def gathering(self) -> AbstractContextManager[None]:
        """While it lasts what is sent may be held back until an answer is waited for, to go out together."""
        ...

    def answer(self, sent: Any) -> Answer:
        """Wait for an answer; an error status is no exception."""
        ...

    def forget(self, sent: Any) -> None:
        """Nobody wants this answer."""
        ...

    def log_off(self) -> None:
        """End the session and the connection."""
        ...

    def drop(self) -> None:
        """End the connection without a word; never raises."""
        ...


class PlainCarrier:
    """Each message through smbprotocol's public classes: slower, and the measure of what is right."""

    def __init__(
        self, connection: Connection, session: Session, tree: TreeConnect, *, timeout: float
    ) -> None:
        """`timeout`: seconds for one answer."""
        self._connection = connection
        self._session = session
        self._tree = tree
        self._timeout = timeout
        self._unwanted: list[Any] = []
        self._buffers: dict[int, memoryview] = {}

    @property
    def usable(self) -> bool:
        """As Carrier.usable."""
        return bool(self._connection.transport.connected)

    def credits(self, wanted: int) -> int:
        """As Carrier.credits."""
        window = self._connection.sequence_window
        while (free := int(window["high"] - window["low"])) < wanted and self._unwanted:
            self.answer(self._unwanted.pop(0))
        return free

    def send(
        self, messages: Sequence[wire.Message], *, related: bool = False, into: memoryview | None = None
    ) -> list[Any]:
        """As Carrier.send."""
        if not self.usable:
            raise SMBConnectionLostError("the server closed the connection")
        structures = [structure_of(message) for message in messages]
        try:
            sent = (
                [self._connect_tree(structures[0])]
                if messages[0].command == wire.TREE_CONNECT
                else self._connection.send_compound(
                    structures, self._session.session_id, self._tree.tree_connect_id, related=related
                )
            )
        except (SMBException, OSError, ValueError) as exc:
            raise SMBConnectionLostError(f"cannot send: {exc}") from exc
        if into is not None:
            self._buffers[id(sent[0])] = into
        return list(sent)

    def gathering(self) -> AbstractContextManager[None]:
        """As Carrier.gathering."""
        return nullcontext()

    def answer(self, sent: Any) -> Answer:
        """As Carrier.answer."""
        into = self._buffers.pop(id(sent), None)
        try:
            response = self._connection.receive(sent, timeout=self._timeout, resolve_symlinks=False)
        except SMBResponseException as exc:
            self._require_signature(exc.header)
            return Answer(int(exc.status), bytes(exc.header["data"].get_value()))
        except (SMBException, OSError, ValueError, TypeError) as exc:
            raise SMBConnectionLostError(f"no answer: {exc}") from exc
        self._require_signature(response)
        data = bytes(response["data"].get_value())
        if into is None:
            return Answer(0, data)
        payload = wire.read_payload(data)[: len(into)]
        into[: len(payload)] = payload
        return Answer(0, b"", len(payload))

    def forget(self, sent: Any) -> None:
        """As Carrier.forget."""
        self._unwanted.append(sent)
        while len(self._unwanted) > UNWANTED:
            self.answer(self._unwanted.pop(0))

    def log_off(self) -> None:
        """As Carrier.log_off."""
        with suppress(Exception):
            self._connection.disconnect(True, timeout=2)
        self.drop()

    def drop(self) -> None:
        """As Carrier.drop."""
        with suppress(Exception):
            self._connection.disconnect(False)

    def _connect_tree(self, structure: Any) -> Any:
        signed = must_sign(self._session)
        return self._connection.send(structure, sid=self._session.session_id, force_signature=signed)

    def _require_signature(self, response: Any) -> None:
        """smbprotocol verifies the signatures that are there; it does not miss those that are not."""
        if self._session.signing_required and not response["flags"].get_value() & _SIGNED:
            self.drop()
            raise SMBUnreachableError(unsigned(self._connection.server_name))


def must_sign(session: Session) -> bool:
    """Whether a request can be signed and has to be where the protocol says so: a guest has no key."""
    return not session.encrypt_data and session.session_key is not None


def unsigned(host: str) -> str:
    """What is said of an answer that is not signed and has to be."""
    return f"{host} sent an unsigned answer, or somebody altered it"


def structure_of(message: wire.Message) -> Any:
    """A message as smbprotocol has it."""
    structure = _STRUCTURES[message.command]()
    structure.unpack(message.body)
    return structure
