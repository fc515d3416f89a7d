"""One holder per Box id: no two entries of a plan lie in one file or folder of Box, whoever writes it down (P7)."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text

from state.checkpoint import Checkpoint
from state.database.engine import Database
from state.database.models import Folder, Item
from state.errors import StateError
from state.records import ClaimedItem, HeldFile, Holder, TreeSpec, Uploaded
from state.statuses import ItemStatus, TreeState
from tests.integration.state.scene import Scene, Share
from tests.integration.state.test_migrations import alembic

ADOPTER = Path(__file__).with_name("adopter.py")


def uploads(scene: Scene, box_file_id: str) -> dict[str, tuple[ClaimedItem, Uploaded]]:
    """Path → a claimed file and its upload, all of them as one file of Box."""
    return {
        item.path: (item, replace(scene.uploaded(item), box_file_id=box_file_id)) for item in scene.claim()
    }


@pytest.mark.parametrize("at_once", [True, False])
def test_second_file_does_not_get_the_first_ones(scene: Scene, at_once: bool) -> None:
    """Of two results with one Box file the first is recorded; the second says who holds it, and is tried again."""
    scene.walk({"1": 1, "①": 1})
    sent = uploads(scene, "77")
    batches = [list(sent)] if at_once else [[path] for path in sent]
    held: list[HeldFile] = []
    for batch in batches:
        held += scene.checkpoint.record_results(scene.worker, [sent[path][1] for path in batch])
    holder = Holder(tree_id=scene.tree.id, path="A/1")

    assert [HeldFile(item_id=sent["A/①"][0].id, box_file_id="77", holder=holder)] == held
    assert {"A/1": ItemStatus.UPLOADED, "A/①": ItemStatus.PENDING} == scene.statuses()
    assert "name_in_use" == scene.child("①").reason


def test_file_that_stays_held_fails_with_its_reason(scene: Scene) -> None:
    """A file whose place in Box another one has, and that gets no other, ends FAILED and never UPLOADED."""
    scene.walk({"1": 1, "①": 1})
    for _ in range(3):
        scene.checkpoint.record_results(
            scene.worker, [result for _, result in uploads(scene, "77").values()], max_attempts=2
        )

    assert {"A/1": ItemStatus.UPLOADED, "A/①": ItemStatus.FAILED} == scene.statuses()
    assert {"name_in_use": 1} == scene.checkpoint.tree_report(scene.tree.id).failures_by_reason


def test_holders_are_those_of_the_whole_plan(scene: Scene) -> None:
    """A file of another tree holds its Box file, too, whichever tree this run moves; one of another plan does not."""
    [other] = scene.checkpoint.ensure_trees(scene.plan_id, [TreeSpec(source="B", folder="B", name="B")])
    changes = scene.compare(other.root_folder_id, "B", {"x": 1})
    scene.checkpoint.record_listing(other.root_folder_id, scene.pass_id, changes)
    [theirs] = scene.checkpoint.claim_batch(scene.worker, tree_ids=[other.id], max_items=1, max_bytes=1)
    scene.checkpoint.record_results(scene.worker, [replace(scene.uploaded(theirs), box_file_id="77")])
    scene.walk({"f": 1})
    [mine] = scene.claim()

    assert Holder(tree_id=other.id, path="B/x") == scene.checkpoint.remember_box_file(
        mine.id, box_file_id="77", box_etag=None
    )
    assert [Holder(tree_id=other.id, path="B/x")] == [
        held.holder
        for held in scene.checkpoint.record_results(
            scene.worker, [replace(scene.uploaded(mine), box_file_id="77", adopted=True)]
        )
    ]


def test_folder_of_box_holds_one_folder(scene: Scene) -> None:
    """The second folder that Box says is the first one's is not written down, and the answer says whose it is."""
    scene.walk({"1": {}, "①": {}})
    first, second = scene.folder_id("1"), scene.folder_id("①")
    create = scene.checkpoint.record_folder_created

    assert None is create(first, box_folder_id="5", box_name="1", adopted=False)
    assert Holder(tree_id=scene.tree.id, path="A/1") == create(
        second, box_folder_id="5", box_name="1", adopted=True
    )
    assert None is create(first, box_folder_id="5", box_name="1", adopted=True)
    assert None is create(second, box_folder_id="6", box_name="① (2)", adopted=False)
    assert [] == scene.checkpoint.other_holders_of_box_folder(scene.plan_id, "6", besides=second)


