"""Uploads with nothing around them: libcurl in as many threads, one POST a file, no promise kept. The floor under ours.

    python -m tests.benchmarks.bare_client SHARE AUTHORITY THREADS

BARE_API, BARE_UPLOAD and BARE_TOKEN say where Box is and who is asking. Every folder of the share is made first.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pycurl

_LINE = "------------------------b0b0b0b0b0b0b0b0"
_local = threading.local()


def main(share: Path, authority: str, threads: int) -> int:
    """Make the folders of two levels, then send every file; how many."""
    with ThreadPoolExecutor(threads) as pool:

        def each(work: Callable[[Any], Any], things: Iterable[Any]) -> list[Any]:
            return list(pool.map(work, things))

        ids = {share: "0"}
        for level in ("*", "*/*"):
            folders = [path for path in share.glob(level) if path.is_dir()]
            parents = [ids[path.parent] for path in folders]
            made = each(
                lambda one: _make_folder(authority, *one),
                zip(parents, (p.name for p in folders), strict=True),
            )
            ids |= dict(zip(folders, made, strict=True))
        files = [path for path in share.rglob("*") if path.is_file()]
        each(lambda path: _send(authority, ids[path.parent], path), files)
    return len(files)


def _make_folder(authority: str, parent: str, name: str) -> str:
    body = json.dumps({"name": name, "parent": {"id": parent}}).encode()
    return str(_post(authority, os.environ["BARE_API"] + "/2.0/folders", "application/json", body)["id"])


def _send(authority: str, folder: str, path: Path) -> None:
    attributes = json.dumps({"name": path.name, "parent": {"id": folder}})
    head = (
        f'--{_LINE}\r\nContent-Disposition: form-data; name="attributes"\r\n\r\n{attributes}\r\n--{_LINE}\r\n'
        'Content-Disposition: form-data; name="file"; filename="file"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + path.read_bytes() + f"\r\n--{_LINE}--\r\n".encode()
    url = os.environ["BARE_UPLOAD"] + "/2.0/files/content"
    _post(authority, url, f"multipart/form-data; boundary={_LINE}", body)


def _post(authority: str, url: str, content_type: str, body: bytes) -> dict[str, Any]:
    curl = getattr(_local, "curl", None)
    if curl is None:
        curl = _local.curl = pycurl.Curl()
        curl.setopt(pycurl.CAINFO, authority)
        curl.setopt(pycurl.NOSIGNAL, 1)
    answer = io.BytesIO()
    curl.setopt(pycurl.URL, url)
    curl.setopt(
        pycurl.HTTPHEADER,
        [f"Authorization: Bearer {os.environ['BARE_TOKEN']}", f"Content-Type: {content_type}", "Expect:"],
    )
    curl.setopt(pycurl.POSTFIELDS, body)
    curl.setopt(pycurl.WRITEDATA, answer)
    curl.perform()
    if curl.getinfo(pycurl.RESPONSE_CODE) != 201:
        raise RuntimeError(answer.getvalue()[:500])
    found: dict[str, Any] = json.loads(answer.getvalue())
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
