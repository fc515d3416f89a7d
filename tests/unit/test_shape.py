"""What the report's pictures show of the files, gathered in one pass; and the course of a migration over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from connectors.errors import ItemError, TransientError
from flows.plan.model import MigrationPlan
from flows.reporting.advice import ADVICE, advice_for
from flows.reporting.course import Course, course_of
from flows.reporting.shape import FOLDERS_SHOWN, IN_BOX, STEPS, Arrivals, Shape
from state.history_records import AtWork, Done, Sample
from state.statuses import ItemStatus

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class File(NamedTuple):
    """One file of the tree "A"."""

    path: str
    size: int
    status: ItemStatus
    #: Seconds after NOW at which it arrived; None: not known.
    at: float | None

    @property
    def folder(self) -> str:
        """Where it is."""
        return self.path.rpartition("/")[0]


def file(path: str, *, size: int = 1, at: float | None = 0, status: ItemStatus = ItemStatus.UPLOADED) -> File:
    """One file."""
    return File(path, size, status, at)


def tree() -> dict[str, Any]:
    """A tree of the status document."""
    return {"name": "A", "source": "A", "in_plan": True, "bytes": {"total": 100}}


def fill(shape: Shape, files: Sequence[File]) -> None:
    """Show these files to it, as the checkpoint does."""
    folders = list(dict.fromkeys(each.folder for each in files))
    shape.take_files(
        ("A", folders.index(each.folder), each.status, each.size, None,
         None if each.at is None else NOW.timestamp() + each.at)
        for each in sorted(files, key=lambda each: folders.index(each.folder))
    )  # fmt: skip
    tops = [(each.path.split("/")[1] if each.path.count("/") > 1 else "", each) for each in files]
    shape.take_folders(("A", top, each.status, each.size) for top, each in sorted(tops))
    shape.name_slowest({folder: folders[folder] for folder in shape.slow_folders()})


def shape_of(*files: File) -> Shape:
    """The shape of a share with these files."""
    shape = Shape([tree()], now=NOW, shown=3)
    fill(shape, files)
    return shape


def test_largest_folders_of_a_tree_are_kept_and_the_others_are_one() -> None:
    """However many folders a tree has, a few are kept by name, and no byte is lost."""
    files = [file(f"A/folder {number:04}/f", size=number) for number in range(1, 2_001)]
    shape = shape_of(file("A/own", size=5), *files)
    folders = shape.folders["A"]

    assert FOLDERS_SHOWN + 1 == len(folders)
    assert 2_000 in {sizes[IN_BOX] for name, sizes in folders.items() if name}
    assert (
        sum(range(1, 2_001)) + 5
        == sum(sizes.total() for sizes in folders.values())
        == shape.trees["A"].total()
    )


def test_arrivals_are_bounded_and_keep_their_sum() -> None:
    """Weeks of arrivals: a bounded number of steps, every file in one of them."""
    arrivals = Arrivals()
    for number in range(20_000):
        arrivals.add((NOW + timedelta(seconds=137 * number)).timestamp(), 3)
    arrivals.add(None, 7)

    assert STEPS / 4 < len(arrivals.steps) <= STEPS
    assert (20_000, 60_000) == (
        sum(amount.files for amount in arrivals.steps.values()),
        sum(amount.size for amount in arrivals.steps.values()),
    )
    assert 7 == arrivals.before.size


def test_pause_makes_no_folder_slow() -> None:
    """A folder that waited a night for the next run is not slow; one in which each file took long is."""
    shape = shape_of(
        file("A/slow/1", at=0), file("A/slow/2", at=300), file("A/slow/3", at=500),
        file("A/waited/1", at=0), file("A/waited/2", at=80_000), file("A/waited/3", at=80_010),
    )  # fmt: skip

    assert [("A/slow", 500), ("A/waited", 10)] == [(each.path, each.seconds) for each in shape.slowest]


def test_every_reason_of_an_entry_has_advice() -> None:
    """Whatever fails one entry: the report says what to do, and no two reasons by accident the same."""
    reasons, kinds = set(), [ItemError, TransientError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        reasons.add(kind.reason)

    # Of a run that stops, and of a session that is begun anew: no entry fails for these.
    assert set() == reasons - set(ADVICE) - {"stopped", "session_gone"}
    assert advice_for("something new") == ADVICE["item_error"]


PLAN = MigrationPlan.model_validate(
    {
        "name": "p",
        "source": {"url": "file:///s"},
        "box": {"auth": {"method": "jwt", "config_file": "c.json"}, "limits": {"uploads_per_minute": 60}},
        "state_url": "sqlite:///s.db",
        "trees": [{"source": "A"}],
    }
)


def course(
    *, uploaded: int, pending: int, samples: list[Sample], spans: list[AtWork], arrived: list[float]
) -> Course:
    """The course of a plan with so many files."""
    arrivals = Arrivals()
    for at in arrived:
        arrivals.add((NOW + timedelta(seconds=at)).timestamp(), 10)
    counts = {
        "total": uploaded + pending,
        "uploaded": uploaded,
        "pending": pending,
        "excluded": 0,
        "waived": 0,
    }
    totals = {"files": counts, "bytes": {"total": 10 * (uploaded + pending), "uploaded": 10 * uploaded}}
    found = course_of(PLAN, {"totals": totals}, arrivals, samples, spans)
    assert found is not None
    return found


def at(seconds: float) -> datetime:
    """A time."""
    return NOW + timedelta(seconds=seconds)


def span(began: float, ended: float, *, killed: bool = False) -> AtWork:
    """A process at work."""
    return AtWork(began=at(began), ended=at(ended), killed=killed, running=False)


def sample(worker: int, when: float, calls: int, limited: int = 0) -> Sample:
    """What a process had done."""
    return Sample(
        worker_id=worker, at=at(when), done=Done(calls=calls, rate_limited=limited, bytes_sent=0), last=False
    )


def test_course_has_every_call_pauses_and_kills() -> None:
    """Two processes at once, a kill, a pause of an hour, and a third: no call is lost or counted twice."""
    samples = [
        sample(1, 0, 3), sample(1, 600, 603, 2), sample(2, 300, 0), sample(2, 900, 100, 1), sample(3, 4_500, 0),
        sample(3, 5_000, 40),
    ]  # fmt: skip
    spans = [span(0, 600, killed=True), span(300, 900), span(4_500, 5_000)]
    found = course(uploaded=3, pending=0, samples=samples, spans=spans, arrived=[10, 630, 4_600])

    assert 743 == pytest.approx(sum(each.calls for each in found.intervals))
    assert 3 == sum(each.rate_limited for each in found.intervals)
    assert 3 == sum(each.arrived.files for each in found.intervals)
    assert [(at(900).timestamp(), at(4_500).timestamp())] == found.pauses
    assert [at(631).timestamp()] == found.kills, "it sent a file after its last sample"
    assert 1_400 == found.seconds_at_work


def test_forecasts_by_the_limits_and_at_the_pace_there_was() -> None:
    """60 uploads a minute: 1,000 files last 1,000 s at least; at a file each 10 s the other 900 last 9,000."""
    found = course(uploaded=100, pending=900, samples=[], spans=[span(0, 1_000)], arrived=[5.0] * 100)
    limits, pace = found.forecasts

    assert [(at(0).timestamp(), 0), (at(1_000).timestamp(), 1_000)] == list(limits.points)
    assert [(at(1_000).timestamp(), 100), (at(10_000).timestamp(), 1_000)] == list(pace.points)


def test_nothing_has_no_course() -> None:
    """Before anything was sent or sampled there is nothing to draw."""
    assert course_of(PLAN, {"totals": {}}, Arrivals(), [], []) is None
