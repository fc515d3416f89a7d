"""WebDAVConfig: what a plan says of a WebDAV server. Connects to nothing, and needs no package."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from connectors.sources.server_config import ServerConfig


class WebDAVConfig(ServerConfig):
    """A folder of a WebDAV server."""

    auth: Literal["basic", "digest"] = Field(
        default="basic", description="How the server asks for the password."
    )
