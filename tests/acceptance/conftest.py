"""One sandbox for the session, clean for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.box.sandbox import Sandbox


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
