"""One mail per person and plan, also when several processes ask at the same instant."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from state.checkpoint import Checkpoint
from state.people_records import CollaboratorSpec
from state.records import TreeSpec
from tests.integration.state.scene import Scene

PEOPLE = 25
WORKERS = 4


@pytest.mark.gate(1)
def test_many_processes_that_claim_at_once(scene: Scene, state_url: str) -> None:
    """Each works on a tree of its own with the same people in it; of all claims for a person one is true."""
    trees = [TreeSpec(source=f"T{n}", folder=f"T{n}", name=f"T{n}") for n in range(WORKERS)]
    people = [CollaboratorSpec(login=f"p{n}@example.com", role="viewer") for n in range(PEOPLE)]
    rows = [
        scene.checkpoint.ensure_collaborations(tree.id, people)
        for tree in scene.checkpoint.ensure_trees(scene.plan_id, trees)
        if tree.name.startswith("T")
    ]
    together = threading.Barrier(WORKERS)

    def claim_all(number: int) -> list[str]:
        with Checkpoint.open(state_url) as checkpoint:
            mailed = []
            for record in rows[number]:
                together.wait(timeout=600)
                if checkpoint.claim_mail(scene.plan_id, record.id):
                    mailed.append(record.spec.key)
            return mailed

    with ThreadPoolExecutor(WORKERS) as threads:
        claims = Counter(key for mailed in threads.map(claim_all, range(WORKERS)) for key in mailed)

    assert {record.spec.key: 1 for record in rows[0]} == claims


def test_refused_invitation_gives_the_mail_back_to_every_tree(scene: Scene) -> None:
    """Whoever claimed gives it back, whichever tree asks next; a tree that did not claim takes nothing away."""
    checkpoint, spec = scene.checkpoint, CollaboratorSpec(login="a@example.com", role="viewer")
    trees = [TreeSpec(source=name, folder=name, name=name) for name in ("X", "Y")]
    first, second = (
        checkpoint.ensure_collaborations(tree.id, [spec])[0]
        for tree in checkpoint.ensure_trees(scene.plan_id, trees)
        if tree.name in ("X", "Y")
    )

    assert checkpoint.claim_mail(scene.plan_id, second.id)
    assert not checkpoint.claim_mail(scene.plan_id, first.id)
    checkpoint.release_mail(first.id)
    assert not checkpoint.claim_mail(scene.plan_id, first.id)
    checkpoint.release_mail(second.id)
    assert checkpoint.claim_mail(scene.plan_id, first.id)
