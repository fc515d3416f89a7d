"""`boxhaul sandbox` as a command: what it says where it cannot begin."""

from __future__ import annotations

import os
import socket

from tests.program import fresh


def test_a_used_port_is_one_line() -> None:
    """Another program has it: exit code 2, the port, and how to get one that is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = fresh(["sandbox", "--port", str(port)], dict(os.environ))
        stdout, stderr = process.communicate(timeout=60)

    assert (2, "") == (process.returncode, stdout), stderr
    assert [
        f"boxhaul: port {port}: Address already in use; choose another one, or --port 0 for a free one"
    ] == (stderr.splitlines())
