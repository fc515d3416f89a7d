"""Which process this is, and whether another one on this machine is gone. Knows no database."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_PROC = Path("/proc")


def this_host() -> str:
    """The name of this machine, as leases show it."""
    return socket.gethostname()


def process_identity(pid: int) -> str:
    """Boot, pid namespace and start tick of a process on this machine, "/"-separated.

    "" when no such process runs, and on systems without /proc, where a lease ends by time alone. Ticks since boot
    and not a time of day, since that moves with the clock.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (_PROC / "self/ns/pid").stat().st_ino
        # The command in field 2 may hold spaces and brackets; what follows its last ")" does not.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    if fields[0] in ("Z", "X"):
        return ""
    return f"{boot}/{namespace}/{fields[19]}"


def is_gone(host: str, pid: int, identity: str) -> bool:
    """True when that process certainly ended: it ran on this machine, and is not there any more.

    False for every process that cannot be seen from here: other machines, other containers.
    """
    if host != this_host() or not identity:
        return False
    mine = process_identity(os.getpid())
    if not mine:
        return False
    boot, namespace, _ = identity.split("/")
    my_boot, my_namespace, _ = mine.split("/")
    if boot != my_boot:
        return True
    return namespace == my_namespace and process_identity(pid) != identity
