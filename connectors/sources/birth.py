"""Birth: when a file or folder of this machine was made. Linux tells it by statx(2), which Python has no name for."""

from __future__ import annotations

import ctypes
import os
import struct
from functools import cache
from typing import Any

# Of <linux/stat.h>: the field that is asked for, where the answer says what it holds, and where the time stands.
_STATX_BTIME = 0x800
_MASK, _BTIME = struct.Struct("I"), struct.Struct("qI")
_BTIME_OFFSET, _STATX_BYTES = 80, 256
_AT_SYMLINK_NOFOLLOW = 0x100


def born_ns(name: bytes, *, folder: int) -> int | None:
    """When the entry of this name in an open folder was made, in nanoseconds since 1970; a link is not followed.

    None where the system or its file system does not tell. OSError as os.stat.
    """
    statx = _statx()
    if statx is None:
        return None
    answer = ctypes.create_string_buffer(_STATX_BYTES)
    if statx(folder, name, _AT_SYMLINK_NOFOLLOW, _STATX_BTIME, answer) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    if not _MASK.unpack_from(answer, 0)[0] & _STATX_BTIME:
        return None
    seconds, nanoseconds = _BTIME.unpack_from(answer, _BTIME_OFFSET)
    return int(seconds) * 10**9 + int(nanoseconds)


@cache
def _statx() -> Any:
    """The C library's function; None where it has none."""
    try:
        statx = ctypes.CDLL(None, use_errno=True).statx
    except (OSError, AttributeError):
        return None
    statx.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p]
    return statx
