"""Files that are made anew for their owner alone, and take the place of earlier ones once all of them are whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def replacing(paths: Sequence[Path]) -> Iterator[list[TextIO]]:
    """Open a new file for each path; they take the place of what is there at the end, the first of them last.

    What was there stays as it is until then, and when the body raises. A link that lies there is replaced, and what it
    leads to is not touched. Line ends are written as they are. OSError.
    """
    fresh = [path.with_name(f".{path.name}.{secrets.token_hex(8)}") for path in paths]
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(create_private(path)) for path in fresh]
        for new, path in reversed(list(zip(fresh, paths, strict=True))):
            new.replace(path)
    finally:
        for new in fresh:
            new.unlink(missing_ok=True)


def create_private(path: Path) -> TextIO:
    """Make a text file that nobody else may read. FileExistsError when anything, a link too, has the name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(
        os.open(path, flags, 0o600), "w", encoding="utf-8", errors="backslashreplace", newline=""
    )
