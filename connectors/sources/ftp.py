"""FTPSource: a folder of an FTP server, listed by MLSD. On ftplib, as fsspec's filesystem takes errors for absence."""

from __future__ import annotations

import ftplib
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Self

from pydantic import Field

from connectors.entry import LINK_REASON, Entry, EntryKind, Fault
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
    Unclassified,
)
from connectors.sources.os_errors import connector_error
from connectors.sources.paths import bytes_of, name_of, unnameable
from connectors.sources.patience import Patience
from connectors.sources.pool import Pool
from connectors.sources.reopening import OpenedFile
from connectors.sources.resilient import ResilientSource
from connectors.sources.server_config import ServerConfig

DEFAULT_PORT = 21
#: Seconds for one answer.
TIMEOUT_SECONDS = 60.0
#: What the server answers, by its three digits: no such command, and "no", of which nobody knows why.
_UNKNOWN, _REFUSED = frozenset({"500", "502", "504"}), frozenset({"501", "550", "553"})
_LOGIN = frozenset({"530", "532"})
_LOST = frozenset({"421", "425", "426"})


class FTPConfig(ServerConfig):
    """A folder of an FTP server."""

    passive: bool = Field(default=True, description="False: the server opens the data connections.")


class FTPSource(ResilientSource):
    """One connection for each call that runs at the same time, and for each open file."""

    # The server follows links in the middle of a path, and may lead round in circles.
    checks_ancestors = True

    def __init__(self, config: FTPConfig) -> None:
        super().__init__(
            config.location.display_url,
            patience=Patience(seconds=config.patience_seconds),
            walkers=config.walkers,
        )
        self._config = config
        self._root = "/" + config.path.strip("/")
        self._pool: Pool[ftplib.FTP] = Pool(
            partial(connect, config),
            is_usable=lambda ftp: ftp.sock is not None,
            is_refusal=lambda exc: isinstance(exc, OSError | EOFError | ftplib.Error) and not _is_login(exc),
            end=_quit,
            drop=_close,
        )

    @classmethod
    def from_config(cls, config: FTPConfig) -> Self:
        """A source over the configured folder; nothing is asked before the first call."""
        return cls(config)

    def _probe(self) -> None:
        self._list("")

    def _list(self, path: str) -> list[Entry]:
        try:
            listed = self._listed(path)
        except ftplib.error_perm as exc:
            if _code(exc) in _UNKNOWN:
                raise ShareUnreachable(
                    "the server does not know MLSD, without which a listing does not tell errors from what is away; "
                    "use SFTP, or mount the folder and use file://"
                ) from exc
            if _code(exc) not in _REFUSED or not path:
                raise
            if self._listed_by_parent(path).kind is not EntryKind.FOLDER:
                raise NotFound(f"{path!r} is a file now, not a folder") from None
            raise AccessDenied(f"{path!r}: the account may not list this; grant it read access") from exc
        if path and len(listed) == 1 and listed[0][1].get("type") == "file":
            self._require_folder(path)
        return [
            _child(path, name, facts) for name, facts in listed if facts.get("type") not in ("cdir", "pdir")
        ]

    def _require_folder(self, path: str) -> None:
        """Some servers list a file as a folder that holds itself."""
        if self._stat(path).kind is not EntryKind.FOLDER:
            raise NotFound(f"{path!r} is a file now, not a folder")

    def _stat(self, path: str) -> Entry:
        try:
            with self._using() as ftp:
                lines = ftp.sendcmd(f"MLST {self._full(path)}").splitlines()
        except ftplib.error_perm as exc:
            if _code(exc) not in _REFUSED | _UNKNOWN or (not path and _code(exc) in _REFUSED):
                raise
            if not path:
                return Entry(path="", kind=EntryKind.FOLDER)
            found = self._listed_by_parent(path)
            if _code(exc) in _UNKNOWN:
                return found
            said = f"the server says no to this ({_code(exc)}); grant the account read access, or rename it there"
            raise AccessDenied(f"{path!r}: {said}") from exc
        facts = next((_facts(line.strip().partition(" ")[0]) for line in lines if line.startswith(" ")), {})
        return _entry(path, facts)

    def _listed_by_parent(self, path: str) -> Entry:
        """What the folder above says of it; NotFound where that lists no such name. 550 means "no", and never why."""
        parent = path.rpartition("/")[0]
        for entry in self._list(parent):
            if entry.path == path:
                return entry
        raise NotFound(f"{path!r} is not there (any more)")

    def _open(self, path: str) -> OpenedFile:
        entry = self._stat(path)
        if entry.kind is not EntryKind.FILE:
            raise IsADirectoryError(path)
        return OpenedFile(raw=_FTPFile(self._pool, self._full(path), path), entry=entry)

    def _listed(self, path: str) -> list[tuple[str, dict[str, str]]]:
        lines: list[str] = []
        with self._using() as ftp:
            ftp.retrlines(f"MLSD {self._full(path)}", lines.append)
        return [_line(path, line) for line in lines]

    @contextmanager
    def _using(self) -> Iterator[ftplib.FTP]:
        with self._pool.lent(keep_after=lambda exc: isinstance(exc, ftplib.error_perm)) as ftp:
            yield ftp

    def _disconnect(self) -> None:
        self._pool.close()

    def _error(self, exc: Exception, path: str) -> ConnectorError:
        return ftp_error(exc, path)

    def _full(self, path: str) -> str:
        """As bytes of UTF-8 in Latin-1: so that names that are no Unicode go back as they came."""
        full = f"{self._root.rstrip('/')}/{path}".rstrip("/") or "/"
        return bytes_of(full).decode("latin-1")


