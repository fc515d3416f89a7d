"""Signing: the Ed25519 key of a manifest, made on demand for its owner alone, and the detached signature."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from flows.errors import PlanError

#: What is signed: this, and the hash of the manifest's last line.
PURPOSE = "boxhaul manifest, format 1, sha256 "


def signature_of(key: Ed25519PrivateKey, last_hash: str) -> str:
    """The detached signature: one line of base64."""
    return base64.b64encode(key.sign(_message(last_hash))).decode() + "\n"


def is_signed_by(key: Ed25519PublicKey, signature: str, last_hash: str) -> bool:
    """Tell whether this key signed a manifest that ends with this hash."""
    try:
        decoded = base64.b64decode(signature.removesuffix("\n"), validate=True)
        key.verify(decoded, _message(last_hash))
    except (InvalidSignature, ValueError):
        return False
    return base64.b64encode(decoded).decode() == signature.removesuffix("\n")


def private_key(path: Path, *, make: bool) -> Ed25519PrivateKey:
    """Read a private key (PEM, PKCS 8, without a passphrase); `make`: one that is not there is made, with mode 0600.

    PlanError for what is no such key.
    """
    try:
        return _read_private(path)
    except FileNotFoundError:
        if not make:
            raise PlanError(
                f"--sign: there is no key {path}; openssl genpkey -algorithm ed25519 makes one"
            ) from None
    except OSError as exc:
        raise PlanError(f"--sign: {path} cannot be read ({exc.strerror or exc})") from exc
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(pem)
    except OSError as exc:
        raise PlanError(f"the key {path} cannot be made ({exc.strerror or exc})") from exc
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key: PEM, or one line of base64. PlanError for what is neither."""
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise PlanError(f"--key: {path} cannot be read ({exc.strerror or exc})") from exc
    try:
        if b"-----" not in content:
            return Ed25519PublicKey.from_public_bytes(base64.b64decode(content, validate=False))
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise PlanError(f"--key: {path} is no public key") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise PlanError(f"--key: {path} is no Ed25519 key")
    return key


def public_pem(key: Ed25519PrivateKey) -> str:
    """The public key as a file has it."""
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


def public_line(key: Ed25519PublicKey) -> str:
    """The public key as a person compares it: base64."""
    encoding, form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    return base64.b64encode(key.public_bytes(encoding, form)).decode()


def _read_private(path: Path) -> Ed25519PrivateKey:
    content = path.read_bytes()
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        # Its text may hold a piece of the key (P8).
        raise PlanError(
            f"--sign: {path} is no private key without a passphrase ({type(exc).__name__})"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise PlanError(f"--sign: {path} is no Ed25519 key")
    return key


def _message(last_hash: str) -> bytes:
    return f"{PURPOSE}{last_hash}\n".encode()
