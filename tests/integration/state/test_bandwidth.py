"""The line that the processes of a plan share: spans one after another, whoever asks."""

from __future__ import annotations

import pytest

from tests.integration.state.scene import Scene


def test_spans_follow_each_other(scene: Scene) -> None:
    """Each begins where the one before ends; of time that passed unused a quarter of a second is kept."""
    take = scene.checkpoint.take_bandwidth
    assert -0.25 == pytest.approx(take(scene.plan_id, 0.5))
    assert 0.25 == pytest.approx(take(scene.plan_id, 1.0))
    assert 1.25 == pytest.approx(take(scene.plan_id, 1.0))
    scene.clock.forward(2.0)
    assert 0.25 == pytest.approx(take(scene.plan_id, 1.0))
    scene.clock.forward(100.0)
    assert -0.25 == pytest.approx(take(scene.plan_id, 1.0))


def test_clock_that_was_ahead_holds_nobody_up(scene: Scene) -> None:
    """What was written down an hour from now counts for nothing."""
    scene.clock.forward(3600)
    scene.checkpoint.take_bandwidth(scene.plan_id, 1.0)
    scene.clock.forward(-3600)
    assert 0 == pytest.approx(scene.checkpoint.take_bandwidth(scene.plan_id, 1.0))
