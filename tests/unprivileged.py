"""Without root's right to read everything: what an unprivileged account meets, where tests run as root. Linux only.

Capabilities are those of a thread and of the threads that it begins, so that a test drops them on a thread of its own;
for a whole program, `main` is the entry of a fork (tests.forking).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from tests.forking import Forked
from tests.program import Program

T = TypeVar("T")

_VERSION_3 = 0x2008_0522
#: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
_RIGHTS = (1 << 1) | (1 << 2)


def drop_rights() -> None:
    """This thread keeps to the modes of files from now on, even as root."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    for effective_or_permitted in (0, 1):
        sets[effective_or_permitted] &= ~_RIGHTS
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def unprivileged(call: Callable[[], T]) -> T:
    """What this call returns, or raises, without those rights."""
    with ThreadPoolExecutor(1, initializer=drop_rights) as thread:
        return thread.submit(call).result()


@dataclass
class UnprivilegedProgram(Program):
    """The program without those rights."""

    def start(self, command: str, *arguments: str) -> Forked:
        """As Program.start."""
        words = [command, str(self.plan_path), *arguments]
        return Forked(words, {**os.environ, **self.environment}, entry="tests.unprivileged:main")


def main() -> None:
    """The program, in a fork."""
    from flows.cli import main as program

    drop_rights()
    program()