class _FTPFile:
    """A file on a connection of its own, read by RETR from an offset on; a seek begins on another connection."""

    def __init__(self, pool: Pool[ftplib.FTP], full: str, path: str) -> None:
        self._pool = pool
        self._full = full
        self._path = path
        self._offset = 0
        #: The connection, and the one that the bytes come by.
        self._transfer: tuple[ftplib.FTP, socket.socket] | None = None
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; b"" only when the server has said that this was all."""
        if self._ended:
            return b""
        ftp, data = self._transfer or self._begin()
        piece = data.recv(min(size, 1 << 20))
        self._offset += len(piece)
        if not piece:
            self._end(ftp, data)
        return piece

    def seek(self, offset: int, /) -> int:
        """Move to an absolute offset."""
        if offset != self._offset:
            self.close()
            self._offset, self._ended = offset, False
        return offset

    def close(self) -> None:
        """Give the connection up: a transfer that is broken off leaves it in no known state."""
        transfer, self._transfer = self._transfer, None
        if transfer is not None:
            transfer[1].close()
            self._pool.give_back(transfer[0], keep=False, lasting=True)

    def _begin(self) -> tuple[ftplib.FTP, socket.socket]:
        ftp = self._pool.take(lasting=True)
        try:
            ftp.voidcmd("TYPE I")
            data = ftp.transfercmd(f"RETR {self._full}", self._offset or None)
        except BaseException as exc:
            refused = isinstance(exc, ftplib.error_perm)
            self._pool.give_back(ftp, keep=refused, lasting=True)
            if refused and _code(exc) in _REFUSED:
                why = f"{self._path!r}: the account may not read this; grant it read access"
                raise AccessDenied(why) from None
            raise
        self._transfer = ftp, data
        return self._transfer

    def _end(self, ftp: ftplib.FTP, data: socket.socket) -> None:
        """The data ends when the server closes; whether that was all is what it says then."""
        data.close()
        self._transfer, keep = None, False
        try:
            ftp.voidresp()
            self._ended = keep = True
        finally:
            self._pool.give_back(ftp, keep=keep, lasting=True)


class _TLS(ftplib.FTP_TLS):
    """Data connections continue the TLS session of the control connection: many servers ask for that."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """As the library's, with the session."""
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 - what follows encrypts it
        session = self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None
        return self.context.wrap_socket(connection, server_hostname=self.host, session=session), size


def connect(config: FTPConfig) -> ftplib.FTP:
    """Return a connection that is logged in."""
    ftp: ftplib.FTP
    if config.scheme == "ftps":
        context = ssl.create_default_context(cafile=config.ca_file and str(config.ca_file))
        ftp = _TLS(context=context, timeout=TIMEOUT_SECONDS, encoding="latin-1")
    else:
        ftp = ftplib.FTP(timeout=TIMEOUT_SECONDS, encoding="latin-1")  # noqa: S321 - the plan names ftp://
    try:
        ftp.connect(config.host, config.port or DEFAULT_PORT)
        password = config.password.get_secret_value() if config.password else ""
        ftp.login(*(bytes_of(text).decode("latin-1") for text in (config.username or "", password)))
        if isinstance(ftp, _TLS):
            ftp.prot_p()
        ftp.set_pasv(config.passive)
        with suppress(ftplib.error_perm):
            ftp.sendcmd("OPTS UTF8 ON")
    except BaseException:
        ftp.close()
        raise
    return ftp


