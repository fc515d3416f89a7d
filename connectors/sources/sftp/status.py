"""Errors of SSH and SFTP as errors of a connector. Pure."""

from __future__ import annotations

import asyncssh
from fsspec.asyn import FSTimeoutError

from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionLost,
    ConnectorError,
    Locked,
    NotFound,
    ReadFailed,
    ServerBusy,
    ShareUnreachable,
)
from connectors.sources.os_errors import connector_error

_NOT_FOUND = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory,
              asyncssh.SFTPFileIsADirectory, asyncssh.SFTPDeletePending)  # fmt: skip
_LOCKED = (asyncssh.SFTPLockConflict, asyncssh.SFTPByteRangeLockConflict, asyncssh.SFTPByteRangeLockRefused)
LOST = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.SFTPInvalidHandle,
         asyncssh.SFTPBadMessage, asyncssh.DisconnectError, FSTimeoutError)  # fmt: skip


def sftp_error(exc: Exception, path: str) -> ConnectorError:
    """An exception of asyncssh as one of ours; anything else by its errno."""
    if isinstance(exc, asyncssh.SFTPInvalidFilename) or _is_refused_path(exc):
        # Not NotFound: it may well be there, and would be taken for deleted.
        return ReadFailed(
            f"{path!r}: the server does not take this path, which may be too long; shorten or rename it"
        )
    if isinstance(exc, asyncssh.SFTPBadMessage) and "packet size" in exc.reason:
        return ConnectionLost(
            "the server says something that is no SFTP, as where a login script of the account (.bashrc, .profile) or "
            "a forced command prints text; silence it for sessions without a terminal"
        )
    if isinstance(exc, LOST):
        return ConnectionLost(f"the connection was lost at {path!r}")
    if isinstance(exc, _NOT_FOUND):
        return NotFound(f"{path!r} is not there (any more)")
    if isinstance(exc, asyncssh.SFTPPermissionDenied):
        return AccessDenied(f"{path!r}: the account may not read this; grant it read access")
    if isinstance(exc, asyncssh.SFTPLinkLoop):
        return AccessDenied(f"{path!r} is or passes a symbolic link; links are never followed")
    if isinstance(exc, _LOCKED):
        return Locked(f"{path!r} is held by another program; run another pass when it is closed")
    if isinstance(exc, ValueError) and "SFTP connections" in str(exc):
        return ConnectionLost(f"no channel could be opened for {path!r}")  # how sshfs's pool says it
    if isinstance(exc, asyncssh.ChannelOpenError):
        return ServerBusy("the server opens no more channels (MaxSessions)")
    if isinstance(exc, asyncssh.SFTPError):
        return ReadFailed(f"{path!r}: the server answered {type(exc).__name__}; check the disk behind it")
    return connector_error(exc, path)


def _is_refused_path(exc: Exception) -> bool:
    """OpenSSH answers "Bad message" to a path that is too long; asyncssh raises the same class for broken packets."""
    return isinstance(exc, asyncssh.SFTPBadMessage) and exc.reason == "Bad message"


def is_lost(exc: Exception) -> bool:
    """True when the connection is of no use any more."""
    return isinstance(sftp_error(exc, ""), ConnectionLost)


def login_error(exc: Exception, url: str) -> ConnectorError:
    """Why no connection was made, without any credential in the text."""
    if isinstance(exc, asyncssh.HostKeyNotVerifiable):
        return AuthenticationFailed(
            f"{url}: the host key is not the known one; check it and add it to known_hosts"
        )
    if isinstance(exc, PermissionError | asyncssh.PermissionDenied):
        return AuthenticationFailed(f"{url}: the login was refused; check user name, password and key file")
    if isinstance(exc, asyncssh.KeyImportError | asyncssh.KeyEncryptionError | FileNotFoundError):
        return AuthenticationFailed(
            f"{url}: the key file or known_hosts cannot be read; check path and passphrase"
        )
    if isinstance(exc, asyncssh.KeyExchangeFailed):
        said = " ".join(str(exc).split())
        return ShareUnreachable(
            f"{url}: the server speaks only what is not safe any more ({said}); update it, or mount the folder by "
            "other means and use file://"
        )
    reason = exc.strerror if isinstance(exc, OSError) else None
    return ShareUnreachable(f"{url}: no connection ({reason or type(exc).__name__}); check host and port")
