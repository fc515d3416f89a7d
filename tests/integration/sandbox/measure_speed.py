"""Measures the sandbox by the CPU time that its process uses, with raw sockets: a script, not a test.

    python tests/integration/sandbox/measure_speed.py [--hash-only] [--data DIR] ...

Arguments are passed on to the sandbox.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

CONNECTIONS = 16
UPLOADS = 8_000
FOLDERS = 3_200
LISTINGS = 30
PARTS = 40


class Server:
    """The sandbox as a process, a folder in it, and connections to it."""

    def __init__(self, arguments: list[str], config_file: Path) -> None:
        command = [sys.executable, "-m", "connectors.box.sandbox", "--config", str(config_file)]
        command += ["--space-amount", "-1", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.address = ("127.0.0.1", int(self.url.rpartition(":")[2]))
        config = json.loads(config_file.read_text())
        form = {
            "grant_type": "client_credentials", **config["ccg"], "box_subject_type": "enterprise",
            "box_subject_id": config["enterprise_id"],
        }  # fmt: skip
        self.token = requests.post(f"{self.url}/oauth2/token", data=form, timeout=30).json()["access_token"]
        self.folder = self.post("/2.0/folders", {"name": "speed", "parent": {"id": "0"}})["id"]
        self.connections = [socket.create_connection(self.address) for _ in range(CONNECTIONS)]

    def post(self, path: str, body: dict[str, object]) -> dict[str, str]:
        """One JSON call."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer: dict[str, str] = requests.post(self.url + path, json=body, headers=headers, timeout=30).json()
        return answer

    def request(self, line: str, body: bytes, *headers: str) -> bytes:
        """The bytes of one request."""
        lines = [f"{line} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {self.token}", *headers]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body

    def cpu_seconds(self) -> float:
        """User and system time of the process."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def stop(self) -> None:
        """End the process."""
        for connection in self.connections:
            connection.close()
        self.process.terminate()
        self.process.wait(20)


def receive(connection: socket.socket) -> bytes:
    """One answer; its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 16)
    head, _, body = data.partition(b"\r\n\r\n")
    assert b" 20" in head[:13], data
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(1 << 16)
    return body


@contextmanager
def measured(server: Server, what: str, amount: float, unit: str) -> Iterator[None]:
    """Print the rate by wall clock, and by the server's CPU time."""
    cpu, wall = server.cpu_seconds(), time.perf_counter()
    yield
    cpu, wall = server.cpu_seconds() - cpu, time.perf_counter() - wall
    print(
        f"{what:28} {amount / wall:9.0f} {unit}/s wall {amount / max(cpu, 0.01):9.0f} {unit}/s per server core"
    )


def in_turn(server: Server, requests_: list[bytes]) -> None:
    """Send the requests over all connections, one on each at a time."""
    for start in range(0, len(requests_), CONNECTIONS):
        batch = requests_[start : start + CONNECTIONS]
        for connection, request in zip(server.connections, batch, strict=False):
            connection.sendall(request)
        for connection, _ in zip(server.connections, batch, strict=False):
            receive(connection)


def upload_requests(server: Server) -> list[bytes]:
    """Direct uploads of 10 KB."""
    content, made = os.urandom(10_240), []
    for number in range(UPLOADS):
        attributes = json.dumps({
            "name": f"file {number}.txt", "parent": {"id": server.folder},
            "content_modified_at": "2012-12-12T10:55:30Z",
        }).encode()  # fmt: skip
        body = (
            b'--B\r\nContent-Disposition: form-data; name="attributes"\r\n\r\n' + attributes
            + b'\r\n--B\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n'
            + content + b"\r\n--B--\r\n"
        )  # fmt: skip
        head = "Content-Type: multipart/form-data; boundary=B"
        made.append(server.request("POST /api/2.0/files/content", body, head))
    return made


def send_parts(server: Server) -> None:
    """One upload session of 8 MiB parts over four connections."""
    size = 8 * 1024**2
    body = {"folder_id": server.folder, "file_size": size * PARTS, "file_name": "large"}
    session = server.post("/api/2.0/files/upload_sessions", body)
    content = os.urandom(size)
    digest = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()

    def work(first: int) -> None:
        for number in range(first, PARTS, 4):
            low = number * size
            request = server.request(
                f"PUT /api/2.0/files/upload_sessions/{session['id']}", content,
                "Content-Type: application/octet-stream", f"Digest: sha={digest}",
                f"Content-Range: bytes {low}-{low + size - 1}/{size * PARTS}",
            )  # fmt: skip
            server.connections[first].sendall(request)
            receive(server.connections[first])

    with measured(server, "part bodies, 8 MiB", size * PARTS / 1e6, "MB"):
        threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main(arguments: list[str]) -> None:
    """Measure everything once."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(arguments, Path(folder) / "config.json")
        try:
            uploads = upload_requests(server)
            with measured(server, "uploads of 10 KB", UPLOADS, "files"):
                in_turn(server, uploads)
            folders = [
                server.request(
                    "POST /2.0/folders",
                    json.dumps({"name": f"d{n}", "parent": {"id": server.folder}}).encode(),
                )
                for n in range(FOLDERS)
            ]
            with measured(server, "new folders", FOLDERS, "folders"):
                in_turn(server, folders)
            query = "fields=name,size,sha1,content_modified_at,etag&usemarker=true&limit=1000"
            listing = server.request(f"GET /2.0/folders/{server.folder}/items?{query}", b"")
            with measured(server, "listings of 1,000 items", LISTINGS, "pages"):
                in_turn(server, [listing] * LISTINGS)
            send_parts(server)
        finally:
            server.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
