"""Duplicates: files of one size, and of one content where they are read, with the space that the copies take."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from connectors.errors import ConnectorError, FatalError, Stopped
from connectors.source import Source
from flows.foresight.findings import FindingKind, Findings
from flows.words import counted, size_words
from state.database.scratch import Alike, FileSizes

#: Files that are read, or wait to be, at a time.
FILES_AT_ONCE = 256
BLOCK = 1 << 20


def find_same_size(sizes: FileSizes, findings: Findings) -> None:
    """Write down each group of files that have one size: those beyond the first may be copies."""
    _tell(sizes.same_size(), findings, FindingKind.SAME_SIZE)


def find_same_content(
    sizes: FileSizes,
    source: Source,
    findings: Findings,
    *,
    threads: int,
    stop: threading.Event,
    tell: Callable[[int], object],
) -> None:
    """Read every file that shares its size with another one, and write down each group of equal ones.

    What cannot be read is a finding. `tell` is called with how many were read. Raises FatalError, Stopped.
    """
    done, candidates = 0, sizes.of_shared_size()
    with ThreadPoolExecutor(threads, thread_name_prefix="hash") as pool:
        while batch := list(islice(candidates, FILES_AT_ONCE)):
            read = list(pool.map(lambda each: _digest(source, each[1], stop), batch))
            for (_, path, size), result in zip(batch, read, strict=True):
                if isinstance(result, FatalError | Stopped):
                    raise result
                if isinstance(result, ConnectorError):
                    findings.add(FindingKind.UNREADABLE, path, size, result.reason)
            found = [
                (number, digest)
                for (number, _, _), digest in zip(batch, read, strict=True)
                if isinstance(digest, bytes)
            ]
            sizes.record_digests(found)
            done += len(batch)
            tell(done)
    _tell(sizes.same_content(), findings, FindingKind.SAME_CONTENT)


def _tell(groups: Iterator[Alike], findings: Findings, kind: FindingKind) -> None:
    for group in groups:
        copies = group.files - 1
        detail = f"{counted(group.files, 'file')} of {size_words(group.size)}, as {group.first}"
        findings.add(kind, group.last, copies * group.size, detail, count=copies)


def _digest(source: Source, path: str, stop: threading.Event) -> bytes | ConnectorError:
    """SHA-1 of the file's bytes, or why there is none."""
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        with source.open(path) as file:
            while block := file.read(BLOCK):
                if stop.is_set():
                    return Stopped()
                digest.update(block)
    except ConnectorError as exc:
        return exc
    return digest.digest()
