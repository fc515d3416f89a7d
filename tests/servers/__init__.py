"""Real servers for the tests, one module each. See README.md for the rules."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable
from typing import NoReturn

import pytest

#: Where Debian keeps servers that are not on a user's PATH.
SERVER_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/lib/openssh")


def require(name: str, hint: str) -> str:
    """The path of the program `name`; without it skip with the hint, or fail where skips are forbidden."""
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SERVER_FOLDERS]))
    if path is None:
        missing(name, hint)
    return path


def missing(name: str, hint: str) -> NoReturn:
    """Skip because something is missing, or fail where BOXHAUL_FORBID_SKIPS=1 forbids that."""
    message = f"{name} is missing: {hint}"
    if os.environ.get("BOXHAUL_FORBID_SKIPS") == "1":
        pytest.fail(f"{message} (skips are forbidden here)")
    pytest.skip(message)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, *, alive: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something accepts connections; RuntimeError when the server ended or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not alive():
            raise RuntimeError("the server ended while it was starting")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {seconds} seconds")
