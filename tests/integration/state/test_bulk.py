"""Many rows at once: what is copied, what the driver does alone, and where neither is to be had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import event, text

from state.checkpoint import Checkpoint
from state.database.engine import Database
from state.reports.lines import item_lines
from state.statuses import ItemStatus
from tests.integration.state.scene import Scene
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer

#: Enough to be copied, with a name that no encoding has, and one that copying has to escape.
MANY = {f"{number:03}": number for number in range(200)} | {"tab\tand\\slash\nline": 1, "caf\udce9": 2}


@pytest.fixture(params=["sqlite", "postgres", "pooler"])
def state_url(
    request: pytest.FixtureRequest, postgres_url: str, pgbouncers: dict[str, PgBouncer], sqlite_url: str
) -> str:
    """An empty database of each kind, and one behind a pooler that gives each transaction another session."""
    pooled = pgbouncers["transaction"].url(postgres_url)
    return {"sqlite": sqlite_url, "postgres": postgres_url, "pooler": pooled}[request.param]


@pytest.fixture
def statements(checkpoint: Checkpoint) -> Iterator[list[str]]:
    """Every statement from now on."""
    said: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(checkpoint.database.engine, "before_cursor_execute", note)
    yield said
    event.remove(checkpoint.database.engine, "before_cursor_execute", note)


def test_many_arrive_as_few_do(scene: Scene, statements: list[str]) -> None:
    """New entries and results are the same whichever way they are written, odd names and all."""
    scene.walk_remembering({"sub": MANY})
    batch = scene.claim(max_items=1_000)
    results = [scene.uploaded(item) for item in batch]
    held = scene.checkpoint.record_results(scene.worker, results)
    scene.create_folders()
    lines = {line.path: line for line in item_lines(scene.checkpoint, scene.plan_id)}

    assert [] == held
    assert {f"A/sub/{name}" for name in MANY} == {item.path for item in batch}
    for item, result in zip(batch, results, strict=True):
        line = lines[item.path]
        assert (ItemStatus.UPLOADED, result.sha1, result.box_file_id, "v1", 1) == (
            line.status,
            line.sha1,
            line.box_id,
            line.box_version_id,
            line.attempts,
        )
        assert (item.size, scene.clock.now) == (line.size, line.uploaded_at)
    copies = [statement for statement in statements if statement.startswith("CREATE TEMPORARY TABLE")]
    assert (0 if scene.checkpoint.database.is_sqlite else 2) == len(copies)


def test_the_same_listing_twice_is_the_same_as_once(scene: Scene) -> None:
    """New entries that are there already stay as they are: nothing is doubled, and nothing refused."""
    changes = scene.compare(scene.root_id, "A", MANY)
    scene.checkpoint.record_listing(scene.root_id, scene.pass_id, changes)
    before = scene.checkpoint.known_children(scene.root_id)
    scene.checkpoint.record_listing(scene.root_id, scene.pass_id, changes)

    assert before == scene.checkpoint.known_children(scene.root_id)
    assert len(MANY) == len(before)


def test_claim_that_does_not_hold_any_more_writes_nothing(scene: Scene) -> None:
    """Of results that carry their claim, those count whose claim is still the one of the row; of the others the row is
    read, as if they carried none."""
    scene.walk(MANY)
    old = scene.claim(max_items=1_000)
    results = [scene.uploaded(item) for item in old]
    lost = old[7]
    scene.checkpoint.release_claims(scene.worker, [lost.id])
    scene.record(MANY | {lost.path.removeprefix("A/"): 99})
    [again] = scene.claim()
    read = replace(scene.entries[lost.path], size=lost.size)
    results[7] = replace(results[7], entry=read)
    scene.checkpoint.record_results(scene.worker, results)
    statuses = scene.statuses()

    assert lost.id == again.id
    assert set(old) - {lost} == {item for item in old if statuses[item.path] is ItemStatus.UPLOADED} - {lost}
    known = scene.child(lost.path.removeprefix("A/"))
    assert (lost.size, True) == (known.fingerprint.size, known.in_box)


def test_file_of_box_that_another_one_holds(scene: Scene) -> None:
    """Among many results that carry their claims, one whose file of Box is another's is told, and the others count."""
    scene.walk(MANY)
    first, *others = scene.claim(max_items=1_000)
    taken = scene.uploaded(first).box_file_id
    scene.checkpoint.record_results(scene.worker, [scene.uploaded(first)])
    results = [scene.uploaded(item) for item in others]
    results[3] = replace(results[3], box_file_id=taken)
    results[5] = replace(results[5], box_file_id=results[4].box_file_id)
    held = scene.checkpoint.record_results(scene.worker, results)
    pending = {path for path, status in scene.lines() if status is ItemStatus.PENDING}

    assert {others[3].id, others[5].id} == {each.item_id for each in held}
    assert {others[3].path, others[5].path} == pending


def test_database_without_temporary_tables(postgres_server: PostgresServer, postgres_url: str) -> None:
    """A role that may not make temporary tables does without copying."""
    name = postgres_url.rpartition("/")[2]
    admin = Database(postgres_url)
    for statement in (
        f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC",
        f"CREATE ROLE plain_{name} LOGIN PASSWORD 'plain'",
        f"GRANT ALL ON SCHEMA public TO plain_{name}",
    ):
        admin.write(lambda connection, statement=statement: connection.execute(text(statement)))
    admin.close()
    url = postgres_url.replace(f"postgres:{postgres_server.password}", f"plain_{name}:plain")
    with Checkpoint.open(url) as checkpoint:
        scene = Scene(checkpoint)
        scene.walk_remembering(MANY)
        sent = scene.send_everything()
        scene.next_pass()
        scene.walk_remembering(MANY)
        scene.next_pass()

        assert len(MANY) == sent
        assert ["A"] == scene.walk_remembering(MANY)
