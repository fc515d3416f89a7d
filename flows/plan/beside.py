"""Beside a plan: the file `.env` with what its `${NAME}` references stand for. Read for one plan at a time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from flows.errors import PlanError

NAME = ".env"
MAX_BYTES = 64 * 1024


def values_beside(plan: Path, names: Iterable[str]) -> dict[str, str]:
    """Return what the `.env` in the plan's folder says of these names and the environment does not.

    Nothing else of it is looked at. PlanError when others may read or change it.
    """
    wanted = {name for name in names if name not in os.environ}
    file = plan.resolve().parent / NAME
    if not wanted or not file.exists():
        return {}
    return {name: value for name, value in _values(file).items() if name in wanted}


def _values(file: Path) -> Mapping[str, str]:
    try:
        with file.open(encoding="utf-8") as opened:
            facts = os.fstat(opened.fileno())
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_BYTES:
                raise PlanError(f"{file}: is no file of NAME=value lines")
            if facts.st_mode & 0o077:
                raise PlanError(f"{file}: others may read it, and it holds secrets; chmod 600 {file}")
            if facts.st_uid not in (os.geteuid(), 0):
                raise PlanError(f"{file}: belongs to another user, who could change what the plan means")
            text = opened.read()
    except OSError as exc:
        raise PlanError(f"{file}: cannot be read ({exc.strerror})") from None
    except UnicodeDecodeError:
        raise PlanError(f"{file}: is not UTF-8 text") from None
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def write_beside(plan: Path, name: str, value: str) -> Path | None:
    """Write a `.env` with this one secret beside the plan, for its owner alone; None, and nothing done, where one is
    there already. PlanError."""
    file = plan.resolve().parent / NAME
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    try:
        write_new(file, f"{name}='{quoted}'\n", mode=0o600)
    except FileExistsError:
        return None
    return file


def write_new(file: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a file that is not there yet. FileExistsError; PlanError when it cannot be written."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise
    except OSError as exc:
        raise PlanError(f"{file}: cannot be written ({exc.strerror})") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
