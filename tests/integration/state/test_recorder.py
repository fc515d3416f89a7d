"""The recorder: many results share a commit, and nobody who waits for the commit waits for others to join it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.run import recording
from flows.run.progress import Progress
from flows.run.recording import ResultRecorder
from state.checkpoint import Checkpoint
from state.records import Failed, HeldFile, Uploaded, WorkerLease
from state.statuses import ItemStatus
from tests.integration.state.scene import ManualClock, Scene

#: Longer than any test waits: a recorder that lingers so long is caught by the time limit of the test.
FOR_EVER = 250.0


@pytest.fixture
def sqlite_scene(tmp_path: Path) -> Iterator[Scene]:
    """A plan with fifty files."""
    clock = ManualClock()
    with Checkpoint.open(f"sqlite:///{tmp_path / 'state.db'}", clock=clock) as checkpoint:
        scene = Scene(checkpoint, clock)
        scene.walk({f"{number:02}": 1 for number in range(50)})
        yield scene


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many results each commit had."""
    sizes: list[int] = []
    plain = Checkpoint.record_results

    def noting(
        self: Checkpoint,
        worker: WorkerLease,
        results: list[Uploaded | Failed],
        *,
        max_attempts: int = 3,
    ) -> list[HeldFile]:
        sizes.append(len(results))
        return plain(self, worker, results, max_attempts=max_attempts)

    monkeypatch.setattr(Checkpoint, "record_results", noting)
    return sizes


def recorder_of(scene: Scene, errors: list[BaseException]) -> ResultRecorder:
    """As a run has it."""
    progress = Progress(uploads_per_minute=1)
    return ResultRecorder(
        scene.checkpoint,
        scene.worker,
        progress,
        max_attempts=3,
        on_error=errors.append,
    )


def test_results_share_a_commit_that_a_batch_does_not_wait_for(
    sqlite_scene: Scene, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes in one after the other is one commit; the end of a batch is written down at once, whole."""
    monkeypatch.setattr(recording, "LINGER_SECONDS", FOR_EVER)
    recorder = recorder_of(sqlite_scene, errors := [])
    for item in sqlite_scene.claim():
        recorder.put(sqlite_scene.uploaded(item))
    recorder.flush()
    statuses = set(sqlite_scene.statuses().values())
    recorder.close()

    assert {ItemStatus.UPLOADED} == statuses
    assert [50] == commits
    assert [] == errors


def test_end_of_a_run_writes_down_what_lingers(
    sqlite_scene: Scene, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing waits for no others, and leaves nothing behind; a second flush afterwards is nothing."""
    monkeypatch.setattr(recording, "LINGER_SECONDS", FOR_EVER)
    recorder = recorder_of(sqlite_scene, [])
    first, *_ = sqlite_scene.claim()
    recorder.put(sqlite_scene.uploaded(first))
    recorder.close()
    recorder.flush()

    assert [1] == commits
    assert ItemStatus.UPLOADED is sqlite_scene.statuses()[first.path]


def test_result_alone_is_written_down_soon(sqlite_scene: Scene) -> None:
    """A result that nobody waits for is in the checkpoint a moment later all the same."""
    recorder = recorder_of(sqlite_scene, [])
    first, *_ = sqlite_scene.claim()
    recorder.put(sqlite_scene.uploaded(first))
    arrived = threading.Event()
    for _ in range(600):
        if ItemStatus.UPLOADED is sqlite_scene.statuses()[first.path]:
            arrived.set()
            break
        arrived.wait(0.1)
    recorder.close()

    assert arrived.is_set()


def test_end_of_a_batch_does_not_wait_for_what_comes_in_meanwhile(
    sqlite_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another batch goes on: its results are no reason for this one to wait."""
    recorder = recorder_of(sqlite_scene, errors := [])
    first, second, *_ = sqlite_scene.claim()
    flushed, in_time, plain = threading.Event(), list[bool](), Checkpoint.record_results

    def slow(self: Checkpoint, worker: WorkerLease, results: list[Uploaded], **more: int) -> object:
        if results[0].item_id == first.id:
            recorder.put(sqlite_scene.uploaded(second))
        else:
            in_time.append(flushed.wait(20))
        return plain(self, worker, results, **more)

    monkeypatch.setattr(Checkpoint, "record_results", slow)
    recorder.put(sqlite_scene.uploaded(first))
    recorder.flush()
    flushed.set()
    recorder.close()

    assert [True] == in_time
    assert [] == errors


def test_full_commit_does_not_linger(
    sqlite_scene: Scene, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once as many results wait as a commit takes, they are written down."""
    monkeypatch.setattr(recording, "LINGER_SECONDS", FOR_EVER)
    monkeypatch.setattr(recording, "MAX_RESULTS_PER_COMMIT", 10)
    recorder = recorder_of(sqlite_scene, [])
    for item in sqlite_scene.claim():
        recorder.put(sqlite_scene.uploaded(item))
    for _ in range(600):
        if commits:
            break
        threading.Event().wait(0.1)
    full = list(commits)
    recorder.close()

    assert 10 == full[0]
