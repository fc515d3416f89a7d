"""Samples: what processes had done at which time, in a table that stays small, on both databases."""

from __future__ import annotations

from itertools import pairwise

import pytest

from connectors.box.types import Statistics
from flows.run.sampling import Sampling
from state.checkpoint import Checkpoint
from state.history_records import Done
from state.reports.history import at_work, samples
from state.statements import sampling
from tests.integration.state.scene import ManualClock, Scene


def done(calls: int) -> Done:
    """So many calls, a tenth of them too many, ten bytes each."""
    return Done(calls=calls, rate_limited=calls // 10, bytes_sent=calls * 10)


def test_table_stays_small_and_keeps_first_and_newest(
    scene: Scene, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weeks of samples of a long run: a bounded number, the older ones farther apart, and the sums as they were."""
    monkeypatch.setattr(sampling, "SAMPLES_KEPT", 40)
    for minute in range(500):
        clock.forward(60)
        scene.checkpoint.record_sample(scene.worker, done(minute))
    found = samples(scene.checkpoint, scene.plan_id)
    gaps = [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(found)]

    assert 20 <= len(found) <= 41
    assert (0, 499) == (found[0].done.calls, found[-1].done.calls)
    assert gaps[-1] == 60 < max(gaps)
    assert found == sorted(found, key=lambda sample: sample.at)


def test_thousands_of_short_runs_are_bounded_too(
    scene: Scene, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every process has two samples nothing can be thinned: the oldest runs go, and those of today stay."""
    monkeypatch.setattr(sampling, "SAMPLES_KEPT", 20)
    for number in range(60):
        clock.forward(600)
        worker = scene.checkpoint.register_worker(scene.plan_id, name=f"run {number}", lease_seconds=1)
        scene.checkpoint.record_sample(worker, done(0))
        scene.checkpoint.record_sample(worker, done(number), last=True)
    found = samples(scene.checkpoint, scene.plan_id)

    assert len(found) <= 21
    assert 59 == found[-1].done.calls


def test_killed_process_is_told_from_one_that_ended_and_one_that_runs(
    checkpoint: Checkpoint, scene: Scene, clock: ManualClock
) -> None:
    """Seen last when its last sample was written: it wrote no word of its end, and its lease is over."""
    checkpoint.record_sample(scene.worker, done(1))
    clock.forward(30)
    checkpoint.record_sample(scene.worker, done(2))
    seen_last = clock.now
    clock.forward(3_600)  # its lease is over
    second = checkpoint.register_worker(scene.plan_id, name="second")
    checkpoint.record_sample(second, done(5), last=True)
    checkpoint.release_worker(second)
    third = checkpoint.register_worker(scene.plan_id, name="third")
    checkpoint.record_sample(third, done(0))
    spans = at_work(checkpoint, scene.plan_id, samples(checkpoint, scene.plan_id))

    assert [(True, False), (False, False), (False, True)] == [(each.killed, each.running) for each in spans]
    assert seen_last == spans[0].ended


def test_plans_do_not_see_each_other(checkpoint: Checkpoint, scene: Scene) -> None:
    """Two plans in one database."""
    other = checkpoint.ensure_plan(name="other", source_url="file:///o", landing_folder_id="0")
    checkpoint.record_sample(scene.worker, done(1))

    assert [] == samples(checkpoint, other)


class Box:
    """What a process did in Box, as far as its samples ask."""

    def __init__(self) -> None:
        self.calls = 0

    def statistics(self) -> Statistics:
        """A call more each time that somebody asks."""
        self.calls += 1
        return Statistics(calls=self.calls)


def test_short_run_is_a_picture_and_a_long_one_few_rows(scene: Scene) -> None:
    """Asked each second: thirty samples of the first minute, one a minute from half an hour on, and one at the end."""
    now = 0.0
    sampling_ = Sampling(scene.checkpoint, scene.worker, Box(), clock=lambda: now)  # type: ignore[arg-type]
    counts = {}
    for second in range(3 * 3_600):
        now = float(second)
        sampling_.beat()
        if second in (60, 3_600, 7_200):
            counts[second] = len(samples(scene.checkpoint, scene.plan_id))
    sampling_.end()
    found = samples(scene.checkpoint, scene.plan_id)

    assert 25 <= counts[60] <= 31
    assert 55 <= counts[7_200] - counts[3_600] <= 60
    assert [True] == [sample.last for sample in found if sample.last]
    assert found[-1].last
