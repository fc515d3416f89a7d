"""URLs of sources and the registry: what is accepted, what is shown, what is refused in one line."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import connectors
from connectors.sources.filesystem import FilesystemSource
from connectors.sources.local import LocalSource
from connectors.sources.location import Location
from connectors.sources.registry import SOURCES, open_source
from connectors.sources.sftp.source import SFTPSource
from connectors.sources.smb.source import SMBConfig, SMBSource


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smb://fs01/data", Location(scheme="smb", host="fs01", path="data")),
        ("SMB://fs01/data/A%20B", Location(scheme="smb", host="fs01", path="data/A B")),
        ("smb://fs01/data/100% sure", Location(scheme="smb", host="fs01", path="data/100% sure")),
        ("smb://[fd00::1]:4450/d", Location(scheme="smb", host="fd00::1", port=4450, path="d")),
        ("sftp://h/srv/#1?x", Location(scheme="sftp", host="h", path="srv/#1?x")),
        ("/srv/share", Location(scheme="file", path="/srv/share")),
        ("file:///srv/a%20b", Location(scheme="file", path="/srv/a%20b")),
        ("s3://bucket/key", Location(scheme="s3", path="bucket/key")),
        (
            "smb://EX%5Cann:p%40ss@fs01:445/d",
            Location(scheme="smb", host="fs01", port=445, path="d", username="EX\\ann", password="p@ss"),
        ),
    ],
)
def test_urls_are_taken_apart(url: str, expected: Location) -> None:
    """Hosts, ports, users and paths come out decoded; a bare percent sign stays."""
    assert expected == Location.parse(url)


@pytest.mark.parametrize(
    "url", ["", "data", "smb:data", "smb://", "smb://host:99999/x", "smb://host:x/y", "://x"]
)
def test_what_is_no_url_is_refused_in_one_line(url: str) -> None:
    """ValueError, one line."""
    with pytest.raises(ValueError, match="source URL") as caught:
        Location.parse(url)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("smb://ann:secret@fs01/data/A%20B/", "smb://fs01/data/A B"),
        ("sftp://ann:secret@h:2222/srv", "sftp://h:2222/srv"),
        ("ftp://ann:secret@h/srv", "ftp://h/srv"),
        ("https://ann:secret@h/x?token=secret#secret", "https://h/x"),
        ("s3://bucket/key", "s3://bucket/key"),
        ("file:///srv/what?", "file:///srv/what?"),
        ("smb://h/d/\x1b[31mred\n", "smb://h/d/�[31mred�"),
    ],
)
def test_what_is_shown_holds_no_secret(url: str, shown: str) -> None:
    """No user, password, query, fragment or control character in a log."""
    assert shown == Location.parse(url).display_url


def test_secrets_are_not_in_a_repr() -> None:
    """Neither of a location nor of a configuration nor of an account."""
    location = Location.parse("smb://ann:hunter2@fs01/data")
    config = SMBConfig.from_location(location, {})

    assert "hunter2" not in repr(location) + repr(config) + str(config) + repr(config.account())


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("smb://fs01/data/Departments", SMBSource),
        ("sftp://fs01/srv", SFTPSource),
        ("ssh://fs01/srv", SFTPSource),
        ("/srv", LocalSource),
        ("file:///srv", LocalSource),
        ("memory://x", FilesystemSource),
    ],
)
def test_the_scheme_chooses_the_source(url: str, kind: type) -> None:
    """Nothing is asked of a server by opening."""
    assert kind is type(open_source(url, username="ann", password="secret" if "://f" in url else None))


def test_explicit_account_and_port_win() -> None:
    """What the plan says beside the URL replaces what the URL says."""
    source = open_source("smb://bob:old@fs01:1/data", username="ann", password="new", port=4450)

    assert isinstance(source, SMBSource)
    account = source._filesystem._account
    assert ("ann", "new", 4450) == (account.username, account.password, account.port)


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("smb://fs01", {}, "must name a share"),
        ("smb://fs01/data", {"encrypton": True}, "unknown source option encrypton; did you mean encryption"),
        ("smb://fs01/data", {"walkers": 1000}, "source option walkers"),
        ("sftp://fs01/", {"key": "x"}, "unknown source option key"),
        ("file://relative/path", {}, "needs an absolute path"),
        ("nosuchthing://x", {}, "nosuchthing"),
    ],
)
def test_mistakes_are_one_line(url: str, options: dict[str, object], message: str) -> None:
    """A mistyped option names the nearest one; nothing is a traceback."""
    with pytest.raises(ValueError, match=message) as caught:
        open_source(url, options=options)

    assert "\n" not in str(caught.value)


def test_a_bad_option_does_not_show_a_secret() -> None:
    """Validation errors do not repeat what was given."""
    with pytest.raises(ValueError) as caught:
        open_source("smb://fs01/data", password="hunter2", options={"walkers": "hunter2"})

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "module", "said"),
    [
        (
            "gs://bucket/x",
            "gcsfs.core",
            "gs:// needs a package that is not installed: pip install 'boxhaul[gcs]'",
        ),
        ("az://box/x", "adlfs", "az:// needs a package that is not installed: pip install 'boxhaul[azure]'"),
        (
            "webdav://h/x",
            "webdav4",
            "webdav:// needs a package that is not installed: pip install 'boxhaul[webdav]'",
        ),
    ],
)
def test_a_missing_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, url: str, module: str, said: str
) -> None:
    """In one line."""
    for name in [loaded for loaded in sys.modules if loaded.partition(".")[0] == module.partition(".")[0]]:
        monkeypatch.delitem(sys.modules, name)
    for ours in ("azure", "google", "webdav"):
        monkeypatch.delitem(sys.modules, f"connectors.sources.{ours}", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError) as caught:
        open_source(url)

    assert said == str(caught.value)


def test_a_missing_library_says_what_to_install() -> None:
    """An fsspec scheme that nobody here knows is one line with the remedy."""
    with pytest.raises(ValueError, match=r"cannot be used.*install"):
        open_source("oss://bucket/x")


def test_every_registered_class_exists() -> None:
    """The table's dotted names lead to classes with what `open_source` needs."""
    for registration in SOURCES.values():
        for dotted, method in ((registration.config, "from_location"), (registration.source, "from_config")):
            module, _, name = dotted.partition(":")
            found = getattr(import_module(module, "connectors.sources"), name)
            assert callable(getattr(found, method))


def test_importing_connectors_loads_no_protocol() -> None:
    """Sources are imported when they are asked for, so that the state layer stays light."""
    code = "import sys, connectors; print(sorted({'smbprotocol', 'asyncssh', 'fsspec', 's3fs'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()


def test_the_public_surface_is_what_it_says() -> None:
    """Every name of `__all__` is there, and sorted."""
    assert sorted(connectors.__all__) == connectors.__all__
    assert [] == [name for name in connectors.__all__ if not hasattr(connectors, name)]


def test_every_option_is_described() -> None:
    """Each option of a first-class source has a description that ends with a full stop."""
    for registration in SOURCES.values():
        module, _, name = registration.config.partition(":")
        config = getattr(import_module(module, "connectors.sources"), name)
        for field in config.model_fields.values():
            assert (field.description or "").endswith(".")
