"""SMBSource: a share of a Windows, Samba or NAS server. NTSTATUS → errors; speaks no protocol itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from connectors.entry import Entry
from connectors.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionLost,
    ConnectorError,
    ItemError,
    Locked,
    NotFound,
    PathForbidden,
    PathRefused,
    ReadFailed,
    ServerBusy,
    ShareUnreachable,
)
from connectors.source import AccessTimes, ChangeNotices, WholeFile
from connectors.sources.filesystem import FilesystemSource
from connectors.sources.location import Location
from connectors.sources.os_errors import connector_error
from connectors.sources.patience import Patience
from connectors.sources.reopening import OpenedFile
from connectors.sources.resilient import MOST_ENTRIES
from connectors.sources.smb.connection import SMBWhole
from connectors.sources.smb.entries import entries_of, entry_of
from connectors.sources.smb.file import SMBFile
from connectors.sources.smb.filesystem import SMBFileSystem
from connectors.sources.smb.login import GUEST_NAME, GUEST_PASSWORD, SMBAccount
from connectors.sources.smb.status import (
    BUSY,
    DFS_LINK,
    PATH_REFUSED,
    STOPPED_ON_SYMLINK,
    SMBConnectionLostError,
    SMBLinkError,
    SMBLockedError,
    SMBLoginError,
    SMBStatusError,
    SMBUnreachableError,
    status_name,
)

log = logging.getLogger(__name__)

DEFAULT_PORT = 445
#: Characters that separate names (or name a stream) on the server: no listed name holds them.
FORBIDDEN_CHARACTERS = frozenset("\\:")
#: What was tried where the account may not read something, and what to do.
NOT_EVEN_FOR_BACKUP = (
    " (asked with backup intent, too); grant it read access, or on a Windows server add it to the server's own group "
    "Backup Operators"
)
BACKUP_REFUSED = " (the server refuses opens with backup intent); grant it read access"


class SMBConfig(BaseModel):
    """A share and the account that reads it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    host: str = Field(description="Name or address of the server.")
    share: str = Field(description="Name of the share.")
    path: str = Field(default="", description="Folder of the share that is the root; empty for all of it.")
    port: int = Field(default=DEFAULT_PORT, gt=0, lt=65536, description="TCP port.")
    username: str | None = Field(default=None, description="User, as name, DOMAIN\\name or name@domain.")
    password: SecretStr | None = Field(default=None, description="Password; empty with a Kerberos ticket.")
    authentication: Literal["negotiate", "ntlm", "kerberos"] = Field(
        default="negotiate", description="How to log in; Kerberos needs the extra of that name."
    )
    signing: bool = Field(default=True, description="Refuse servers that do not sign.")
    encryption: bool = Field(default=False, description="Refuse servers that do not encrypt.")
    guest: bool = Field(default=False, description="Be content to be a guest; needs signing: false.")
    recall_offline: bool = Field(default=False, description="Read files that slower storage must recall.")
    plain: bool = Field(
        default=False,
        description="Send each request through smbprotocol by itself: several times slower, should a server need it.",
    )
    connect_timeout_seconds: float = Field(default=15.0, gt=0, description="Limit for reaching the server.")
    request_timeout_seconds: float = Field(default=60.0, gt=0, description="Limit for one answer.")
    patience_seconds: float = Field(
        default=60.0, ge=0, description="How long to wait for a server that went away."
    )
    walkers: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Folders listed at the same time; of more than one, up to 16 are asked for by one connection.",
    )

    @classmethod
    def from_location(cls, location: Location, options: Mapping[str, Any]) -> Self:
        """A configuration from smb://[user[:password]@]host[:port]/share[/path]."""
        share, _, path = location.path.strip("/").partition("/")
        if not share:
            raise ValueError("the source URL must name a share: smb://host/share/path")
        given = {
            "host": location.host,
            "share": share,
            "path": path.strip("/"),
            "port": location.port,
            "username": location.username,
            "password": location.password,
        }
        return cls.model_validate(
            {**{key: value for key, value in given.items() if value is not None}, **options}
        )

    @model_validator(mode="after")
    def _guests_cannot_sign(self) -> Self:
        if self.guest and (self.signing or self.encryption):
            raise ValueError("a guest's session can be neither signed nor encrypted: say signing: false, too")
        return self

    def account(self) -> SMBAccount:
        """What a connection needs."""
        password = self.password.get_secret_value() if self.password else None
        return SMBAccount(
            host=self.host,
            share=self.share,
            port=self.port,
            username=self.username or (GUEST_NAME if self.guest else None),
            password=password or (GUEST_PASSWORD if self.guest else None),
            guest=self.guest,
            authentication=self.authentication,
            signing=self.signing,
            encryption=self.encryption,
            plain=self.plain,
            connect_timeout_seconds=self.connect_timeout_seconds,
            request_timeout_seconds=self.request_timeout_seconds,
        )


