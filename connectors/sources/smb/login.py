"""Logging in to an SMB server: as whom, one at a time, and what a refusal means."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from smbprotocol.exceptions import (
    SMBAuthenticationError,
    SMBConnectionClosed,
    SMBException,
    SMBResponseException,
)
from smbprotocol.session import Session

from connectors.sources.smb.status import (
    ACCESS_DENIED,
    LOGIN_REFUSED,
    NO_SUCH_SHARE,
    SMBLoginError,
    SMBUnreachableError,
    status_name,
)

#: What to do about a refused login where it is not name and password.
ADVICE: Mapping[int, str] = {
    0xC000_006E: "the account is restricted: an empty password, or a group that may not use NTLM; ask the domain",
    0xC000_0071: "the password has expired; set a new one",
    0xC000_0072: "the account is disabled; have it enabled",
    0xC000_015B: "the account may not log on over the network; grant it that right on the server",
    0xC000_0193: "the account has expired; have it prolonged",
    0xC000_0224: "the password must be changed first; set a new one",
    0xC000_0234: "the account is locked out; have it unlocked before the next attempt",
    0xC000_0418: (
        "the domain does not admit NTLM; log in with Kerberos: source: {options: {authentication: kerberos}} and a "
        "ticket (kinit)"
    ),
}
CHECK_LOGIN = "check user name and password"
GUEST = (
    "the server knows no such user and lets it in as a guest, whose session cannot be signed; correct the user name, "
    "or for a guest share say source: {options: {guest: true, signing: false}}"
)
#: As whom a guest logs in where the plan names nobody: servers map to a guest whom they do not know.
GUEST_NAME, GUEST_PASSWORD = "boxhaul-guest", "guest"


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
    #: Be content to be a guest.
    guest: bool = False
    encryption: bool = False
    #: Send each message through smbprotocol.
    plain: bool = False
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
            if session.session_key is None and not account.guest:
                self._refusal = SMBLoginError(f"{account.host}:{account.port}: {GUEST}")
                raise self._refusal


def login_error(exc: Exception, account: SMBAccount) -> OSError:
    """Why a login failed, without any credential in the text."""
    place = f"{account.host}:{account.port}"
    if isinstance(exc, SMBResponseException):
        return _refused(int(exc.status), place, account.share)
    if "guest" in str(exc):
        return SMBLoginError(f"{place}: {GUEST}")
    if isinstance(exc, SMBAuthenticationError):
        return SMBLoginError(f"{place} refused the login; {CHECK_LOGIN}")
    if isinstance(exc, SMBConnectionClosed):
        return SMBUnreachableError(
            f"{place} closed the connection during the login, as a server does that is full, or that speaks only SMB1 "
            "(switch SMB2 or later on there)"
        )
    if isinstance(exc, ValueError):
        reason = exc.__cause__.strerror if isinstance(exc.__cause__, OSError) else None
        return SMBUnreachableError(f"no connection to {place}: {reason or 'no answer'}")
    if isinstance(exc, SMBException) and "encryption is required" in str(exc):
        return SMBLoginError(f"{place} does not support the encryption that the plan asks for")
    return SMBUnreachableError(f"{place} did not finish the login: {type(exc).__name__}")


def _refused(status: int, place: str, share: str) -> OSError:
    if status in LOGIN_REFUSED:
        return SMBLoginError(
            f"{place} refused the login ({status_name(status)}); {ADVICE.get(status, CHECK_LOGIN)}"
        )
    if status in NO_SUCH_SHARE:
        return SMBUnreachableError(f"{place} has no share named {share!r} ({status_name(status)})")
    if status in ACCESS_DENIED:
        return SMBLoginError(
            f"{place} does not let the account into the share {share!r}; {CHECK_LOGIN}, or grant it access"
        )
    return SMBUnreachableError(f"{place} refused the connection ({status_name(status)})")
