"""The table of sources: scheme → configuration and source; nothing is imported before it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from connectors.errors import ShareUnreachable
from connectors.source import Source
from connectors.sources.kinds import BY_SCHEME, install_hint
from connectors.sources.location import Location
from connectors.sources.resilient import WALKERS


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """Where a kind of source lives."""

    #: "module:class", beside this module.
    config: str
    source: str


_FILESYSTEM = Registration(
    config=".filesystem:FilesystemConfig",
    source=".filesystem:FilesystemSource",
)
_LOCAL = Registration(
    config=".local:LocalConfig",
    source=".local:LocalSource",
)
_AZURE = Registration(
    config=".filesystem:FilesystemConfig",
    source=".azure:AzureSource",
)
_GOOGLE = Registration(
    config=".filesystem:FilesystemConfig",
    source=".google:GoogleSource",
)
_FTP = Registration(
    config=".ftp:FTPConfig",
    source=".ftp:FTPSource",
)
_WEBDAV = Registration(
    config=".webdav.config:WebDAVConfig",
    source=".webdav.source:WebDAVSource",
)
_SFTP = Registration(
    config=".sftp.config:SFTPConfig",
    source=".sftp.source:SFTPSource",
)

#: First-class sources; every other scheme is looked up in fsspec's own table.
SOURCES: Mapping[str, Registration] = {
    "file": _LOCAL,
    "local": _LOCAL,
    "smb": Registration(
        config=".smb.source:SMBConfig",
        source=".smb.source:SMBSource",
    ),
    "sftp": _SFTP,
    "ssh": _SFTP,
    **dict.fromkeys(("ftp", "ftps"), _FTP),
    **dict.fromkeys(("webdav", "webdavs", "dav", "davs"), _WEBDAV),
    **dict.fromkeys(("az", "abfs", "abfss"), _AZURE),
    **dict.fromkeys(("gs", "gcs"), _GOOGLE),
}


def open_source(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    port: int | None = None,
    options: Mapping[str, Any] | None = None,
    walkers: int = WALKERS,
) -> Source:
    """The source that a URL names: smb://host/share/path, sftp://host/path, file:///path or any fsspec URL.

    `username`, `password` and `port` win over what the URL holds; `options` are those of the source's
    configuration class, or, for any other fsspec URL, its filesystem's. `walkers`: folders listed at the same time,
    where the options say nothing of it. Nothing is asked of a server before
    `connect()`. Raises ValueError, one line without a secret, for a URL or an option that cannot be used
    and for a missing library; ShareUnreachable and AuthenticationFailed for filesystems that connect at once.
    """
    location = Location.parse(url)
    location = location.with_account(username or None, password or None, port)
    registration = SOURCES.get(location.scheme, _FILESYSTEM)
    try:
        config_class, source_class = _load(registration.config), _load(registration.source)
        config = config_class.from_location(location, options or {})
        source = source_class.from_config(config)
        if "walkers" not in (options or {}):
            source.walkers = walkers
        return cast(Source, source)
    except ValidationError as exc:
        raise ValueError(_one_line(exc, config_class)) from None
    except ImportError as exc:
        hint = install_hint(location.scheme)
        if location.scheme in BY_SCHEME:
            raise ValueError(f"{location.scheme}:// needs a package that is not installed: {hint}") from exc
        raise ValueError(f"{location.scheme}:// cannot be used: {exc}; {hint}") from exc
    except (OSError, EOFError) as exc:
        # Some filesystems connect when they are made.
        said = getattr(exc, "strerror", None) or type(exc).__name__
        raise ShareUnreachable(f"{location.display_url} does not answer ({said})") from exc
    except TypeError as exc:
        # A filesystem's constructor refuses an option that it does not know.
        raise ValueError(f"{location.scheme}:// does not take these options: {exc}") from exc


def _load(dotted: str) -> Any:
    module, _, name = dotted.partition(":")
    return getattr(import_module(module, __package__), name)


def _one_line(exc: ValidationError, config_class: type[BaseModel]) -> str:
    """The first fault of a configuration, with the nearest known option for an unknown one."""
    fault = exc.errors(include_input=False, include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] != "extra_forbidden":
        return f"source option {name}: {fault['msg']}"
    near = get_close_matches(name, config_class.model_fields, n=1)
    return f"unknown source option {name}" + (f"; did you mean {near[0]}?" if near else "")