def test_tree_holds_its_folder_against_a_folder_of_another_tree(scene: Scene) -> None:
    """A tree whose folder lies where another tree's subfolder comes to lie: the answer says that a tree has it."""
    scene.checkpoint.record_folder_created(scene.root_id, box_folder_id="5", box_name="A", adopted=False)
    [other] = scene.checkpoint.ensure_trees(scene.plan_id, [TreeSpec(source="B", folder="Arrived", name="B")])
    changes = scene.compare(other.root_folder_id, "B", {"A": {}})
    scene.checkpoint.record_listing(other.root_folder_id, scene.pass_id, changes)
    [sub] = scene.checkpoint.known_children(other.root_folder_id)

    assert Holder(tree_id=scene.tree.id, path="A", is_tree=True) == scene.checkpoint.record_folder_created(
        sub.id, box_folder_id="5", box_name="A", adopted=True
    )


def test_database_itself_refuses_a_second_holder(scene: Scene) -> None:
    """Whatever the program looks for before it writes: two processes that write at once are two holders never."""
    scene.walk({str(number): 1 for number in range(8)})
    batch = scene.claim()
    start = threading.Barrier(len(batch))
    answers: list[Holder | None] = []

    def remember(item: ClaimedItem) -> None:
        with Checkpoint.open(str(scene.checkpoint.database.url.render_as_string(False))) as own:
            start.wait(600)
            answers.append(own.remember_box_file(item.id, box_file_id="77", box_etag=None))

    threads = [threading.Thread(target=remember, args=(item,)) for item in batch]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert 8 == len(answers)
    assert 1 == answers.count(None)
    assert 1 == len(scene.checkpoint.other_holders_of_box_file(scene.plan_id, "77", besides=0))


def siblings() -> tuple[Share, int]:
    """Folders whose files and subfolders are one to Box in groups of two to six, and how many entries
    there are, the top included."""
    rng, share, entries = random.Random(45), {}, 1
    for folder in range(2):
        inside: dict[str, Share | int] = {}
        for group in range(6):
            for number in range(rng.randint(2, 6)):
                inside[f"f{folder}.{group}_{number}"] = 1
                inside[f"d{folder}.{group}_{number}"] = {}
        share[f"D{folder}"] = inside
        entries += 1 + len(inside)
    return share, entries


@pytest.mark.timeout(1_200)  # four interpreters, on a machine ten times slower as well
@pytest.mark.gate(1)
def test_processes_that_race_for_one_place_share_none(scene: Scene, state_url: str) -> None:
    """However four processes race for siblings that Box takes for one: each ends in a place of its own, and each place
    that Box named first has one of those who asked for it."""
    share, entries = siblings()
    scene.walk(share)
    command = [sys.executable, str(ADOPTER), state_url, str(scene.plan_id), str(scene.tree.id)]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(4)
        ]
        for process in processes:
            stack.callback(process.kill)
            assert process.stdout and "ready\n" == process.stdout.readline()
        for process in processes:
            assert process.stdin
            print("go", file=process.stdin, flush=True)
        answers = [json.loads(process.stdout.readline()) for process in processes if process.stdout]
    placed = Counter(place for answer in answers for place, _ in answer)
    known = _places(scene)

    assert {} == {place: count for place, count in placed.items() if count > 1}
    assert {path: place for answer in answers for place, path in answer} == known
    groups = {path.rpartition("/")[2].partition("_")[0] for path in known if "_" in path}
    named = {f"{'file' if group[0] == 'f' else 'folder'}-{group}" for group in groups}
    assert named <= set(placed)
    assert entries == len(placed)
    assert {ItemStatus.UPLOADED} == set(scene.statuses().values())
    assert 1 < sum(bool(answer) for answer in answers)


