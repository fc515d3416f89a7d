"""Folders that got another name in the share: what happens to their files that are not in Box yet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Connection, event, update

from connectors.entry import EntryKind
from connectors.errors import NotFound
from state.database.models import Item
from state.records import Failed
from state.statements import renames
from state.statuses import ItemStatus
from tests.integration.state.scene import Scene


def missed(item_id: int) -> Failed:
    """What a sender says of a file that is not where the walk saw it."""
    return Failed(item_id=item_id, reason=NotFound.reason, detail="it is not there any more")


def move(scene: Scene, name: str, *, to: str) -> None:
    """The folder has another name beside the others, in Box too."""
    scene.checkpoint.record_folder_moved(
        scene.folder_id(name),
        parent_id=scene.root_id,
        name=to,
        path=f"A/{to}",
        box_name=to,
        box_etag="1",
        worker=scene.worker,
    )


def test_files_missed_under_the_old_name_are_tried_under_the_new_one(scene: Scene) -> None:
    """Whether they were missed before the move was seen or after, and how deep they lie; other failures stay."""
    scene.walk({"old": {"a": 1, "b": 1, "c": 1, "deep": {"d": 1, "e": 1}}})
    claimed = {item.path: item.id for item in scene.claim()}
    record = scene.checkpoint.record_results
    record(scene.worker, [missed(claimed[path]) for path in ("A/old/a", "A/old/deep/d")])
    record(scene.worker, [Failed(item_id=claimed["A/old/c"], reason="access_denied", detail="no")])

    move(scene, "old", to="new")
    record(scene.worker, [missed(claimed[path]) for path in ("A/old/b", "A/old/deep/e")])

    assert {"A/new/a", "A/new/b", "A/new/deep/d", "A/new/deep/e"} == {item.path for item in scene.claim()}
    [denied] = [
        child for child in scene.checkpoint.known_children(scene.folder_id("new")) if child.name == "c"
    ]
    assert (ItemStatus.FAILED, "access_denied") == (denied.status, denied.reason)


def test_file_of_a_size_that_many_have(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for among as many as that, and among no more."""
    scene.walk({"a": 7, "b": 7, "c": 7, "other": 8})
    scene.send_everything()
    wanted = scene.child("b")
    scene.checkpoint.database.write(
        lambda connection: connection.execute(
            update(Item).where(Item.id == wanted.id).values(source_file_id="id")
        )
    )
    seen = replace(wanted.fingerprint, file_id="id")

    monkeypatch.setattr(renames, "MANY_OF_A_SIZE", 3)
    assert ["b"] == [file.name for file in scene.checkpoint.placed_files_seen_as(scene.tree.id, seen)]
    monkeypatch.setattr(renames, "MANY_OF_A_SIZE", 2)
    assert [] == scene.checkpoint.placed_files_seen_as(scene.tree.id, seen)


def test_name_to_come(scene: Scene) -> None:
    """Who was found with another name in Box than its own, and is sent by that before it gets its own, keeps what Box
    has; so does who is about to be. The others will have their own."""
    scene.walk({"a": 1, "b": 1, "c": 1, "d": {}})
    for child in scene.checkpoint.known_children(scene.root_id):
        renamed = {"box_name": f"{child.name} ~2", "box_etag": None, "worker": scene.worker}
        if child.kind is EntryKind.FOLDER:
            scene.checkpoint.record_folder_renamed(child.id, **renamed)
        else:
            scene.checkpoint.record_file_renamed(child.id, name=child.name, **renamed)
    found = list(scene.checkpoint.entries_with_other_names([scene.tree.id]))
    assert ["A/a", "A/b", "A/c", "A/d"] == [entry.path for entry in found]
    sent, claimed = scene.claim(max_items=2)
    scene.checkpoint.record_results(scene.worker, [scene.uploaded(sent)])
    scene.create_folders()
    assert {"A/a", "A/b"} == {sent.path, claimed.path}

    for entry in found:
        scene.checkpoint.record_name_to_come(entry, box_name=entry.name, worker=scene.worker)

    names = {child.name: child.box_name for child in scene.checkpoint.known_children(scene.root_id)}
    assert {"a": "a ~2", "b": "b ~2", "c": "c", "d": "d ~2"} == names


def test_moved_files_of_one_size_are_looked_for_together(scene: Scene) -> None:
    """One look for many, and what has a second name in sight is left out: each look goes through all of that size."""
    names = [f"{number}" for number in range(30)]
    scene.walk({f"old {name}": 7 for name in names})
    scene.send_everything()
    give_ids(scene, "old ", names)
    scene.next_pass()
    scene.walk({f"new {name}": 7 for name in [*names, "second"]})
    give_ids(scene, "new ", names)
    give_ids(scene, "new ", ["second"], source_id="id 5")
    said: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(scene.checkpoint.database.engine, "before_cursor_execute", note)
    moved = {(move.old_path, move.path) for move in scene.checkpoint.moved_files(scene.tree.id)}
    event.remove(scene.checkpoint.database.engine, "before_cursor_execute", note)

    assert moved == {(f"A/old {name}", f"A/new {name}") for name in names if name != "5"}
    assert 3 == len([statement for statement in said if statement.startswith("SELECT")]), (
        "a page, a look, no more"
    )


def give_ids(scene: Scene, prefix: str, names: list[str], source_id: str = "") -> None:
    """Files of these names have an id in the source."""

    def give(connection: Connection) -> None:
        for name in names:
            values = {"source_file_id": source_id or f"id {name}"}
            connection.execute(update(Item).where(Item.name == f"{prefix}{name}").values(values))

    scene.checkpoint.database.write(give)


def test_files_in_sight_are_looked_up_together(scene: Scene) -> None:
    """One look for many pairs of id and size, each with all of its names, and with none that was not asked for."""
    names = [f"{number}" for number in range(30)]
    scene.walk({f"a {name}": 7 for name in [*names, "second"]} | {"b 3": 8})
    give_ids(scene, "a ", names)
    give_ids(scene, "a ", ["second"], source_id="id 5")
    give_ids(scene, "b ", ["3"])
    said: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(scene.checkpoint.database.engine, "before_cursor_execute", note)
    asked = [(f"id {name}", 7) for name in names] + [("id 3", 9), ("id 4", 8)]
    found = scene.checkpoint.files_in_sight(scene.tree.id, asked)
    event.remove(scene.checkpoint.database.engine, "before_cursor_execute", note)

    rows = {name: scene.child(f"a {name}").id for name in [*names, "second"]}
    assert {rows["5"], rows["second"]} == set(found["id 5", 7])
    assert [[rows[name]] for name in names if name != "5"] == [
        found[f"id {name}", 7] for name in names if name != "5"
    ]
    assert ([], []) == (found["id 3", 9], found["id 4", 8])
    assert 1 == len([statement for statement in said if statement.startswith("SELECT")])
