"""SFTPConfig: what a plan says of an SSH server. Connects to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.sources.location import Location
from connectors.sources.resilient import WALKERS

DEFAULT_PORT = 22
#: Half the CPU of asyncssh's first choice, ChaCha20, at the same strength; "^" puts them before its others.
PREFERRED_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
#: Seconds between keep-alives; three unanswered ones end a dead connection.
KEEPALIVE_SECONDS = 15


class SFTPConfig(BaseModel):
    """A folder of an SSH server and the account that reads it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    host: str = Field(description="Name or address of the server.")
    path: str = Field(default="/", description="Absolute path of the root folder.")
    port: int = Field(default=DEFAULT_PORT, gt=0, lt=65536, description="TCP port.")
    username: str | None = Field(default=None, description="User; by default the one that runs this.")
    password: SecretStr | None = Field(default=None, description="Password, where the server takes one.")
    key_file: Path | None = Field(default=None, description="Private key; by default those of ~/.ssh.")
    key_passphrase: SecretStr | None = Field(default=None, description="Passphrase of the private key.")
    known_hosts: Path | None = Field(
        default=None, description="File of host keys; by default ~/.ssh/known_hosts."
    )
    check_host_key: bool = Field(default=True, description="Refuse servers whose host key is not known.")
    connect_timeout_seconds: float = Field(default=15.0, gt=0, description="Limit for reaching the server.")
    request_timeout_seconds: float = Field(default=60.0, gt=0, description="Limit for one answer.")
    patience_seconds: float = Field(
        default=60.0, ge=0, description="How long to wait for a server that went away."
    )
    walkers: int = Field(default=WALKERS, ge=1, le=64, description="Folders listed at the same time.")

    @classmethod
    def from_location(cls, location: Location, options: Mapping[str, Any]) -> Self:
        """A configuration from sftp://[user[:password]@]host[:port]/path."""
        given = {
            "host": location.host,
            "path": f"/{location.path.strip('/')}",
            "port": location.port,
            "username": location.username,
            "password": location.password,
        }
        return cls.model_validate(
            {**{key: value for key, value in given.items() if value is not None}, **options}
        )

    def connect_options(self) -> dict[str, Any]:
        """Keyword arguments for asyncssh.connect; what is left out is asyncssh's own default."""
        hosts: Any = str(self.known_hosts) if self.known_hosts else ()
        options: dict[str, Any] = {
            "port": self.port,
            "known_hosts": hosts if self.check_host_key else None,
            "connect_timeout": self.connect_timeout_seconds,
            "login_timeout": self.connect_timeout_seconds,
            "keepalive_interval": KEEPALIVE_SECONDS,
            "encryption_algs": PREFERRED_CIPHERS,
        }
        if self.username is not None:
            options["username"] = self.username
        if self.password is not None:
            options["password"] = self.password.get_secret_value()
        if self.key_file is not None or self.password is not None:
            # Exactly what the plan names: each other key would count as a failed attempt.
            options["client_keys"] = [str(self.key_file)] if self.key_file else None
            options["agent_path"] = None
        if self.key_passphrase is not None:
            options["passphrase"] = self.key_passphrase.get_secret_value()
        return options
