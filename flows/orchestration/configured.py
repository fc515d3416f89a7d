"""Which Prefect server runs are shown in, as Prefect's own settings say it, asked without Prefect where none is named.

Prefect looks at the environment, then at `.env`, `prefect.toml` and `pyproject.toml` in the current folder, then at the
active profile. None of that is interpreted here: this only sees that nothing there can name a server, and wherever
something may, Prefect itself says which.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: Beginnings of settings that neither name a server nor change what a run without one says.
HARMLESS = ("PREFECT_SERVER_", "PREFECT_CLIENT_", "PREFECT_HOME")


def api_url() -> str:
    """Return the address of the server's API; empty where none is configured. Imports Prefect unless that is sure."""
    if not may_be_configured():
        return ""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url or ""


def may_be_configured() -> bool:
    """False when nothing that Prefect reads can name a server."""
    # Stronger than every file.
    if os.environ.get("PREFECT_API_URL") == "":
        return False
    try:
        return _may_name(os.environ) or _in_this_folder() or _in_profile()
    except (
        OSError,
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
    ):  # whatever is wrong with a file, Prefect says it
        return True


def _may_name(settings: Iterable[str]) -> bool:
    """Prefect does not look at the case of a variable's name."""
    names = (name.upper() for name in settings)
    return any(name.startswith("PREFECT_") and not name.startswith(HARMLESS) for name in names)


def _in_this_folder() -> bool:
    return (
        Path("prefect.toml").exists()
        or b"PREFECT_" in _content(Path(".env")).upper()
        or "prefect" in _table(Path("pyproject.toml")).get("tool", {})
    )


def _in_profile() -> bool:
    """The active one; one that is active and not there stands for Prefect's default, which names none."""
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    profiles = _table(home / "profiles.toml")
    return _may_name(profiles.get("profiles", {}).get(profiles.get("active"), {}))


def _table(path: Path) -> dict[str, Any]:
    return tomllib.loads(_content(path).decode())


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
