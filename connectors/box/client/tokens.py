"""Token: an access token with its times; TokenFile: the same kept in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

#: Box advises to use a token for 50 minutes of its 60.
MAX_USE_SECONDS = 3000.0
#: No transfer begins with a token that ends within this time; of short ones (sandbox) a fifth of their life.
LEAD_SECONDS = 300.0
LEAD_SHARE = 0.2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Token:
    """An access token. Times are seconds since 1970 by this machine's clock."""

    value: str = field(repr=False)
    refresh_at: float
    expires_at: float

    @classmethod
    def issued(cls, value: str, *, at: float, expires_in: float) -> Token:
        """Make a token that was asked for at `at` and that Box says lives so many seconds."""
        lead = min(LEAD_SECONDS, expires_in * LEAD_SHARE)
        return cls(
            value=value, refresh_at=at + min(expires_in - lead, MAX_USE_SECONDS), expires_at=at + expires_in
        )


class TokenFile:
    """One token in a file of mode 0600, replaced as a whole. A file that others can read is not used."""

    def __init__(self, path: Path, owner: str) -> None:
        """owner: whose token it is (app and subject); a file of somebody else counts as empty."""
        self._path = path
        self._owner = owner

    def load(self) -> Token | None:
        """Return the kept token, or None: missing, damaged, somebody else's, or readable by others."""
        try:
            if stat.S_IMODE(self._path.stat().st_mode) & 0o077:
                return None
            data = json.loads(self._path.read_text(encoding="utf-8"))
            if data["owner"] != self._owner:
                return None
            return Token(
                value=str(data["token"]),
                refresh_at=float(data["refresh_at"]),
                expires_at=float(data["expires_at"]),
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save(self, token: Token) -> None:
        """Replace the file. A disk that refuses costs the file, not the login: the token stays in memory."""
        text = json.dumps(
            {
                "owner": self._owner,
                "token": token.value,
                "refresh_at": token.refresh_at,
                "expires_at": token.expires_at,
            }
        )
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
            draft.replace(self._path)
        except OSError:
            draft.unlink(missing_ok=True)
