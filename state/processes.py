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
    """True when that process certainly ended: this very boot of this machine would show it, and does not.

    False for every process that cannot be seen from here. A machine of this name that was started at another time may
    be this one before, or a clone of it that runs: names are copied, machine ids too, and only the lease tells.
    """
    return is_within_sight(host, identity) and process_identity(pid) != identity


def is_within_sight(host: str, identity: str) -> bool:
    """True when is_gone() notices the end of that process: it runs on this machine, in this container."""
    mine = process_identity(os.getpid())
    return host == this_host() and bool(mine) and identity.split("/")[:2] == mine.split("/")[:2]
