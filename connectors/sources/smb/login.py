"""Logging in to an SMB server: as whom, one at a time, and what a refusal means."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from smbprotocol.exceptions import SMBAuthenticationError, SMBException, SMBResponseException
from smbprotocol.session import Session

from connectors.sources.smb.status import (
    ACCESS_DENIED,
    LOGIN_REFUSED,
    NO_SUCH_SHARE,
    SMBLoginError,
    SMBUnreachableError,
    status_name,
)


@dataclass(frozen=True, kw_only=True)
class SMBAccount:
    """Where to connect and as whom; equal ones may share connections."""

    host: str
    share: str
    port: int = 445
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    #: "negotiate" tries Kerberos where its libraries are installed, else NTLM.
    authentication: str = "negotiate"
    signing: bool = True
    encryption: bool = False
    connect_timeout_seconds: float = 15.0
    request_timeout_seconds: float = 60.0


class LoginGate:
    """One login at a time, and none after a refusal: each more would help to lock the account."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refusal: SMBLoginError | None = None

    def require_open(self) -> None:
        """Raise the refusal again, if there was one."""
        if self._refusal is not None:
            raise self._refusal

    def log_in(self, session: Session, account: SMBAccount) -> None:
        """Authenticate a session. Raises SMBLoginError or SMBUnreachableError."""
        with self._lock:
            self.require_open()
            try:
                session.connect()
            except Exception as exc:
                error = login_error(exc, account)
                if isinstance(error, SMBLoginError):
                    self._refusal = error
                raise error from exc


def login_error(exc: Exception, account: SMBAccount) -> OSError:
    """Why a login failed, without any credential in the text."""
    place = f"{account.host}:{account.port}"
    if isinstance(exc, SMBResponseException):
        return _refused(int(exc.status), place, account.share)
    if isinstance(exc, SMBAuthenticationError) or "guest" in str(exc):
        return SMBLoginError(f"{place} refused the login")
    if isinstance(exc, ValueError):
        reason = exc.__cause__.strerror if isinstance(exc.__cause__, OSError) else None
        return SMBUnreachableError(f"no connection to {place}: {reason or 'no answer'}")
    if isinstance(exc, SMBException) and "encryption is required" in str(exc):
        return SMBLoginError(f"{place} does not support the encryption that the plan asks for")
    return SMBUnreachableError(f"{place} did not finish the login: {type(exc).__name__}")


def _refused(status: int, place: str, share: str) -> OSError:
    if status in LOGIN_REFUSED:
        return SMBLoginError(f"{place} refused the login ({status_name(status)})")
    if status in NO_SUCH_SHARE:
        return SMBUnreachableError(f"{place} has no share named {share!r} ({status_name(status)})")
    if status in ACCESS_DENIED:
        return SMBLoginError(f"{place} does not let the account into the share {share!r}")
    return SMBUnreachableError(f"{place} refused the connection ({status_name(status)})")
