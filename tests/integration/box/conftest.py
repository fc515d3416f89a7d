"""One sandbox for all tests of the Box connector; every test begins with an empty Box."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.client.curl import EasyHandles
from connectors.box.client.trust import Trust
from connectors.box.config import BoxConfig, JWTAuthConfig, UploadLimits
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox


@pytest.fixture(scope="session")
def running_box() -> Iterator[Sandbox]:
    """The sandbox, holding every request and answer against Box's OpenAPI."""
    with Sandbox(validate=True) as box:
        yield box


@pytest.fixture
def box(running_box: Sandbox) -> Iterator[Sandbox]:
    """An empty Box; a request that Box would refuse for its form fails the test."""
    running_box.reset()
    running_box.faults.clear()
    running_box.calls.reset()
    running_box.violations.clear()
    yield running_box
    # Answers are the sandbox's own business: Box's pending grants show null where its OpenAPI allows none.
    assert [] == [each for each in running_box.violations if each.kind != "answer"]


@pytest.fixture
def config(box: Sandbox) -> BoxConfig:
    """How to reach it, with waits shortened. Upload sessions begin at 5,000 bytes, which a plan file may not say."""
    box.settings.min_session_size = 1
    box.settings.part_size = 1000
    return BoxConfig(
        auth=JWTAuthConfig(config=json.dumps(box.jwt_config)),
        base_url=box.url,
        upload_url=box.upload_url,
        limits=UploadLimits(uploads_per_minute=10_000, calls_per_minute=50_000, backoff_seconds=0.001),
    ).model_copy(update={"direct_upload_limit_bytes": 5000})


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def destination(config: BoxConfig, stop: threading.Event) -> Iterator[BoxDestination]:
    with BoxDestination(config, stop=stop) as destination:
        yield destination


@pytest.fixture
def config_file(box: Sandbox, tmp_path: Path) -> Path:
    path = tmp_path / "box_config.json"
    box.write_config(path)
    return path


@pytest.fixture
def handles() -> Iterator[EasyHandles]:
    handles = EasyHandles(Trust(), {})
    yield handles
    handles.close()
