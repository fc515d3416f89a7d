"""One sandbox for the session, clean for every test; one big share, built once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.shares import build_big_share


@pytest.fixture(scope="session")
def session_box() -> Iterator[Sandbox]:
    """The sandbox of the session; it keeps sha1 and size, not content."""
    with Sandbox(content="hash", validate=True) as box:
        yield box


@pytest.fixture
def box(session_box: Sandbox) -> Sandbox:
    """A clean sandbox with one colleague in it; `assert_arrived` holds every call against Box's OpenAPI."""
    session_box.reset()
    session_box.add_user("ann@example.com", name="Ann Example")
    return session_box


@pytest.fixture(scope="session")
def big_share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3,000 files in 200 folders, three of them over 100 MB. Nobody may write to it."""
    root = tmp_path_factory.mktemp("big") / "share"
    root.mkdir()
    build_big_share(root)
    return root