def _quit(ftp: ftplib.FTP) -> None:
    try:
        ftp.quit()
    except (OSError, EOFError, ftplib.Error):
        ftp.close()


def _close(ftp: ftplib.FTP) -> None:
    with suppress(OSError):
        ftp.close()


def _line(folder: str, line: str) -> tuple[str, dict[str, str]]:
    """One line of MLSD: `fact=value;…; name`. A line that is none would be an entry that is lost."""
    facts, separator, name = line.partition(" ")
    if not separator or not name or "=" not in facts:
        raise ReadFailed(
            f"{folder!r}: the server's listing has a line that is no entry; is there a line end in a name?"
        )
    return name_of(name.encode("latin-1")), _facts(facts)


def _facts(text: str) -> dict[str, str]:
    pairs = (fact.partition("=") for fact in text.split(";") if fact)
    return {key.lower(): value for key, _, value in pairs}


def _child(folder: str, name: str, facts: Mapping[str, str]) -> Entry:
    entry = _entry(f"{folder}/{name}" if folder else name, facts)
    if name in (".", "..") or "/" in name or not {"\0", "\r", "\n"}.isdisjoint(name):
        return unnameable(folder, name, entry, "this name cannot be part of a path")
    return entry


def _entry(path: str, facts: Mapping[str, str]) -> Entry:
    said = facts.get("type", "").lower()
    kind = {"file": EntryKind.FILE, "dir": EntryKind.FOLDER, "cdir": EntryKind.FOLDER}.get(
        said, EntryKind.UNKNOWN
    )
    kind = EntryKind.SYMLINK if "link" in said else kind
    fault = None
    if kind is EntryKind.UNKNOWN:
        fault = Fault(Unclassified.reason, f"{path!r} is there, but the server does not say what it is")
    elif kind is EntryKind.FILE and not facts.get("size", "").isdigit():
        fault = Fault(ReadFailed.reason, f"{path!r}: the server tells no size")
    return Entry(
        path=path,
        kind=kind,
        size=int(facts["size"]) if kind is EntryKind.FILE and fault is None else 0,
        modified_ns=_time(facts.get("modify")),
        created_ns=_time(facts.get("create")),
        # Of folders alone, against circles: a file's is good for the session, and may be another's in the next one.
        file_id=facts.get("unique") if kind is EntryKind.FOLDER else None,
        skip_reason=LINK_REASON if kind is EntryKind.SYMLINK else None,
        fault=fault,
    )


def _time(text: str | None) -> int | None:
    """YYYYMMDDHHMMSS[.digits] in UTC as nanoseconds."""
    match = re.fullmatch(r"(\d{14})(?:\.(\d{1,9})\d*)?", text or "")
    if match is None:
        return None
    try:
        moment = datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 10**9 + int((match[2] or "0").ljust(9, "0"))


def _code(exc: BaseException) -> str:
    return str(exc)[:3]


def _is_login(exc: Exception) -> bool:
    return isinstance(exc, ftplib.Error) and _code(exc) in _LOGIN


def ftp_error(exc: Exception, path: str) -> ConnectorError:
    """An exception of ftplib as one of ours."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return ShareUnreachable(
            "the server's certificate is not trusted; name its authority in options: ca_file"
        )
    if _is_login(exc):
        return AuthenticationFailed("the login was refused (530); check user and password")
    if isinstance(exc, ftplib.error_proto):
        return ConnectionLost(f"the connection was lost at {path!r}")
    if isinstance(exc, ftplib.error_temp):
        if _code(exc) in _LOST:
            return ConnectionLost(f"the connection was lost at {path!r} ({_code(exc)})")
        if _code(exc) == "450":
            return Locked(f"{path!r} is held by another program; run another pass when it is closed")
        return ServerBusy(f"{path!r}: the server is busy ({_code(exc)})")
    if isinstance(exc, ftplib.error_perm):
        if not path and _code(exc) in _REFUSED:
            return NotFound("the root folder is not there, or may not be listed")
        return ReadFailed(f"{path!r}: the server refused ({_code(exc)})")
    return connector_error(exc, path)
