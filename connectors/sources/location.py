"""Location: the parts of a source's URL, with its secrets kept apart. Opens nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote

_URL = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<rest>.*)$", re.DOTALL)
#: Schemes whose first part is a host with an optional user and port, and whose path may be percent-encoded.
_HOST_SCHEMES = frozenset({"smb", "sftp", "ssh", "ftp", "ftps", "webdav", "webdavs", "dav", "davs"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """scheme://[username[:password]@]host[:port]/path; for other schemes the rest is one opaque text."""

    scheme: str
    #: Empty where the scheme has none.
    host: str = ""
    port: int | None = None
    #: For host schemes (smb, sftp) the path without its leading slash, percent escapes decoded: a literal "%20" is
    #: written "%2520". Else all after "://".
    path: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Location:
        """Take a URL apart; ValueError with one line and no secret when it is none. A plain path is file://."""
        if url.startswith("/"):
            return cls(scheme="file", path=url)
        match = _URL.match(url)
        if match is None:
            raise ValueError("the source URL must look like smb://host/share/path or be an absolute path")
        scheme, rest = match["scheme"].lower(), match["rest"]
        if scheme not in _HOST_SCHEMES:
            return cls(scheme=scheme, path=rest)
        return cls._with_host(scheme, rest)

    @classmethod
    def _with_host(cls, scheme: str, rest: str) -> Location:
        authority, _, path = rest.partition("/")
        account, _, endpoint = authority.rpartition("@")
        user, _, secret = account.partition(":")
        match = re.fullmatch(r"(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?", endpoint)
        if match is None or (match[2] is not None and not 0 < int(match[2]) < 65536):
            raise ValueError(f"the source URL must look like {scheme}://host[:port]/path")
        return cls(
            scheme=scheme,
            host=match[1].strip("[]"),
            port=int(match[2]) if match[2] else None,
            path=_decoded(path),
            username=_decoded(user) or None,
            password=_decoded(secret) or None,
        )

    def with_account(self, username: str | None, password: str | None, port: int | None) -> Location:
        """The same with what the plan gives outside of the URL, which wins."""
        return replace(
            self,
            username=username if username is not None else self.username,
            password=password if password is not None else self.password,
            port=port if port is not None else self.port,
        )

    @property
    def bare_url(self) -> str:
        """The URL without user and password, as a filesystem takes it."""
        if self.scheme not in _HOST_SCHEMES:
            return f"{self.scheme}://{self.path}"
        return f"{self.scheme}://{self._endpoint}/{quote(self.path, safe='/')}"

    @property
    def display_url(self) -> str:
        """Fit for logs: no user, password, query or fragment, no control characters."""
        if self.scheme in _HOST_SCHEMES:
            text = f"{self.scheme}://{self._endpoint}/{self.path}".rstrip("/")
        else:
            before, _, behind = self.path.partition("/")
            host = before.rpartition("@")[2]
            text = f"{self.scheme}://{host}{'/' if behind or self.path.startswith('/') else ''}{behind}"
            text = text if self.scheme == "file" else re.split(r"[?#]", text, maxsplit=1)[0]
        return "".join(char if char.isprintable() else "�" for char in text)

    @property
    def _endpoint(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def _decoded(text: str) -> str:
    """Percent-decoding for real escapes only: a path with a bare "%" keeps it."""
    return unquote(text) if re.search(r"%[0-9A-Fa-f]{2}", text) else text
