"""Reading: files of the share read and hashed again, all or some of them at random. Writes nothing."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from connectors.entry import EntryKind, Fingerprint
from connectors.errors import ChangedWhileReading, NotFound
from connectors.source import Source
from flows.reconciliation.at_source import source_key
from flows.reconciliation.comparison import Comparison
from flows.reconciliation.differences import Difference, DifferenceKind
from flows.reconciliation.sampling import Sampler, confidence_words
from flows.transfer.outcomes import Outcome, failure_of, outcome_of
from flows.transfer.sending import Reading
from state.kept_records import KeptChild
from state.records import ClaimedItem, FolderNode, TreeRecord
from state.reports.contents import folders_in_box, kept_children

#: A file that changes while it is read is read once more.
TRIES = 2


@dataclass
class ReadAgain:
    """What was read again so far. For threads."""

    #: Files that could be read.
    total: int = 0
    files: int = 0
    bytes: int = 0
    #: Of those: other bytes than were sent, or not to be read.
    differing: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, size: int, *, differs: bool) -> None:
        """One more file."""
        with self._lock:
            self.files += 1
            self.bytes += size
            self.differing += differs

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        words = confidence_words(self.files, self.differing, self.total)
        return {
            "files": self.files,
            "of": self.total,
            "bytes": self.bytes,
            "differing": self.differing,
            "confidence": words,
        }


def read_again(comparison: Comparison, source: Source, share: float) -> ReadAgain:
    """Read `share` (up to 1) of the files that were sent, chosen at random over all trees, and compare their sha1."""
    reports = comparison.access.checkpoint.tree_reports([tree.id for tree in comparison.trees])
    found = ReadAgain(total=sum(report.files.uploaded for report in reports))
    sampler = Sampler(found.total, share, secrets.randbits(64))
    comparison.ledger.begin("reading the share again", sampler.wanted)
    comparison.run(_jobs(comparison, source, comparison.trees, sampler, found))
    return found


def _jobs(
    comparison: Comparison,
    source: Source,
    trees: Sequence[TreeRecord],
    sampler: Sampler,
    found: ReadAgain,
) -> Iterator[Callable[[], None]]:
    checkpoint = comparison.access.checkpoint
    for tree in trees:
        for folder in folders_in_box(checkpoint, tree.id):
            for child in kept_children(checkpoint, folder.id):
                sent = child.kind is EntryKind.FILE and child.required
                if sent and sampler.takes_next():
                    yield partial(_read, comparison, source, folder, child, found)


def _read(
    comparison: Comparison, source: Source, folder: FolderNode, child: KeptChild, found: ReadAgain
) -> None:
    path = f"{folder.path}/{child.name}".lstrip("/")
    difference, size = None, 0
    try:
        reading, sha1 = _hashed(comparison, source, _item(folder, child, path))
        size = reading.before.size
        if sha1 != child.sha1:
            difference = _other_bytes(path, child, reading, sha1)
    except NotFound as exc:
        difference = Difference(kind=DifferenceKind.MISSING_AT_SOURCE, path=path, detail=str(exc))
    except Exception as exc:
        if outcome_of(exc) not in (Outcome.FAILED, Outcome.AGAIN):
            raise
        kind = DifferenceKind.UNREADABLE_AT_SOURCE
        difference = Difference(kind=kind, path=path, detail=failure_of(exc)[1])
    if difference is not None:
        comparison.ledger.add_once(difference, source_key(path))
    found.add(size, differs=difference is not None)
    comparison.ledger.compared()


def _hashed(comparison: Comparison, source: Source, item: ClaimedItem) -> tuple[Reading, str]:
    for tries_left in reversed(range(TRIES)):
        try:
            reading = Reading(source, comparison.stop, item)
            return reading, reading.sha1()
        except ChangedWhileReading:
            if not tries_left:
                raise
    raise AssertionError


def _item(folder: FolderNode, child: KeptChild, path: str) -> ClaimedItem:
    """The file as a sender would be handed it."""
    return ClaimedItem(
        id=0,
        tree_id=folder.tree_id,
        folder_id=folder.id,
        path=path,
        box_name=child.box_name,
        size=child.size,
        fingerprint=child.fingerprint or Fingerprint(size=child.size, modified_ns=child.modified_ns),
        modified_ns=child.modified_ns,
        created_ns=None,
        box_file_id=child.box_id,
        box_etag=None,
        attempts=0,
    )


def _other_bytes(path: str, child: KeptChild, reading: Reading, sha1: str) -> Difference:
    """Other bytes under the same size and times are no change that anybody made by the usual means."""
    now = reading.before.fingerprint
    same = child.fingerprint is not None and child.fingerprint.same_content_as(now)
    kind = DifferenceKind.ALTERED_AT_SOURCE if same else DifferenceKind.CHANGED_AT_SOURCE
    detail = f"read were {now.size:,} bytes, sha1 {sha1}; sent were {child.size:,} bytes, sha1 {child.sha1}"
    return Difference(kind=kind, path=path, box_id=child.box_id, detail=detail)
