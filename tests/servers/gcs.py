"""GCSServer: an emulator of Google Cloud Storage in a thread, with one bucket."""

from __future__ import annotations

import json
import logging
import threading
import urllib.request
from functools import partial
from http.server import ThreadingHTTPServer
from urllib.parse import quote

from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage


class _Handler(RequestHandler):  # type: ignore[misc]
    """Closes its socket at the end of each connection, as the emulator's own server has one thread."""

    timeout = 30


class GCSServer:
    """It asks for no login; everything is in memory."""

    #: Objects are no local folder: use `put`.
    root = None
    username = password = None

    def __init__(self) -> None:
        self.bucket = "share"
        self._storage = Storage(use_memory_fs=True)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self._storage))
        self.port = int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The folder `root` of the bucket."""
        return f"gs://{self.bucket}/root"

    @property
    def options(self) -> dict[str, object]:
        """Options of the filesystem."""
        return self.options_at(self.port)

    def options_at(self, port: int) -> dict[str, object]:
        """The same through a proxy."""
        return {"endpoint_url": f"http://127.0.0.1:{port}", "token": "anon"}

    def start(self) -> None:
        """Start in a thread."""
        logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.clear()

    def stop(self) -> None:
        """Stop the thread."""
        self._server.shutdown()
        self._server.server_close()

    def clear(self) -> None:
        """An empty bucket."""
        self._storage.wipe()
        buckets.create_bucket(self.bucket, self._storage)

    def put(self, path: str, content: bytes) -> None:
        """Write an object below `root`, past the source."""
        base = f"http://127.0.0.1:{self.port}/upload/storage/v1/b/{self.bucket}/o"
        if content:
            url = f"{base}?uploadType=media&name={quote(f'root/{path}', safe='')}"
            kind = "application/octet-stream"
        else:  # it takes no empty body
            url, kind = f"{base}?uploadType=multipart", "multipart/related; boundary=x"
            about = json.dumps({"name": f"root/{path}"})
            content = f"--x\nContent-Type: application/json\n\n{about}\n--x\n\n\n--x--".encode()
        request = urllib.request.Request(url, content, {"Content-Type": kind}, method="POST")
        with urllib.request.urlopen(request, timeout=30):
            pass
