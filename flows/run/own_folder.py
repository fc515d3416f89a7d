"""Own folder: one that a command makes anew each time, without ever taking away what somebody else put there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from flows.errors import PlanError


def clear_own_folder(folder: Path, marker: str, made: Iterable[str], *, said_by: str) -> None:
    """See to a folder for one command alone: new, empty, or one of an earlier run of it, whose files go.

    `marker`: the first file in it; without that nothing is taken away. `made`: globs of what the command makes there.
    `said_by`: the command. PlanError for a folder that holds anything else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / marker).is_file():
            if next(folder.iterdir(), None) is not None:
                raise PlanError(
                    f"--folder: {folder} holds files that no {said_by} wrote; name a new or empty folder"
                )
            (folder / marker).write_text(
                f"boxhaul {said_by}: what the {said_by} made in this folder is made anew by the next one\n"
            )
        for path in (path for pattern in made for path in folder.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as exc:
        raise PlanError(f"--folder: {folder} cannot be used for the {said_by} ({exc.strerror})") from exc
