"""The application's credentials: key pair, client id and secret, made anew for every sandbox or data folder.

Not the checks of tokens: those are in `auth`.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

KEY_BITS = 2048


@dataclass(frozen=True, kw_only=True)
class Application:
    """A custom app with server authentication, as the developer console shows it."""

    client_id: str
    client_secret: str
    public_key_id: str
    #: Encrypted PKCS#8 PEM.
    private_key: str
    passphrase: str
    #: PEM.
    public_key: str
    enterprise_id: str

    def __repr__(self) -> str:
        return f"Application(client_id={self.client_id!r}, enterprise_id={self.enterprise_id!r})"

    def settings(self) -> dict[str, Any]:
        """The JSON file that the developer console lets one download."""
        return {
            "boxAppSettings": {
                "clientID": self.client_id,
                "clientSecret": self.client_secret,
                "appAuth": {
                    "publicKeyID": self.public_key_id,
                    "privateKey": self.private_key,
                    "passphrase": self.passphrase,
                },
            },
            "enterpriseID": self.enterprise_id,
        }

    def as_dict(self) -> dict[str, str]:
        """All fields, secrets included, for the data folder."""
        return asdict(self)


def new_application() -> Application:
    """Credentials that no other sandbox has; the key pair is made once per process, as it takes long."""
    private_key, passphrase, public_key = _key_pair()
    return Application(
        client_id=secrets.token_hex(16),
        client_secret=secrets.token_hex(16),
        public_key_id=secrets.token_hex(4),
        private_key=private_key,
        passphrase=passphrase,
        public_key=public_key,
        enterprise_id=str(100_000_000 + secrets.randbelow(900_000_000)),
    )


@lru_cache(maxsize=1)
def _key_pair() -> tuple[str, str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    passphrase = secrets.token_hex(16)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), passphrase, public.decode()
