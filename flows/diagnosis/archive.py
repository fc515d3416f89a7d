"""Archive: a new .tar.gz for its owner alone, whose texts all pass one redactor. Half of one is never left behind."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.diagnosis.redaction import Redactor
from flows.errors import PlanError


class Archive:
    """Texts by name, in one folder of the archive."""

    def __init__(self, tar: tarfile.TarFile, folder: str, redactor: Redactor) -> None:
        self._tar, self._folder, self._redactor = tar, folder, redactor
        #: What each file is, in their order.
        self.index: list[tuple[str, str]] = []

    def add_text(self, name: str, what: str, text: str) -> None:
        """Add a text without its secrets; `what`: a few words for the index."""
        self._add(name, what, self._redactor.text(text))

    def add_json(self, name: str, what: str, document: Any) -> None:
        """Add a document without its secrets."""
        self._add(name, what, json.dumps(self._redactor.document(document), indent=2, default=str) + "\n")

    def _add(self, name: str, what: str, text: str) -> None:
        content = text.encode("utf-8", "backslashreplace")
        entry = tarfile.TarInfo(f"{self._folder}/{name}")
        entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
        self._tar.addfile(entry, io.BytesIO(content))
        self.index.append((name, what))


@contextmanager
def new_archive(file: Path, redactor: Redactor) -> Iterator[Archive]:
    """Write an archive at this path while the body lasts. PlanError when a file is there, or it cannot be written."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise PlanError(f"--out: {file} is there already, and nothing is overwritten") from None
    except OSError as exc:
        raise PlanError(f"--out: {file} cannot be written ({exc.strerror})") from None
    try:
        with os.fdopen(descriptor, "wb") as output, tarfile.open(fileobj=output, mode="w:gz") as tar:
            yield Archive(tar, file.name.removesuffix(".tar.gz"), redactor)
    except BaseException as exc:
        file.unlink(missing_ok=True)
        if isinstance(exc, OSError):
            raise PlanError(f"--out: {file} cannot be written ({exc.strerror})") from None
        raise
