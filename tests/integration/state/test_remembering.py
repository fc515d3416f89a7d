"""Remembered listings: a folder whose digest is known is not compared, and every row is as if it had been."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings

from flows.transfer import walking
from state.checkpoint import Checkpoint
from state.database.engine import Database
from state.statuses import ItemStatus
from tests.integration.state.histories import Play, Step, steps
from tests.integration.state.scene import ManualClock, Scene
from tests.integration.state.test_migrations import alembic

_NUMBERS = itertools.count()

#: Until everything has arrived and every folder has been compared once more, so that its listing is remembered.
SETTLED: list[Step] = [
    ("walk", "A/f", 1),
    ("create folders", "A/f", 0),
    ("send", "A/f", 0),
    ("walk", "A/f", 1),
]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoint]:
    """One SQLite checkpoint for all histories: each is a plan of its own."""
    folder: Path = tmp_path_factory.mktemp("histories")
    with Checkpoint.open(f"sqlite:///{folder / 'state.db'}", clock=ManualClock()) as checkpoint:
        yield checkpoint


def play(checkpoint: Checkpoint, history: list[Step], *, remembering: bool, carrying: bool) -> list[object]:
    """Every row, and every event, after each walk of the history."""
    with pytest.MonkeyPatch.context() as patched:
        if not remembering:
            patched.setattr(walking, "listing_digest", lambda *_: None)
        name = f"history {next(_NUMBERS)}"
        played = Play(checkpoint, name, carries_claims=carrying, tell=print)
        seen: list[object] = []
        for step in [*history, ("walk", "A/f", 1)]:
            played.step(step)
            if step[0] == "walk":
                seen += [played.rows(), sorted(played.events)]
    return seen


def require_same(checkpoint: Checkpoint, history: list[Step]) -> None:
    """The plain way, and the one that remembers and carries claims, leave the same."""
    plain = play(checkpoint, history, remembering=False, carrying=False)

    assert plain == play(checkpoint, history, remembering=True, carrying=True)


@given(steps)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@example([*SETTLED, ("folder lost", "A/sub", 0), *SETTLED])
@example([*SETTLED, ("mismatch", "A/sub/f", 1), ("walk", "A/f", 1), *SETTLED])
@example([*SETTLED, ("remove", "A/sub/f", 0), ("walk", "A/f", 1), ("write", "A/sub/f", 1), *SETTLED])
@example([*SETTLED, ("remove", "A/sub/f", 0), ("walk", "A/f", 1), ("restore", "A/sub/f", 0), *SETTLED])
@example(
    [*SETTLED, ("rules", "A/f", 1), ("write", "A/sub/skip.tmp", 1), *SETTLED, ("rules", "A/f", 0), *SETTLED]
)
@example([*SETTLED, ("tree gone", "A/f", 0), *SETTLED])
@example([*SETTLED, ("rules", "A/f", 3), ("walk", "A/f", 1), ("rules", "A/f", 0), ("walk", "A/f", 1)])
@example([*SETTLED, ("write", "A/g", 0), *SETTLED, ("send", "A/f", 1), *SETTLED])
@example(
    [("break", "A/sub/f", 0), *SETTLED, ("waive", "A/sub/f", 0), *SETTLED, ("unwaive", "A/sub", 0), *SETTLED]
)
def test_history_leaves_the_same_rows_on_sqlite(opened: Checkpoint, history: list[Step]) -> None:
    """Listings, sends, kills, retries, waivers, mismatches, other rules: with and without what is remembered."""
    require_same(opened, [*SETTLED, *history])


def test_history_leaves_the_same_rows_on_postgresql(postgres_url: str) -> None:
    """The same on PostgreSQL."""
    with Checkpoint.open(postgres_url, clock=ManualClock()) as checkpoint:

        @given(steps)
        @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
        def same(history: list[Step]) -> None:
            require_same(checkpoint, [*SETTLED, *history])

        same()


def test_second_unchanged_pass_compares_nothing(scene: Scene) -> None:
    """Once everything arrived and was compared again, an unchanged share is one read for each folder."""
    share = {"f": 1, "sub": {"g": 2, "deep": {}}}
    scene.walk_remembering(share)
    scene.send_everything()
    scene.next_pass()
    first = scene.walk_remembering(share)
    scene.next_pass()
    second = scene.walk_remembering(share)
    scene.next_pass()
    third = scene.walk_remembering(share | {"f": 5})

    assert ["A/sub/deep"] == first  # it is empty: nothing of it was on its way
    assert ["A", "A/sub", "A/sub/deep"] == second
    assert ["A/sub", "A/sub/deep"] == third


def remembered(scene: Scene) -> None:
    """Everything arrived, and every listing is remembered."""
    scene.walk_remembering({"f": 1, "sub": {"g": 2}})
    scene.send_everything()
    scene.next_pass()
    scene.walk_remembering({"f": 1, "sub": {"g": 2}})
    scene.next_pass()


def test_row_that_changes_between_claim_and_record(scene: Scene) -> None:
    """What changes after a folder was claimed makes it compared, however its digest stood then."""
    remembered(scene)
    folders = scene.claim_folders()
    g = scene.child("g", "sub").id
    scene.checkpoint.record_verification_mismatch(scene.tree.id, item_ids_by_reason={"x": [g]}, detail="x")
    changed = scene.checkpoint.record_unchanged(scene.pass_id, folders, worker=scene.worker)

    assert ["A/sub"] == [folder.path for folder in changed]


def test_checkpoint_of_an_earlier_version(state_url: str) -> None:
    """What an earlier version made has all its rows after the upgrade; listings are compared, then remembered."""
    share = {"f": 1, "sub": {"g": 2}}
    with Checkpoint.open(state_url) as checkpoint:
        scene = Scene(checkpoint)
        scene.walk(share)
        scene.send_everything()
    down = alembic("-x", f"url={state_url}", "downgrade", "0011")
    with Checkpoint.open(state_url) as checkpoint:
        scene = Scene(checkpoint)
        before = scene.statuses()
        first = scene.walk_remembering(share)
        scene.next_pass()
        second = scene.walk_remembering(share)

        assert before == scene.statuses()

    assert 0 == down.returncode, down.stderr
    assert ([], ["A", "A/sub"]) == (first, second)
    assert {
        "A/f": ItemStatus.UPLOADED,
        "A/sub": ItemStatus.UPLOADED,
        "A/sub/g": ItemStatus.UPLOADED,
    } == before


def test_listing_of_a_worker_of_an_earlier_version(scene: Scene, state_url: str) -> None:
    """A walk that knows nothing of digests makes them void: it may have changed the rows."""
    remembered(scene)
    database = Database(state_url)
    walked = f"UPDATE folders SET walked_pass = {scene.pass_id}"
    database.write(lambda connection: connection.exec_driver_sql(walked))
    database.close()
    scene.next_pass()

    assert [] == scene.walk_remembering({"f": 1, "sub": {"g": 2}})
