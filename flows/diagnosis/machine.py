"""The machine and the program on it: versions, limits, clock, and which settings the environment has."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sqlite3
import ssl
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

#: Variables whose values say how things are shown, and nothing else.
SHOWN = frozenset(
    {
        "COLUMNS", "DO_NOT_TRACK", "LANG", "LC_ALL", "LC_CTYPE", "LINES", "NO_COLOR", "PREFECT_CLIENT_MAX_RETRIES",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "PREFECT_LOGGING_LEVEL", "PREFECT_SERVER_ANALYTICS_ENABLED",
        "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONUNBUFFERED", "PYTHONUTF8", "TERM", "TZ",
    }
)  # fmt: skip


def machine(folder: Path) -> dict[str, Any]:
    """Return what may matter of this machine; `folder`: where the checkpoint is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    disk = shutil.disk_usage(folder)
    return {
        "boxhaul": version("boxhaul"),
        "python": sys.version,
        "platform": platform.platform(),
        "libraries": {"sqlite": sqlite3.sqlite_version, "openssl": ssl.OPENSSL_VERSION},
        "processors": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load": list(os.getloadavg()),
        "open_files": {"soft": soft, "hard": hard},
        "disk": {"total": disk.total, "free": disk.free},
        "encoding": sys.getfilesystemencoding(),
        "clock": datetime.now(UTC).isoformat(timespec="seconds"),
        "zone": time.strftime("%Z %z"),
    }


def packages() -> dict[str, str]:
    """Return every distribution that is installed, with its version."""
    found = {each.name: each.version for each in distributions() if each.name}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def environment() -> dict[str, str | None]:
    """Return the names of all variables; the values of those alone that say how things are shown."""
    return {name: value if name in SHOWN else None for name, value in sorted(os.environ.items())}