def _places(scene: Scene) -> dict[str, str | None]:
    """Path → where the checkpoint says that the file or folder lies in Box."""
    files = select(Folder.path, Item.name, Item.box_file_id).join(Folder, Folder.id == Item.folder_id)
    with scene.checkpoint.database.reading() as connection:
        found = {f"{row.path}/{row.name}": row.box_file_id for row in connection.execute(files)}
        folders = connection.execute(select(Folder.path, Folder.box_folder_id))
        return found | {row.path: row.box_folder_id for row in folders}


@pytest.mark.parametrize(("table", "column"), [("items", "box_file_id"), ("folders", "box_folder_id")])
def test_second_holder_is_refused_by_the_database(scene: Scene, table: str, column: str) -> None:
    """Whatever a statement forgets to look for: no two rows of a plan have one id of Box, and of two plans they may."""
    scene.walk({"1": 1, "2": 1, "d": {}, "e": {}})
    scene.send_everything()
    held = text(f"UPDATE {table} SET {column} = '77' WHERE name IN (:first, :second)")
    names = ("1", "2") if table == "items" else ("d", "e")

    with pytest.raises(StateError, match="refused a statement"):
        scene.checkpoint.database.write(
            lambda connection: connection.execute(held, {"first": names[0], "second": names[1]})
        )
    assert len(set(_places(scene).values())) == len(_places(scene))
    alone = {"first": names[0], "second": names[0]}
    scene.checkpoint.database.write(lambda connection: connection.execute(held, alone))


def _insert(database: Database, table: str, **values: object) -> None:
    names = ", ".join(values)
    parameters = ", ".join(f":{name}" for name in values)
    statement = text(f"INSERT INTO {table} ({names}) VALUES ({parameters})")
    database.write(lambda connection: connection.execute(statement, values))


@pytest.mark.gate(1)
def test_migration_mends_what_two_entries_held(state_url: str) -> None:
    """Of two entries with one Box id, the one that was sent last keeps it; the other is sent again, unproven."""
    upgraded = alembic("-x", f"url={state_url}", "upgrade", "0007")
    assert upgraded.returncode == 0, upgraded.stderr
    database = Database(state_url)
    when = "2026-01-01 00:00:00"
    _insert(database, "plans", id=1, name="p", source_url="x", landing_folder_id="0", created_at=when)
    tree = {"plan_id": 1, "source": "A", "folder": "A", "state": "complete", "verified": True}
    _insert(database, "trees", id=1, name="A", **tree)
    folder = {"tree_id": 1, "status": "uploaded", "created_by_plan": True, "unproven": False}
    _insert(database, "folders", id=1, depth=0, name="A", path="A", box_name="A", box_folder_id="1", **folder)
    for number, name in ((2, "1"), (3, "①")):
        row = {"id": number, "parent_id": 1, "depth": 1, "name": name, "path": f"A/{name}", "box_name": name}
        _insert(database, "folders", box_folder_id="5", **row, **folder)
    item = {"tree_id": 1, "kind": "file", "status": "uploaded", "size": 1, "in_box": True}
    for number, folder_id, name, box_id, hour in (
        (1, 1, "x", "77", 1), (2, 1, "y", "77", 2), (3, 2, "kept", "78", 1), (4, 3, "sent anew", "79", 1),
    ):  # fmt: skip
        place = {"id": number, "folder_id": folder_id, "name": name, "box_file_id": box_id}
        _insert(database, "items", sha1="0" * 40, uploaded_at=f"2026-01-01 0{hour}:00:00", **place, **item)
    database.close()

    with Checkpoint.open(state_url) as checkpoint:
        files = {child.name: child for folder in (1, 2, 3) for child in checkpoint.known_children(folder)}
        [record] = checkpoint.trees(1)

    assert {
        "1": ItemStatus.UPLOADED,
        "①": ItemStatus.PENDING,
        "x": ItemStatus.PENDING,
        "y": ItemStatus.UPLOADED,
        "kept": ItemStatus.UPLOADED,
        "sent anew": ItemStatus.PENDING,
    } == {name: child.status for name, child in files.items()}
    assert (TreeState.MOVING, False) == (record.state, record.verified)
