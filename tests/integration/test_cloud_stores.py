"""FilesystemSource on Google Cloud Storage (an emulator) and Azure (its own emulator, with `make torture`)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from connectors.entry import EntryKind
from connectors.errors import AccessDenied, AuthenticationFailed, ServerBusy, ShareUnreachable
from connectors.source import Source
from connectors.sources.filesystem import filesystem_error
from connectors.sources.registry import open_source
from tests.contract import Root, SourceContract, StoreRoot, without_empty_folders
from tests.servers.azure import Azurite
from tests.servers.gcs import GCSServer
from tests.trees import UGLY_TREE

pytest_plugins = ["tests.servers.other_fixtures"]


class TestGoogle(SourceContract):
    """Everything that every source promises, as far as an object store can."""

    # The emulator cuts a name at its semicolon.
    tree = without_empty_folders(
        dict(UGLY_TREE)
        | {"Finance": {name.replace(";", ","): content for name, content in UGLY_TREE["Finance"].items()}}  # type: ignore[union-attr]
    )

    @pytest.fixture
    def root(self, gcs_server: GCSServer) -> Root:
        """An emptied bucket."""
        gcs_server.clear()
        return StoreRoot(gcs_server.put)

    @pytest.fixture
    def source(self, gcs_server: GCSServer, root: Root) -> Iterator[Source]:
        """A source over a folder of the bucket."""
        opened = open_source(gcs_server.url, options=gcs_server.options)
        yield opened
        opened.close()

    @pytest.fixture
    def secrets_of(self) -> list[str]:
        """It has none."""
        return []

    def test_wrong_bucket(self, gcs_server: GCSServer) -> None:
        """A bucket that does not exist is one line."""
        source = open_source("gs://nowhere/x", options=gcs_server.options)
        with pytest.raises((ShareUnreachable, AuthenticationFailed)) as caught:
            source.connect()
        source.close()

        assert "\n" not in str(caught.value)


@pytest.mark.torture
class TestAzure(SourceContract):
    """The same of Azure's."""

    tree = without_empty_folders(UGLY_TREE)

    @pytest.fixture
    def root(self, azurite: Azurite) -> Root:
        """An emptied container."""
        azurite.clear()
        return StoreRoot(azurite.put)

    @pytest.fixture
    def source(self, azurite: Azurite, root: Root) -> Iterator[Source]:
        """A source over a folder of the container."""
        opened = open_source(azurite.url, options=azurite.options)
        yield opened
        opened.close()

    @pytest.fixture
    def secrets_of(self, azurite: Azurite) -> list[str]:
        """What must not be shown."""
        return [azurite.password]

    def test_folders_whose_names_begin_alike(self, source: Source, root: Root) -> None:
        """A folder lists what is in it, and nothing of its neighbours."""
        root.build({"a": {"b": b"1", "c": {"d": b"2"}}, "ab": {"e": b"3"}, "a.txt": b"4"})

        assert ["a", "a.txt", "ab"] == [entry.path for entry in source.list_folder("")]
        assert ["a/b", "a/c"] == [entry.path for entry in source.list_folder("a")]
        assert EntryKind.FOLDER is source.stat("a/c").kind

    def test_wrong_key_and_wrong_container(self, azurite: Azurite) -> None:
        """One line each, without the key."""
        other = azurite.options_at(azurite.port, password="d3Jvbmc=")
        for url, options in ((azurite.url, other), ("az://nowhere/x", azurite.options)):
            source = open_source(url, options=options)
            with pytest.raises((ShareUnreachable, AuthenticationFailed)) as caught:
                source.connect()
            source.close()
            assert "\n" not in str(caught.value)
            assert azurite.password not in str(caught.value)

    def test_a_large_blob(self, source: Source, root: Root) -> None:
        """Over several requests."""
        content = os.urandom(20_000_000)
        root.build({"large.bin": content})
        with source.open("large.bin") as file:
            assert content == file.read()


class HttpResponseError(Exception):
    """As azure-core's."""

    def __init__(self, status_code: int, said: str = "") -> None:
        super().__init__(said)
        self.status_code = status_code


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (HttpResponseError(401), AuthenticationFailed),
        (HttpResponseError(403), AccessDenied),
        (
            HttpResponseError(403, "Server failed to authenticate the request. Make sure"),
            AuthenticationFailed,
        ),
        (HttpResponseError(503), ServerBusy),
        (OSError("Forbidden: b/share/o\nno"), AccessDenied),
    ],
)
def test_what_a_store_refuses(raised: Exception, expected: type[Exception]) -> None:
    """By the status that the libraries hand on."""
    assert isinstance(filesystem_error(raised, "x"), expected)
