"""What a cutover says of a plan before it asks."""

from __future__ import annotations

from pathlib import Path

from flows.closing.steps import Cutover
from flows.plan.model import MigrationPlan
from state.checkpoint import Checkpoint
from state.people_records import CollaboratorSpec
from state.records import TreeSpec
from state.statuses import CollaborationStatus
from tests.integration.state.scene import Scene


def test_people_who_are_not_in_yet_are_counted(tmp_path: Path) -> None:
    """Of the plan's trees alone; whom the folder above lets in has no collaboration of this one, and is in."""
    plan = MigrationPlan.model_validate(
        {
            "name": "p",
            "source": {"url": "file:///s"},
            "box": {"auth": {"method": "jwt", "config_file": "box_config.json"}},
            "state_url": "sqlite:///state.db",
            "base_dir": str(tmp_path),
            "trees": [{"source": "A", "folder": "Arrived/A"}],
        }
    )
    people = [CollaboratorSpec(login=f"{n}@example.com", role="viewer") for n in range(4)]
    with Checkpoint.open(f"sqlite:///{tmp_path / 'state.db'}") as checkpoint:
        scene = Scene(checkpoint, source_url="file:///s")
        [left] = checkpoint.ensure_trees(scene.plan_id, [TreeSpec(source="B", folder="B", name="B")])
        checkpoint.ensure_collaborations(left.id, people)
        for record, status, box_id in zip(
            checkpoint.ensure_collaborations(scene.tree.id, people),
            (CollaborationStatus.ACCEPTED, CollaborationStatus.PENDING, CollaborationStatus.FAILED),
            (None, "7", None),
            strict=False,
        ):
            checkpoint.record_collaboration(record.id, status=status, box_collaboration_id=box_id)

    assert 2 == Cutover(plan, "Ops", print).people_waiting()
