"""What a command of ours says, asked as a process of its own: whatever it waits for or dies of ends nothing here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

#: Seconds that one has; a Box or share that does not answer by then is said not to.
PATIENCE_SECONDS = 120.0


def asked(
    command: str, plan: Path, *, seconds: float = PATIENCE_SECONDS, with_server: bool = False
) -> dict[str, Any]:
    """Return the document of `boxhaul COMMAND PLAN --json`; where there is none, a document with the key `error`.

    `with_server`: as a run of the Prefect server that is configured, whose blocks a plan may need; else without any,
    since that may be what is wrong.
    """
    process = subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", resolve_name("..cli", __package__), command, str(plan), "--json"],
        env=dict(os.environ) if with_server else {**os.environ, "PREFECT_API_URL": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {seconds:.0f} s", "exit_code": None}
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    try:
        document = json.loads(stdout)
    except ValueError:
        document = {"error": stderr.strip() or "it said nothing"}
    return {**document, "exit_code": process.returncode}
