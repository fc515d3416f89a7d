"""ServerConfig: what plans say of every server with a name, a login and folders below a path. Connects to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.sources.location import Location
from connectors.sources.resilient import WALKERS


class ServerConfig(BaseModel):
    """A folder of a server."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    scheme: str = Field(description="Whether TLS is spoken; from the URL.")
    host: str = Field(description="Name or address of the server.")
    port: int | None = Field(
        default=None, gt=0, lt=65536, description="TCP port; by default that of the scheme."
    )
    path: str = Field(default="", description="Path of the root folder.")
    username: str | None = Field(default=None, description="User; none: as anybody.")
    password: SecretStr | None = Field(default=None, description="The user's password.")
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authority that signed its certificate."
    )
    patience_seconds: float = Field(
        default=120.0, gt=0, description="How long a server that went away is waited for."
    )
    walkers: int = Field(default=WALKERS, ge=1, le=64, description="Folders listed at the same time.")

    @classmethod
    def from_location(cls, location: Location, options: Mapping[str, Any]) -> Self:
        """A configuration from a parsed URL and the options of the plan."""
        return cls.model_validate(
            {
                "scheme": location.scheme,
                "host": location.host,
                "port": location.port,
                "path": location.path,
                "username": location.username,
                "password": location.password,
                **options,
            }
        )

    @property
    def location(self) -> Location:
        """Where it is, without the account."""
        return Location(scheme=self.scheme, host=self.host, port=self.port, path=self.path.strip("/"))