class SMBSource(FilesystemSource):
    """A FilesystemSource over SMBFileSystem."""

    checks_ancestors = True
    listing_tells_links = True
    lists_together = True

    @classmethod
    def from_config(cls, config: SMBConfig) -> Self:  # type: ignore[override]
        """A source over the configured share."""
        port = None if config.port == DEFAULT_PORT else config.port
        location = Location(scheme="smb", host=config.host, port=port, path=f"{config.share}/{config.path}")
        source = cls(
            SMBFileSystem(config.account(), recall_offline=config.recall_offline),
            config.path,
            display_url=location.display_url,
            patience=Patience(seconds=config.patience_seconds),
            walkers=config.walkers,
        )
        source.reads_together = not config.plain
        return source

    def access_times(self) -> AccessTimes:
        """The protocol has them; many servers keep none, and none says so."""
        return AccessTimes.UNKNOWN

    def notices(self) -> ChangeNotices | None:
        """By CHANGE_NOTIFY, where the account may list the top of the share. A server that refuses it says so later."""
        try:
            return self._share.notices(self._root.strip("/"))
        except SMBStatusError:
            return None
        except Exception as exc:
            raise self._error(exc, "") from exc

    def _list(self, path: str) -> list[Entry]:
        return self._entries(path, self._share.pages(self._full(path)))

    def _list_together(self, paths: Sequence[str]) -> dict[str, list[Entry]]:
        listed: dict[str, list[Entry]] = {}
        names, entries = {self._full(path): path for path in paths}, 0

        def wanted() -> Iterator[str]:
            for full in names:
                if entries > MOST_ENTRIES or self._is_stopped():
                    return
                yield full

        for full, pages in self._share.pages_together(wanted()):
            found = listed[names[full]] = self._entries(names[full], pages)
            entries += len(found)
        return listed

    def _stat(self, path: str) -> Entry:
        return entry_of(path, self._share.record(self._full(path)), recall_offline=self._share.recall_offline)

    def _read_whole(self, path: str, limit: int) -> WholeFile | None:
        whole = self._share.read_whole(self._full(path), limit)
        return None if whole is None else self._whole_of(path, whole)

    def read_together(self, wanted: Sequence[tuple[str, int]]) -> dict[str, WholeFile]:
        """Many in flight on one connection. Whatever is wrong is found out, and told, one by one."""
        read: dict[str, WholeFile] = {}
        try:
            known = {self._full(path): (path, size) for path, size in wanted if self._is_inside(path)}
            asked = ((full, size) for full, (_, size) in known.items() if not self._is_stopped())
            for full, whole in self._share.read_together(asked):
                path = known[full][0]
                read[path] = self._whole_of(path, whole)
        except Exception:
            log.debug("files are read one by one", exc_info=True)
        return read

    def _is_inside(self, path: str) -> bool:
        """As far as the folders above tell; False where `read_whole` would raise an error of this path alone."""
        try:
            self._check_path(path)
            self._require_plain_parents(path)
        except Exception as exc:
            if isinstance(self._error(exc, path), ItemError):
                return False
            raise
        return True

    def _whole_of(self, path: str, whole: SMBWhole) -> WholeFile:
        # Opening tells nothing of extended attributes.
        before = whole.before
        if before.ea_size_or_tag != whole.after.ea_size_or_tag:
            before = before._replace(ea_size_or_tag=whole.after.ea_size_or_tag)
        recall = self._share.recall_offline
        return WholeFile(
            entry_of(path, before, recall_offline=recall),
            whole.content,
            entry_of(path, whole.after, recall_offline=recall),
            whole.streams,
            one_handle=True,
        )

    def _open(self, path: str) -> OpenedFile:
        opened = super()._open(path)
        return replace(opened, streams=cast(SMBFile, opened.raw).streams)

    def _hides_names(self) -> bool:
        return self._share.hides_names()

    @property
    def _share(self) -> SMBFileSystem:
        return cast(SMBFileSystem, self._filesystem)

    def _entries(self, path: str, pages: Sequence[bytes]) -> list[Entry]:
        recall = self._share.recall_offline
        return [entry for page in pages for entry in entries_of(path, page, recall_offline=recall)]

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}".strip("/")

    def _check_path(self, path: str) -> None:
        super()._check_path(path)
        if not FORBIDDEN_CHARACTERS.isdisjoint(path):
            raise PathForbidden(f"{path!r} holds a character that SMB gives another meaning; rename it")

    def _error(self, exc: Exception, path: str) -> ConnectorError:
        refused = cast(SMBFileSystem, self._filesystem).backup.refused
        return smb_error(exc, path, self.display_url, backup_intent=not refused)

    def _disconnect(self) -> None:
        self._filesystem.close()


