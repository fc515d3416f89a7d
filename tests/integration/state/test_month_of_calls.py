"""The calls of this month, over all plans of one enterprise, and what was told of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import func, select, text

from state.database.history import Event
from state.history_records import Done
from state.statuses import EventKind
from tests.integration.state.scene import ManualClock, Scene

UPLOAD = "POST /files/content"


def called(scene: Scene, plan_id: int, count: int) -> None:
    """So many further calls of a plan."""
    scene.checkpoint.add_call_counts(plan_id, {UPLOAD: count})


def test_month_begins_at_nothing_and_plans_of_one_enterprise_count_together(
    scene: Scene, clock: ManualClock
) -> None:
    """A plan of another enterprise is its own affair."""
    ours = scene.plan_id
    second, other = (
        scene.checkpoint.ensure_plan(name=name, source_url="file:///x", landing_folder_id="0")
        for name in ("second", "other")
    )
    scene.checkpoint.database.write(
        lambda connection: connection.execute(
            text("update plans set enterprise_id = case when name = 'other' then '2' else '1' end")
        )
    )
    assert 0 == scene.checkpoint.calls_of_month(ours)
    for plan_id, count in ((ours, 70), (second, 7), (other, 1000)):
        called(scene, plan_id, count)
    assert 77 == scene.checkpoint.calls_of_month(ours) == scene.checkpoint.calls_of_month(second)

    clock.now = datetime(2026, 2, 1, tzinfo=UTC)
    assert 0 == scene.checkpoint.calls_of_month(second)
    called(scene, ours, 5)
    assert 5 == scene.checkpoint.calls_of_month(ours)


def test_month_that_nobody_asked_for_at_its_beginning_is_known_by_its_samples(
    scene: Scene, clock: ManualClock
) -> None:
    """An older version wrote down calls and samples; a run that began before the month counts from there on."""
    clock.now = datetime(2026, 1, 31, 23, tzinfo=UTC)
    scene.checkpoint.record_sample(scene.worker, Done(calls=100, rate_limited=0, bytes_sent=0))
    clock.forward(7_200)
    scene.checkpoint.record_sample(scene.worker, Done(calls=130, rate_limited=0, bytes_sent=0))
    called(scene, scene.plan_id, 430)
    assert 30 == scene.checkpoint.calls_of_month(scene.plan_id)


def test_each_part_is_told_once_a_month(scene: Scene, clock: ManualClock) -> None:
    """What is less than was told is told no more; looking alone is not telling."""
    told, record = scene.checkpoint.was_told, scene.checkpoint.record_told_of_calls
    assert not told(scene.plan_id, 80)
    assert not told(scene.plan_id, 80)
    record(scene.plan_id, 80)
    assert told(scene.plan_id, 80)
    assert not told(scene.plan_id, 95)
    record(scene.plan_id, 95)
    assert told(scene.plan_id, 80)
    clock.now = datetime(2026, 3, 1, tzinfo=UTC)
    assert not told(scene.plan_id, 80)


def test_what_two_plans_of_an_enterprise_told_is_written_down_once(scene: Scene) -> None:
    """Runs of several plans look by themselves, and may tell it both; what one told, the other need not tell later."""
    second = scene.checkpoint.ensure_plan(name="second", source_url="file:///x", landing_folder_id="0")
    scene.checkpoint.database.write(
        lambda connection: connection.execute(text("update plans set enterprise_id = '1'"))
    )
    plans = [scene.plan_id, second] * 2
    record = partial(scene.checkpoint.record_told_of_calls, percent=80)
    with ThreadPoolExecutor(len(plans)) as threads:
        list(threads.map(record, plans))
    rows = select(func.count()).where(Event.kind == EventKind.CALLS_USED_UP)
    written = scene.checkpoint.database.read(lambda connection: connection.execute(rows).scalar_one())
    assert 1 == written
    assert all(scene.checkpoint.was_told(each, 80) for each in plans)
