"""One request through libcurl's handles, and waiting for what it brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

from connectors.box.client.curl import Answer, Body, EasyHandles


def ask(
    handles: EasyHandles,
    url: str,
    method: str = "GET",
    body: Body | None = None,
    *headers: str,
    read_seconds: float = 20,
) -> Answer:
    return handles.send(
        method, url, [*headers, "Expect:"], body, connect_seconds=5, read_seconds=read_seconds
    )


def until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