def smb_error(exc: Exception, path: str, url: str, *, backup_intent: bool = True) -> ConnectorError:
    """An exception of SMBFileSystem as one of ours; anything else by its errno. `backup_intent`: it was asked with."""
    if isinstance(exc, SMBLoginError):
        return AuthenticationFailed(f"{url}: {exc}")
    if isinstance(exc, SMBUnreachableError):
        return ShareUnreachable(f"{url}: {exc}; check host, port and share name")
    if isinstance(exc, SMBConnectionLostError):
        return ConnectionLost(f"the connection was lost at {path!r}")
    if isinstance(exc, SMBLockedError):
        return Locked(f"{path!r} is held exclusively by another program; run another pass when it is closed")
    if isinstance(exc, SMBLinkError):
        # Not of one entry: there is no other root that this plan could mean.
        return (
            AccessDenied(f"{path!r}: {exc.why}")
            if path
            else ShareUnreachable(f"{url}: the root folder is no ordinary one: {exc.why}")
        )
    if isinstance(exc, SMBStatusError):
        return _error_of_status(exc, path, NOT_EVEN_FOR_BACKUP if backup_intent else BACKUP_REFUSED)
    return connector_error(exc, path)


def _error_of_status(exc: SMBStatusError, path: str, tried: str) -> ConnectorError:
    if exc.status == STOPPED_ON_SYMLINK:
        return AccessDenied(f"{path!r} is or passes a link; links are never followed")
    if exc.status in PATH_REFUSED:
        # Not NotFound: it is there, and would be taken for deleted.
        return PathRefused(
            f"{path!r} cannot be opened under this path over SMB ({status_name(exc.status)}); shorten it, or rename it "
            "on the server"
        )
    if exc.status == DFS_LINK:
        return ItemError(f"{path!r} is a DFS link; make its target a source of its own")
    if exc.status in BUSY:
        return ServerBusy(f"{path!r}: the server is busy ({status_name(exc.status)})")
    if isinstance(exc, FileNotFoundError):
        return NotFound(f"{path!r} is not there (any more)")
    if isinstance(exc, PermissionError):
        return AccessDenied(f"{path!r}: the account may not read this{tried}")
    return ReadFailed(
        f"{path!r}: the server answered {status_name(exc.status)}; check the disk behind the share"
    )
