"""Progress: rates, time left, and counts."""

from __future__ import annotations

from connectors.entry import Entry, EntryKind, Fingerprint
from flows.run.progress import Progress, Snapshot, eta_seconds
from state.diff import Change, ChangeKind
from state.records import Counts, Failed, KnownChild, TreeRecord, TreeReport, Uploaded
from state.statuses import ItemStatus, TreeState


def uploaded(number: int, size: int) -> Uploaded:
    return Uploaded(
        item_id=number,
        box_file_id=str(number),
        box_version_id=None,
        box_etag=None,
        box_name="a",
        sha1="0" * 40,
        entry=Entry(path="a", kind=EntryKind.FILE, size=size),
        adopted=False,
    )


def test_time_left_is_never_shorter_than_the_limit_allows() -> None:
    """A burst of the first minute does not promise what Box's limit forbids."""
    state = Snapshot(files_total=24_240, files_uploaded=0, files_per_second=100.0, bytes_total=0)

    assert 6000.0 == eta_seconds(state, uploads_per_minute=240)


def test_time_left_is_unknown_before_anything_was_sent() -> None:
    """Nothing measured, nothing promised."""
    assert eta_seconds(Snapshot(files_total=10), uploads_per_minute=240) is None


def test_counts_go_on_from_the_checkpoint() -> None:
    """A resumed run shows the whole plan, not only its own part."""
    now = [100.0]
    progress = Progress(uploads_per_minute=240, clock=lambda: now[0])
    files = Counts(total=13, excluded=2, waived=1, uploaded=4, failed=1, bytes_total=100, bytes_uploaded=40)
    progress.start_from([report(files, {"locked": 1, "access_denied": 1})])
    now[0] += 2
    progress.recorded([uploaded(1, 10), Failed(item_id=2, reason="locked", detail="", retry=True)])

    state = progress.snapshot()

    assert (10, 5, 1) == (state.files_total, state.files_uploaded, state.files_failed)
    assert 50 == state.bytes_uploaded
    assert 0.5 == state.files_per_second
    assert ({"locked": 1, "access_denied": 1}, 2) == (state.failures, state.failed)
    assert {"locked": 1} == state.tried_again


def test_what_is_sent_again_counts_once() -> None:
    """A second pass that sends a changed file, reads an unsettled one and misses another ends at "all of all"."""
    progress = Progress(uploads_per_minute=240)
    progress.start_from([report(Counts(total=3, uploaded=3, bytes_total=30, bytes_uploaded=30))])
    grown, same, gone = (known(number, 10) for number in (1, 2, 3))
    changes = [
        change(ChangeKind.CHANGED, grown, Entry(path="1", kind=EntryKind.FILE, size=25)),
        change(ChangeKind.CHANGED, same, Entry(path="2", kind=EntryKind.FILE, size=10)),
        change(ChangeKind.MISSING, gone, None),
    ]

    progress.walked([], changes)
    walked = progress.snapshot()
    progress.recorded([uploaded(1, 25), uploaded(2, 10)])
    ended = progress.snapshot()

    assert (2, 0, 35, 0) == sums(walked)
    assert (2, 2, 35, 35) == sums(ended)


def report(files: Counts, failures: dict[str, int] | None = None) -> TreeReport:
    """A tree of these files, and of nothing else."""
    tree = TreeRecord(
        id=1,
        name="A",
        source="A",
        folder="A",
        root_folder_id=1,
        box_folder_id=None,
        state=TreeState.MOVING,
        incomplete_reason=None,
        detail=None,
        verified=False,
    )
    return TreeReport(
        tree=tree, items=files, files=files, folders=Counts(), failures_by_reason=failures or {}
    )


def known(number: int, size: int) -> KnownChild:
    """A file that Box has."""
    return KnownChild(
        id=number,
        name=str(number),
        kind=EntryKind.FILE,
        box_name=str(number),
        status=ItemStatus.UPLOADED,
        reason=None,
        fingerprint=Fingerprint(size=size, modified_ns=1),
    )


def change(kind: ChangeKind, child: KnownChild, entry: Entry | None) -> Change:
    """What became of it."""
    return Change(kind=kind, name=child.name, entry=entry, known=child, box_name=child.box_name)


def sums(state: Snapshot) -> tuple[int, int, int, int]:
    """Files and bytes: all, uploaded."""
    return state.files_total, state.files_uploaded, state.bytes_total, state.bytes_uploaded
