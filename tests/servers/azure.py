"""Azurite: Azure's own emulator of its blob storage, a Node program, with one container."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence

from azure.storage.blob import BlobServiceClient

from tests.servers import free_port, require
from tests.servers.process import ServerProcess

HINT = "apt-get install -y nodejs npm && npm install --global azurite"


class Azurite(ServerProcess):
    """The blob service alone, in memory, with an account of its own."""

    #: Blobs are no local folder: use `put`.
    root = None

    def __init__(self) -> None:
        self._program = require("azurite-blob", HINT)
        super().__init__("azurite", free_port())
        self.username, self.password = "boxhaul", base64.b64encode(secrets.token_bytes(32)).decode()
        self.container = "share"
        self._service: BlobServiceClient | None = None

    @property
    def url(self) -> str:
        """The folder `root` of the container."""
        return f"az://{self.container}/root"

    def options_at(self, port: int, password: str | None = None) -> dict[str, object]:
        """Options of the filesystem."""
        return {
            "connection_string": (
                f"DefaultEndpointsProtocol=http;AccountName={self.username};"
                f"AccountKey={password or self.password};"
                f"BlobEndpoint=http://127.0.0.1:{port}/{self.username};"
            )
        }

    @property
    def options(self) -> dict[str, object]:
        """Options of the filesystem."""
        return self.options_at(self.port)

    def command(self) -> Sequence[str]:
        """In the foreground; the account comes by the environment."""
        return [
            "env", f"AZURITE_ACCOUNTS={self.username}:{self.password}", self._program, "--blobPort", str(self.port),
            "--inMemoryPersistence", "--disableTelemetry", "--silent", "--skipApiVersionCheck",
        ]  # fmt: skip

    def start(self) -> None:
        """Start it with an empty container."""
        super().start()
        self._service = BlobServiceClient.from_connection_string(str(self.options["connection_string"]))
        self.clear()

    def stop(self) -> None:
        """End it."""
        if self._service is not None:
            self._service.close()
        super().stop()

    def clear(self) -> None:
        """An empty container."""
        assert self._service is not None
        container = self._service.get_container_client(self.container)
        if not container.exists():
            container.create_container()
        for name in list(container.list_blob_names()):
            container.delete_blob(name)

    def put(self, path: str, content: bytes) -> None:
        """Write a blob below `root`, past the source."""
        assert self._service is not None
        self._service.get_blob_client(self.container, f"root/{path}").upload_blob(content, overwrite=True)
