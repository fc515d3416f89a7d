"""Seal: how the messages of one session are protected: signed, encrypted, or neither. Keys and algorithms are
smbprotocol's; nothing here decides which."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from struct import Struct
from typing import Any

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes
from smbprotocol.connection import Ciphers, Connection, Dialects, SigningAlgorithms
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

Buffer = bytes | bytearray | memoryview
#: The signature of a message, given its id, whether it comes from the server, and its bytes in pieces.
Mac = Callable[..., bytes]

#: TRANSFORM_HEADER ([MS-SMB2] 2.2.41); what follows the signature is authenticated with the message.
_TRANSFORM = Struct("<4s16s16sIHHQ")
_AUTHENTICATED_FROM = 20
_TAG_SIZE = 16
_ENCRYPTED = 0x0001

SEALED = b"\xfdSMB"


class Seal:
    """The protection that a session and its share ask for."""

    def __init__(self, connection: Connection, session: Session, tree: TreeConnect) -> None:
        #: Messages go out encrypted, and plain ones from the server are not believed.
        self.encrypts = bool(session.encrypt_data or tree.encrypt_data)
        #: Messages go out signed, and unsigned ones from the server are not believed.
        self.signs = bool(session.signing_required and session.signing_key) and not self.encrypts
        self._session_id = int(session.session_id)
        #: None for a guest, who has no key.
        self.mac: Mac | None = None
        if session.signing_key:
            self.mac = _MACS[_signing_algorithm(connection)](bytes(session.signing_key))
        if self.encrypts:
            kind, self._nonce_size = _cipher(connection)
            self._encrypting, self._decrypting = kind(session.encryption_key), kind(session.decryption_key)

    def encrypt(self, message: bytes) -> bytes:
        """A message, or several together, as it goes out."""
        nonce = os.urandom(self._nonce_size)
        header = _TRANSFORM.pack(
            SEALED, bytes(16), nonce.ljust(16, b"\0"), len(message), 0, _ENCRYPTED, self._session_id
        )
        sealed: bytes = self._encrypting.encrypt(nonce, message, header[_AUTHENTICATED_FROM:])
        return header[:4] + sealed[-_TAG_SIZE:] + header[_AUTHENTICATED_FROM:] + sealed[:-_TAG_SIZE]

    def decrypt(self, message: memoryview) -> memoryview:
        """What the server encrypted. Raises InvalidTag or ValueError for anything else."""
        _, signature, nonce, _, _, flags, session_id = _TRANSFORM.unpack_from(message)
        if not self.encrypts or flags != _ENCRYPTED or session_id != self._session_id:
            raise ValueError("encrypted by somebody else")
        sealed = b"".join((message[_TRANSFORM.size :], signature))
        header = message[_AUTHENTICATED_FROM : _TRANSFORM.size]
        return memoryview(self._decrypting.decrypt(nonce[: self._nonce_size], sealed, bytes(header)))


def _gmac(key: bytes) -> Mac:
    whole = aead.AESGCM(key)
    cipher = algorithms.AES(key)

    def mac(message_id: int, from_server: bool, *pieces: Buffer) -> bytes:
        nonce = message_id.to_bytes(8, "little") + (b"\1\0\0\0" if from_server else b"\0\0\0\0")
        if len(pieces) == 1:
            return whole.encrypt(nonce, b"", pieces[0])
        running: Any = Cipher(cipher, modes.GCM(nonce)).encryptor()
        for piece in pieces:
            running.authenticate_additional_data(piece)
        running.finalize()
        return bytes(running.tag)

    return mac


def _cmac(key: bytes) -> Mac:
    begun = cmac.CMAC(algorithms.AES(key))

    def mac(message_id: int, from_server: bool, *pieces: Buffer) -> bytes:
        running = begun.copy()
        for piece in pieces:
            running.update(piece)  # type: ignore[arg-type]  # any buffer
        return running.finalize()

    return mac


def _hmac(key: bytes) -> Mac:
    begun = hmac.new(key, digestmod=hashlib.sha256)

    def mac(message_id: int, from_server: bool, *pieces: Buffer) -> bytes:
        running = begun.copy()
        for piece in pieces:
            running.update(piece)
        return running.digest()[:16]

    return mac


_MACS: dict[int, Callable[[bytes], Mac]] = {
    SigningAlgorithms.AES_GMAC: _gmac,
    SigningAlgorithms.AES_CMAC: _cmac,
    SigningAlgorithms.HMAC_SHA256: _hmac,
}


def _signing_algorithm(connection: Connection) -> int:
    """Negotiated from 3.1.1 on, else by the dialect ([MS-SMB2] 3.1.4.1)."""
    if connection.dialect >= Dialects.SMB_3_1_1 and connection.signing_algorithm_id is not None:
        return int(connection.signing_algorithm_id)
    if connection.dialect >= Dialects.SMB_3_0_0:
        return int(SigningAlgorithms.AES_CMAC)
    return int(SigningAlgorithms.HMAC_SHA256)


def _cipher(connection: Connection) -> tuple[Any, int]:
    """The class of the cipher and the size of its nonce."""
    number = connection.cipher_id if connection.dialect >= Dialects.SMB_3_1_1 else Ciphers.AES_128_CCM
    if number in (Ciphers.AES_128_GCM, Ciphers.AES_256_GCM):
        return aead.AESGCM, 12
    return aead.AESCCM, 11
