"""Survey: what a plan still has to send, from the checkpoint where the share was walked, else by looking at the share.

Bounded in time: a share of 20 million files is not walked to answer a question.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from connectors.entry import Entry, EntryKind
from connectors.errors import ConnectorError, FatalError, NotFound
from connectors.source import Source
from state.checkpoint import Checkpoint
from state.records import TreeRecord

#: Folders listed at a time.
FOLDERS_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What is still to be sent."""

    files: int = 0
    #: Bytes of all of them.
    size: int = 0
    #: Bytes of the largest one, and where it is when that is known.
    largest: int = 0
    largest_path: str = ""
    #: False: there is more than was seen.
    exact: bool = True
    #: Trees of the plan that the share does not have.
    missing: tuple[str, ...] = ()


def needs_by_checkpoint(checkpoint: Checkpoint, walked: Sequence[TreeRecord]) -> Needs:
    """What the checkpoint knows to be missing in Box of these trees, which were walked to their end."""
    counts = [report.files for report in checkpoint.tree_reports([tree.id for tree in walked])]
    return Needs(
        files=sum(count.pending + count.failed for count in counts),
        size=sum(count.bytes_total - count.bytes_uploaded for count in counts),
        largest=checkpoint.largest_open_file([tree.id for tree in walked]),
    )


def add_needs(one: Needs, other: Needs) -> Needs:
    """Both together."""
    larger = max(one, other, key=lambda needs: needs.largest)
    return Needs(
        files=one.files + other.files,
        size=one.size + other.size,
        largest=larger.largest,
        largest_path=larger.largest_path,
        exact=one.exact and other.exact,
        missing=(*one.missing, *other.missing),
    )


def needs_by_survey(
    source: Source,
    roots: Sequence[str],
    excluded: Callable[[Entry], str | None],
    *,
    seconds: float,
    enough: Callable[[Needs], bool] = lambda needs: False,
    look: Callable[[str, Sequence[Entry] | ConnectorError], object] = lambda path, listing: None,
    clock: Callable[[], float] = time.monotonic,
) -> Needs:
    """List the share from these folders down until all is seen, enough is known, or the time is over.

    `look` is handed each folder's listing, or why there is none. Raises FatalError when the share is gone.
    """
    until = clock() + seconds
    needs, waiting = Needs(), list(dict.fromkeys(roots))
    while waiting:
        if enough(needs) or clock() > until:
            return replace(needs, exact=False)
        # From the end: depth first, so that few folders wait at a time.
        batch, waiting = waiting[-FOLDERS_AT_ONCE:], waiting[:-FOLDERS_AT_ONCE]
        for path, listing in source.list_folders(batch):
            look(path, listing)
            if isinstance(listing, ConnectorError):
                needs = _not_listed(needs, path, listing, roots)
                continue
            moving = [entry for entry in listing if entry.skip_reason is None and excluded(entry) is None]
            waiting += [entry.path for entry in moving if entry.kind is EntryKind.FOLDER]
            needs = _with_files(needs, [entry for entry in moving if entry.kind is EntryKind.FILE])
    return needs


def _not_listed(needs: Needs, path: str, error: ConnectorError, roots: Sequence[str]) -> Needs:
    if isinstance(error, FatalError):
        raise error
    if path in roots and isinstance(error, NotFound):
        return replace(needs, missing=(*needs.missing, path))
    return needs


def _with_files(needs: Needs, files: Sequence[Entry]) -> Needs:
    if not files:
        return needs
    largest = max(files, key=lambda entry: entry.size)
    bigger = largest.size > needs.largest
    return replace(
        needs,
        files=needs.files + len(files),
        size=needs.size + sum(entry.size for entry in files),
        largest=largest.size if bigger else needs.largest,
        largest_path=largest.path if bigger else needs.largest_path,
    )


def without_what_arrived(needs: Needs, checkpoint: Checkpoint, trees: Sequence[TreeRecord]) -> Needs:
    """A survey sees files that are in Box already; the checkpoint knows how much that is."""
    counts = [report.files for report in checkpoint.tree_reports([tree.id for tree in trees])]
    return replace(
        needs,
        files=max(0, needs.files - sum(count.uploaded for count in counts)),
        size=max(0, needs.size - sum(count.bytes_uploaded for count in counts)),
    )
