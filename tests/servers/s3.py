"""S3Server: moto's S3 in a thread, with one bucket per root."""

from __future__ import annotations

import logging
import secrets
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.server import ThreadedMotoServer


class S3Server:
    """An S3-compatible endpoint; `restart` keeps nothing, as moto holds everything in memory."""

    #: Objects are no local folder: use `put`.
    root = None

    def __init__(self) -> None:
        self.username = "AKIA" + secrets.token_hex(8).upper()
        self.password = secrets.token_urlsafe(24)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.bucket = "share"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.get_host_and_port()[1])

    @property
    def endpoint(self) -> str:
        """The endpoint for clients."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The folder `root` of the bucket."""
        return f"s3://{self.bucket}/root"

    @property
    def options(self) -> dict[str, object]:
        """Options of the filesystem."""
        return {"endpoint_url": self.endpoint, "client_kwargs": {"region_name": "us-east-1"}}

    def start(self) -> None:
        """Start in a thread and create the bucket."""
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line per object is noise and time
        self._server.start()
        self.clear()

    def stop(self) -> None:
        """Stop the thread."""
        self._server.stop()

    def restart(self) -> None:
        """Stop and start again on the same port, empty."""
        port = self.port
        self.stop()
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        self.start()

    def clear(self) -> None:
        """An empty bucket."""
        reset = urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST")
        with urllib.request.urlopen(reset, timeout=10), self._client() as client:
            client.create_bucket(Bucket=self.bucket)

    def put(self, path: str, content: bytes, *, storage: str = "STANDARD") -> None:
        """Write an object below `root`, past the source."""
        with self._client() as client:
            client.put_object(Bucket=self.bucket, Key=f"root/{path}", Body=content, StorageClass=storage)

    def delete(self, path: str) -> None:
        """Remove an object below `root`."""
        with self._client() as client:
            client.delete_object(Bucket=self.bucket, Key=f"root/{path}")

    @contextmanager
    def _client(self) -> Iterator[Any]:
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.username,
            aws_secret_access_key=self.password,
        )
        try:
            yield client
        finally:
            client.close()
