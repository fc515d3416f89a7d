"""Own folder: one that a command makes anew each time, without ever taking away what somebody else put there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.errors import PlanError


def take_own_folder(folder: Path, marker: str, *, said_by: str) -> None:
    """See to a folder for one command alone: new, empty, or one of an earlier run of it. PlanError for any other.

    `marker`: the first file in it, by which a later run knows it. `said_by`: the command.
    """
    with _usable(folder, said_by):
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / marker).is_file():
            return
        if next(folder.iterdir(), None) is not None:
            raise PlanError(
                f"--folder: {folder} holds files that no {said_by} wrote; name a new or empty folder"
            )
        (folder / marker).write_text(
            f"boxhaul {said_by}: what the {said_by} made in this folder is made anew by the next one\n"
        )


def clear_own_folder(folder: Path, made: Iterable[str], *, said_by: str) -> None:
    """Take away what an earlier run made there; `made`: globs of it. PlanError when that cannot be."""
    with _usable(folder, said_by):
        for path in (path for pattern in made for path in folder.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextmanager
def _usable(folder: Path, said_by: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise PlanError(f"--folder: {folder} cannot be used for the {said_by} ({exc.strerror})") from exc
