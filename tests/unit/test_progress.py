"""Progress: rates, time left, and counts."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from connectors.box.config import BoxConfig, UploadLimits
from connectors.entry import Entry, EntryKind, Fingerprint
from flows.orchestration.terminal import picture
from flows.run.forecast import left_words, seconds_at_least, seconds_left, uploads_per_minute
from flows.run.progress import Progress, Snapshot, bytes_words
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


def left(files: int, size: int = 0, *, files_rate: float = 0.0, bytes_rate: float = 0.0) -> float | None:
    """Seconds left at Box's published limit."""
    return seconds_left(
        files=files,
        size=size,
        files_per_second=files_rate,
        bytes_per_second=bytes_rate,
        uploads_per_minute=240,
    )


def test_time_left_is_never_shorter_than_the_limit_allows() -> None:
    """A burst of the first minute does not promise what Box's limit forbids."""
    assert 6000.0 == left(24_000, files_rate=100.0)


def test_a_shorter_minute_of_a_sandbox_counts() -> None:
    """Where its minute lasts six seconds, ten times as much is sent in one of ours, by each user."""
    limits = UploadLimits(uploads_per_minute=240, window_seconds=6.0)
    box = BoxConfig.model_validate(
        {"auth": {"method": "jwt", "config_file": "box.json"}, "limits": limits, "identities": ["1", "2"]}
    )
    assert (4800.0, 2400.0) == (uploads_per_minute(box), uploads_per_minute(box, 1))
    assert 5.0 == seconds_at_least(400, box)


def test_time_left_is_unknown_before_anything_was_sent() -> None:
    """Nothing measured, nothing promised; bytes on their way are enough to go by."""
    assert left(10, 100) is None
    assert 50.0 == left(1, 100, bytes_rate=2.0)


@pytest.mark.parametrize(
    ("seconds", "walks_on", "words"),
    [
        (None, True, "time left unknown yet"),
        (0.0, True, "time left unknown yet"),
        (0.0, False, "nothing left to send"),
        (120.0, True, "at least 2 min left"),
        (120.0, False, "about 2 min left"),
    ],
)
def test_time_left_in_words(seconds: float | None, walks_on: bool, words: str) -> None:
    """While the share is still walked nobody knows what is to come."""
    assert words == left_words(seconds, walks_on=walks_on)


@pytest.mark.parametrize(("phase", "told"), [("checking", False), ("walking and sending", True)])
def test_time_left_is_not_told_before_the_walk(phase: str, told: bool) -> None:
    """Nothing was listed yet, so that nothing is known to be sent: that is no news for who waits."""
    console = Console(width=80, file=io.StringIO())
    console.print(picture("p", Snapshot(phase=phase, eta_seconds=0.0)))
    assert told is ("nothing left to send" in console.file.getvalue())  # type: ignore[attr-defined]


def test_large_file_on_its_way_counts() -> None:
    """Its bytes count while they leave; what an earlier run sent of it is no rate of this one."""
    now = [0.0]
    progress = Progress(uploads_per_minute=240, clock=lambda: now[0])
    progress.start_from([report(Counts(total=1, bytes_total=300_000_000))])
    for second in range(1, 11):
        now[0] = float(second)
        progress.called(calls=second, rate_limited=0, bytes_sent=10_000_000 * second)
        state = progress.snapshot()
    assert (100_000_000, 10_000_000.0, 20.0) == (
        state.bytes_under_way,
        state.bytes_per_second,
        state.eta_seconds,
    )
    assert "100 MB on their way" in bytes_words(state)
    progress.recorded([uploaded(1, 300_000_000)])
    state = progress.snapshot()
    assert (300_000_000, 0, 10_000_000.0, 0.0) == (
        state.bytes_uploaded,
        state.bytes_under_way,
        state.bytes_per_second,
        state.eta_seconds,
    )


def test_nothing_is_on_its_way_once_it_has_ended() -> None:
    """Though what left for Box is told after the files that it was of."""
    progress = Progress(uploads_per_minute=240)
    progress.recorded([uploaded(1, 300)])
    progress.called(calls=1, rate_limited=0, bytes_sent=300)

    progress.end("complete")

    assert ("complete", 0) == (progress.snapshot().phase, progress.snapshot().bytes_under_way)


def test_forecast_of_a_steady_run_is_right() -> None:
    """Under Box's limit, from the first quarter on, it is never more than a tenth off."""
    now = [0.0]
    progress = Progress(uploads_per_minute=240, clock=lambda: now[0])
    progress.start_from([report(Counts(total=2_400, bytes_total=2_400_000))])
    for second in range(1, 600):
        now[0] = float(second)
        progress.called(calls=second, rate_limited=0, bytes_sent=4_000 * second)
        if second % 5 == 0:  # results are written down some at a time
            progress.recorded([uploaded(number, 1_000) for number in range(20)])
        state = progress.snapshot()
        if 150 <= second < 550:
            assert state.eta_seconds is not None
            assert abs(state.eta_seconds - (600 - second)) <= 0.1 * (600 - second), second


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
