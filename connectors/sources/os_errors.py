"""Errors of the operating system, and of any fsspec filesystem, as errors of a connector. Pure."""

from __future__ import annotations

import errno

from connectors.errors import (
    AccessDenied,
    ConnectionLost,
    ConnectorError,
    Locked,
    NotFound,
    PathRefused,
    ReadFailed,
    ServerBusy,
)

_LOST = frozenset(
    {
        errno.ECONNRESET, errno.ECONNABORTED, errno.ECONNREFUSED, errno.EPIPE, errno.ENOTCONN, errno.ESTALE,
        errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH,
        errno.ESHUTDOWN,
    }
)  # fmt: skip
_BUSY = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR})
_LOCKED = frozenset({errno.EBUSY, errno.ETXTBSY})


def connector_error(exc: Exception, path: str) -> ConnectorError:
    """Any exception of an fsspec filesystem or of the operating system as one of ours."""
    if isinstance(exc, ConnectorError):
        return exc
    if isinstance(exc, FileNotFoundError | NotADirectoryError | FileExistsError):
        return NotFound(f"{path!r} is not there (any more)")
    if isinstance(exc, IsADirectoryError):
        return NotFound(f"{path!r} is a folder now, not a file")
    if isinstance(exc, PermissionError):
        return AccessDenied(f"{path!r}: the account may not read this; grant it read access")
    if isinstance(exc, ConnectionError | TimeoutError | EOFError):
        return ConnectionLost(f"the connection was lost at {path!r}")
    if isinstance(exc, OSError):
        return _error_of_errno(exc, path)
    return ReadFailed(f"{path!r}: {type(exc).__name__}")


def _error_of_errno(exc: OSError, path: str) -> ConnectorError:
    if exc.errno in _LOST:
        return ConnectionLost(f"the connection was lost at {path!r}")
    if exc.errno in _BUSY:
        return ServerBusy(f"{path!r}: {exc.strerror}")
    if exc.errno in _LOCKED:
        return Locked(f"{path!r} is held by another program; run another pass when it is closed")
    if exc.errno == errno.ELOOP:
        return AccessDenied(f"{path!r} is or passes a symbolic link; links are never followed")
    if exc.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
        return PathRefused(f"{path!r}: {exc.strerror}; shorten it, or rename it in the source")
    return ReadFailed(f"{path!r}: {exc.strerror or type(exc).__name__}")
