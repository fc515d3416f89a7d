"""BoxConfig: how to reach Box and as whom. Plain options; opens nothing but says where things are."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.box.tiers import LIMITS, Tier


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JWTAuthConfig(_Options):
    """A service account signed in by a key pair: the configuration file that Box's developer console makes."""

    method: Literal["jwt"] = Field("jwt", description="Server authentication with a signed assertion.")
    config_file: Path | None = Field(
        None, description="Path of the JSON file from Box's developer console, relative to the plan file."
    )
    config: SecretStr | None = Field(
        None, description="The text of that JSON file, for environments without files."
    )
    token_file: Path | None = Field(
        None, description="File (mode 0600) that keeps access tokens between runs; in memory when left out."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.config_file is None) == (self.config is None):
            raise ValueError("give either config_file or config")
        return self


class CCGAuthConfig(_Options):
    """A service account signed in by client id and secret (Client Credentials Grant)."""

    method: Literal["ccg"] = Field("ccg", description="Server authentication with client credentials.")
    client_id: str = Field(description="Client id of the platform app.", min_length=1)
    client_secret: SecretStr = Field(description="Client secret of the platform app.")
    enterprise_id: str | None = Field(
        None, description="Enterprise id: the app's service account of that enterprise acts."
    )
    user_id: str | None = Field(None, description="User id: that user acts instead of the service account.")
    token_file: Path | None = Field(
        None, description="File (mode 0600) that keeps access tokens between runs; in memory when left out."
    )

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.enterprise_id is None and self.user_id is None:
            raise ValueError("give enterprise_id (or user_id)")
        return self


class BlockAuthConfig(_Options):
    """Credentials kept as a block of the orchestrator; resolved before Box is opened."""

    method: Literal["block"] = Field("block", description="Credentials kept as a block.")
    name: str = Field(description="Name of the block document.", min_length=1)


AuthConfig = Annotated[JWTAuthConfig | CCGAuthConfig | BlockAuthConfig, Field(discriminator="method")]


class UploadLimits(_Options):
    """What Box allows one user in one minute; each identity has its own."""

    uploads_per_minute: int = Field(
        240, ge=1, description="File uploads that one identity may begin per minute."
    )
    calls_per_minute: int = Field(
        1000, ge=1, description="Calls of any kind that one identity may make per minute, uploads included."
    )
    window_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Length of that minute; shorter only against a sandbox whose time is scaled.",
    )
    backoff_seconds: float = Field(
        0.5, gt=0, le=60, description="First wait before a failed call is repeated; doubled each time."
    )
    outage_minutes: float = Field(
        60.0,
        ge=0,
        le=10_080,
        description="How long a Box that does not answer at all is waited for before the run stops; 0: not at all.",
    )


class BoxConfig(_Options):
    """The Box side of a plan."""

    auth: AuthConfig = Field(description="How the service account signs in.")
    landing_folder_id: str = Field(
        "0",
        pattern=r"^\d+$",
        description="Id of the folder under which trees arrive; 0 is the account's own root.",
    )
    base_url: str = Field("https://api.box.com", description="Root of the API, without a version.")
    upload_url: str = Field(
        "https://upload.box.com/api", description="Root of the upload API, without a version."
    )
    identities: list[str] = Field(
        default_factory=list,
        description="User ids of uploader app users; the service account uploads alone when empty.",
    )
    limits: UploadLimits = Field(
        default_factory=lambda: UploadLimits(), description="Box's limits per identity and minute."
    )
    tier: Tier = Field(
        Tier.ENTERPRISE,
        description="What the enterprise has bought of Box; inventory and simulate take the largest file and the calls "
        "of a month from it.",
    )
    calls_per_month: int | None = Field(
        None,
        ge=1,
        description="Calls of the API that the enterprise may make in a month, where it is not what its tier has; "
        "people are told when 80 % and 95 % of them are used up.",
    )
    direct_upload_limit_bytes: int = Field(
        50_000_000,
        ge=20_000_000,
        le=50_000_000,
        description="Files of this size and above go through an upload session; Box has none below 20,000,000 bytes.",
    )
    part_threads: int = Field(
        4,
        ge=1,
        le=8,
        description="Parts of one large file that are sent at the same time; Box advises 3 to 5.",
    )
    ca_file: Path | None = Field(
        None,
        description="Certificates that prove Box's address, for a proxy that opens TLS; the system's when left out.",
    )

    @property
    def month_of_calls(self) -> int:
        """Calls of the API in a month: what the plan says, else what the tier has."""
        return self.calls_per_month or LIMITS[self.tier].calls_per_month

    @field_validator("base_url", "upload_url")
    @classmethod
    def _encrypted(cls, url: str) -> str:
        return checked_url(url).rstrip("/")

    @field_validator("identities")
    @classmethod
    def _distinct(cls, identities: list[str]) -> list[str]:
        if len(set(identities)) != len(identities) or not all(each.isdigit() for each in identities):
            raise ValueError("identities are distinct Box user ids (digits)")
        return identities


def checked_url(url: str) -> str:
    """The URL; ValueError unless it is https, or http to this very machine: tokens never travel in clear."""
    parts = urlsplit(url)
    if "@" in url:
        raise ValueError("no user or password in a Box URL")
    if not parts.hostname:
        raise ValueError("not a URL; write for example https://api.box.com")
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)):
        return url
    raise ValueError("Box is spoken to over https only; http is for a sandbox on this machine")


def is_loopback(host: str) -> bool:
    """True for localhost and loopback addresses, without asking any name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
