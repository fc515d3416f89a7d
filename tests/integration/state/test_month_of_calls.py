"""The calls of this month, over all plans of one enterprise, and what was told of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy import text

from state.history_records import Done
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
    """What is less than was told is told no more."""
    told = scene.checkpoint.is_first_told
    assert told(scene.plan_id, 80)
    assert not told(scene.plan_id, 80)
    assert told(scene.plan_id, 95)
    assert not told(scene.plan_id, 80)
    clock.now = datetime(2026, 3, 1, tzinfo=UTC)
    assert told(scene.plan_id, 80)


def test_of_two_plans_that_see_it_at_once_one_tells(scene: Scene) -> None:
    """Runs of several plans of one enterprise look by themselves."""
    second = scene.checkpoint.ensure_plan(name="second", source_url="file:///x", landing_folder_id="0")
    scene.checkpoint.database.write(
        lambda connection: connection.execute(text("update plans set enterprise_id = '1'"))
    )
    plans = [scene.plan_id, second] * 2
    with ThreadPoolExecutor(len(plans)) as threads:
        for percent in range(1, 21):
            told = threads.map(lambda plan_id: scene.checkpoint.is_first_told(plan_id, percent), plans)  # noqa: B023
            assert [False, False, False, True] == sorted(told)
