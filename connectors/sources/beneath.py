"""Opening what lies below a folder by one call of the system that follows no link anywhere: Linux's openat2.

Whoever uses it has a way without it: other systems do not have the call, and some surroundings forbid it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any

#: The same on every processor that Linux's own numbers are common to (Alpha has others).
_OPENAT2 = 437
#: No link on the way, none of /proc's either, and nothing outside of the folder.
_RESOLVE = 0x02 | 0x04 | 0x08


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(folder: int, path: bytes, flags: int) -> int | None:
    """Return a descriptor of what this relative path leads to below an open folder.

    None where there is more to say: whoever asks goes step by step then, and finds out what it is.
    """
    if _system_call is None:
        return None
    how = _How(flags, 0, _RESOLVE)
    found: int = _system_call(_OPENAT2, folder, path, ctypes.byref(how), ctypes.sizeof(how))
    return found if found >= 0 else None


def _the_call() -> Callable[..., Any] | None:
    if sys.platform != "linux" or os.uname().machine == "alpha":
        return None
    try:
        call = ctypes.CDLL(None).syscall
    except (OSError, AttributeError):
        return None
    call.restype = ctypes.c_long
    call.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    return call


_system_call = _the_call()
