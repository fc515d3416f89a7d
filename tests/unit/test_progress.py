"""Progress: rates, time left, and counts."""

from __future__ import annotations

from connectors.entry import Entry, EntryKind
from flows.run.progress import Progress, Snapshot, eta_seconds
from state.records import Counts, Failed, Uploaded


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
    progress.start_from([Counts(total=10, uploaded=4, failed=1, bytes_total=100, bytes_uploaded=40)])
    now[0] += 2
    progress.recorded([uploaded(1, 10), Failed(item_id=2, reason="locked", detail="", retry=True)])

    state = progress.snapshot()

    assert (10, 5, 1) == (state.files_total, state.files_uploaded, state.files_failed)
    assert 50 == state.bytes_uploaded
    assert 0.5 == state.files_per_second
    assert {"locked": 1} == state.failures
