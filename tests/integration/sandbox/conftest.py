"""One sandbox for this folder, checked against the OpenAPI, and the real SDK pointed at it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from box_sdk_gen import (
    BaseUrls,
    BoxCCGAuth,
    BoxClient,
    BoxJWTAuth,
    BoxRetryStrategy,
    CCGConfig,
    JWTConfig,
    NetworkSession,
)
from box_sdk_gen.managers.folders import CreateFolderParent
from box_sdk_gen.managers.uploads import UploadFileAttributes, UploadFileAttributesParentField
from box_sdk_gen.schemas.file_full import FileFull
from box_sdk_gen.schemas.folder_full import FolderFull

from connectors.box.sandbox import Sandbox

#: Kinds of violations that are the sandbox's own fault.
OUR_FAULTS = {"answer", "lenient", "defect"}


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    """The server; small sessions allowed, so that chunked uploads stay small."""
    with Sandbox(validate=True, settings={"min_session_size": 1000, "part_size": 4096}) as box:
        yield box


@pytest.fixture
def box(running: Sandbox) -> Iterator[Sandbox]:
    """An empty Box; afterwards no answer and no accepted request may contradict Box's OpenAPI."""
    running.reset()
    yield running
    ours = [violation for violation in running.violations if violation.kind in OUR_FAULTS]
    assert not ours, "\n".join(map(str, ours))


def network(box: Sandbox) -> NetworkSession:
    """The SDK's addresses, with its own retries off."""
    return NetworkSession(
        base_urls=BaseUrls(base_url=box.url, upload_url=box.upload_url, oauth_2_url=f"{box.url}/api/oauth2"),
        retry_strategy=BoxRetryStrategy(max_attempts=1, max_retries_on_exception=0),
    )


@pytest.fixture
def client(box: Sandbox) -> BoxClient:
    """The service account, by JWT."""
    auth = BoxJWTAuth(JWTConfig.from_config_json_string(json.dumps(box.jwt_config)))
    return BoxClient(auth=auth, network_session=network(box))


def client_of(box: Sandbox, user_id: str) -> BoxClient:
    """Any user of the enterprise, by client credentials."""
    config = box.jwt_config["ccg"]
    auth = BoxCCGAuth(
        CCGConfig(client_id=config["client_id"], client_secret=config["client_secret"], user_id=user_id)
    )
    return BoxClient(auth=auth, network_session=network(box))


def make_folder(client: BoxClient, name: str, parent: str = "0") -> FolderFull:
    """A new folder through the SDK."""
    return client.folders.create_folder(name, CreateFolderParent(id=parent))


def upload(client: BoxClient, name: str, content: bytes, parent: str = "0", **dates: Any) -> FileFull:
    """A new file through the SDK."""
    attributes = UploadFileAttributes(name=name, parent=UploadFileAttributesParentField(id=parent), **dates)
    entries = client.uploads.upload_file(attributes, io.BytesIO(content)).entries
    assert entries is not None
    return entries[0]


class Raw:
    """Requests without an SDK, for what no SDK would send."""

    def __init__(self, box: Sandbox, user: Any = None) -> None:
        self.box = box
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {box.token(user)}"

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.box.url + path, timeout=30, **options)

    def folder(self, name: str, parent: str = "0") -> requests.Response:
        """POST /folders."""
        return self("POST", "/2.0/folders", json={"name": name, "parent": {"id": parent}})

    def upload(self, name: str, content: bytes = b"x", parent: str = "0", **extra: Any) -> requests.Response:
        """POST /files/content."""
        attributes = json.dumps({"name": name, "parent": {"id": parent}, **extra})
        files = {"attributes": (None, attributes), "file": ("f", content)}
        return self("POST", "/api/2.0/files/content", files=files)


@pytest.fixture
def raw(box: Sandbox) -> Iterator[Raw]:
    """The service account without an SDK."""
    made = Raw(box)
    yield made
    made.session.close()
