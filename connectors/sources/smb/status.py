"""What SMBFileSystem raises: OSErrors with the server's NTSTATUS. What that means for a pass is in source.py."""

from __future__ import annotations

import errno

#: Of a folder that was opened: it lists nothing at all.
NO_SUCH_FILE = 0xC000_000F
NOT_FOUND = {
    NO_SUCH_FILE: "STATUS_NO_SUCH_FILE",
    0xC000_0034: "STATUS_OBJECT_NAME_NOT_FOUND",
    0xC000_003A: "STATUS_OBJECT_PATH_NOT_FOUND",
    0xC000_0056: "STATUS_DELETE_PENDING",
    0xC000_0103: "STATUS_NOT_A_DIRECTORY",
    0xC000_00BA: "STATUS_FILE_IS_A_DIRECTORY",
    0xC000_0225: "STATUS_NOT_FOUND",
}
ACCESS_DENIED = {
    0xC000_0022: "STATUS_ACCESS_DENIED",
    0xC000_0061: "STATUS_PRIVILEGE_NOT_HELD",
}
LOCKED = {
    0xC000_0043: "STATUS_SHARING_VIOLATION",
    0xC000_0054: "STATUS_FILE_LOCK_CONFLICT",
    0xC000_0055: "STATUS_LOCK_NOT_GRANTED",
}
#: The connection, session or handle is of no use any more; a new one may be.
CONNECTION_OVER = {
    0xC000_00C9: "STATUS_NETWORK_NAME_DELETED",
    0xC000_0203: "STATUS_USER_SESSION_DELETED",
    0xC000_035C: "STATUS_NETWORK_SESSION_EXPIRED",
    0xC000_0128: "STATUS_FILE_CLOSED",
    0xC000_0008: "STATUS_INVALID_HANDLE",
    0xC000_020C: "STATUS_CONNECTION_DISCONNECTED",
    0xC000_020D: "STATUS_CONNECTION_RESET",
    0xC000_0241: "STATUS_CONNECTION_ABORTED",
    0xC000_0120: "STATUS_CANCELLED",
    0xC000_014B: "STATUS_PIPE_BROKEN",
}
BUSY = {
    0xC000_009A: "STATUS_INSUFFICIENT_RESOURCES",
    0xC000_0205: "STATUS_INSUFF_SERVER_RESOURCES",
    0xC000_00D0: "STATUS_REQUEST_NOT_ACCEPTED",
    0xC000_00B5: "STATUS_IO_TIMEOUT",
    0xC000_0466: "STATUS_SERVER_UNAVAILABLE",
    0xC000_011F: "STATUS_TOO_MANY_OPENED_FILES",
    0xC000_022D: "STATUS_RETRY",
}
LOGIN_REFUSED = {
    0xC000_006A: "STATUS_WRONG_PASSWORD",
    0xC000_006D: "STATUS_LOGON_FAILURE",
    0xC000_006E: "STATUS_ACCOUNT_RESTRICTION",
    0xC000_006F: "STATUS_INVALID_LOGON_HOURS",
    0xC000_0070: "STATUS_INVALID_WORKSTATION",
    0xC000_0071: "STATUS_PASSWORD_EXPIRED",
    0xC000_0072: "STATUS_ACCOUNT_DISABLED",
    0xC000_015B: "STATUS_LOGON_TYPE_NOT_GRANTED",
    0xC000_0193: "STATUS_ACCOUNT_EXPIRED",
    0xC000_0224: "STATUS_PASSWORD_MUST_CHANGE",
    0xC000_0234: "STATUS_ACCOUNT_LOCKED_OUT",
    0xC000_0418: "STATUS_NTLM_BLOCKED",
}
NO_SUCH_SHARE = {
    0xC000_00CC: "STATUS_BAD_NETWORK_NAME",
    0xC000_00CA: "STATUS_NETWORK_ACCESS_DENIED",
    0xC000_00CB: "STATUS_BAD_DEVICE_TYPE",
}
#: The server, or the file system behind it, does not have what was asked for.
UNSUPPORTED = {
    0xC000_0002: "STATUS_NOT_IMPLEMENTED",
    0xC000_0003: "STATUS_INVALID_INFO_CLASS",
    0xC000_000D: "STATUS_INVALID_PARAMETER",
    0xC000_0010: "STATUS_INVALID_DEVICE_REQUEST",
    0xC000_00BB: "STATUS_NOT_SUPPORTED",
}
#: The server does not take this path: it may well be there.
PATH_REFUSED = {
    0xC000_0033: "STATUS_OBJECT_NAME_INVALID",
    0xC000_0039: "STATUS_OBJECT_PATH_INVALID",
    0xC000_003B: "STATUS_OBJECT_PATH_SYNTAX_BAD",
    0xC000_0106: "STATUS_NAME_TOO_LONG",
}
DFS_LINK = 0xC000_0257
STOPPED_ON_SYMLINK = 0x8000_002D
NO_MORE_FILES = 0x8000_0006
BUFFER_OVERFLOW = 0x8000_0005
END_OF_FILE = 0xC000_0011
#: More changed than the server remembers for whoever asked to be told.
TOO_MANY_CHANGES = 0x0000_010C

_NAMES = {
    **NOT_FOUND, **ACCESS_DENIED, **LOCKED, **CONNECTION_OVER, **BUSY, **LOGIN_REFUSED, **NO_SUCH_SHARE,
    **UNSUPPORTED, **PATH_REFUSED,
    DFS_LINK: "STATUS_PATH_NOT_COVERED",
    STOPPED_ON_SYMLINK: "STATUS_STOPPED_ON_SYMLINK",
}  # fmt: skip


class SMBStatusError(OSError):
    """The server answered with an error status."""

    number = errno.EIO

    def __init__(self, status: int, path: str) -> None:
        super().__init__(self.number, status_name(status), path)
        self.status = status


class SMBNotFoundError(SMBStatusError, FileNotFoundError):
    """Not there, or not of the expected kind."""

    number = errno.ENOENT


class SMBAccessError(SMBStatusError, PermissionError):
    """The account may not do this."""

    number = errno.EACCES


class SMBLinkError(SMBAccessError):
    """It stands for something else, and nobody follows it."""

    def __init__(self, path: str, why: str) -> None:
        """`why`: what it is, and what to do about it."""
        super().__init__(STOPPED_ON_SYMLINK, path)
        self.why = why


class SMBLockedError(SMBStatusError):
    """Another client holds it exclusively."""

    number = errno.EBUSY


class SMBConnectionLostError(ConnectionError):
    """The connection broke or the server ended the session; a new connection may work."""


class SMBUnreachableError(ConnectionError):
    """No connection to the host or no such share."""


class SMBLoginError(PermissionError):
    """The server refused the login."""


def status_name(status: int) -> str:
    """A readable name for a status."""
    return _NAMES.get(status, f"NTSTATUS 0x{status:08X}")


def error_of_status(status: int, path: str) -> OSError:
    """The exception for an error status of an operation on a path."""
    if status in CONNECTION_OVER:
        return SMBConnectionLostError(status_name(status))
    if status in NOT_FOUND:
        return SMBNotFoundError(status, path)
    if status in ACCESS_DENIED:
        return SMBAccessError(status, path)
    if status in LOCKED:
        return SMBLockedError(status, path)
    return SMBStatusError(status, path)
