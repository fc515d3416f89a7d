"""Folders of Box above a tree's own: made once for all trees, and nobody sees an unfinished tree through them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.migrate import migrate_share
from flows.transfer.beginning import begin
from flows.transfer.completing import create_missing_folders
from flows.transfer.migration import open_migration
from flows.transfer.verifying import verify_tree
from flows.transfer.walking import walk_trees
from tests.acceptance.account.conftest import Account
from tests.acceptance.proof import report_items
from tests.trees import build_tree

ANN, BOB = "ann@example.com", "bob@example.com"


def share_with_bob(box: Sandbox, name: str) -> str:
    """A folder of this name is in Box already and Bob may look into it; the id of his grant."""
    box.add_user(BOB)
    with box.core.store.lock:
        folder = box.core.items.create_folder(box.service_account, "0", name)
        body: dict[str, Any] = {"item": {"type": "folder", "id": folder.id}, "role": "viewer"}
        body["accessible_by"] = {"type": "user", "login": BOB}
        return str(box.core.collaborations.create(box.service_account, body).id)


@pytest.mark.parametrize("folder", ["Dept/Accounting", "Dept/2026/Accounting", "Dept"])
@pytest.mark.gate(1)
def test_stranger_on_a_folder_that_was_there(account: Account, box: Sandbox, folder: str) -> None:
    """He would see the unfinished tree: it fails and names him, until his access is ended (P4)."""
    grant = share_with_bob(box, "dept")
    account.change(
        trees=[
            {"source": "Accounting", "folder": folder, "collaborators": [{"login": ANN, "role": "viewer"}]}
        ]
    )
    refused = account.migrate(check=False)
    line = report_items(account.program)["Accounting"]
    files = dict(box.files())
    with box.core.store.lock:
        box.core.collaborations.delete(box.service_account, grant)
    finished = account.program.run("retry")

    assert not refused["complete"]
    assert {} == files
    assert ("failed", "name_in_use") == (line["status"], line["reason"])
    assert "'Dept' was in Box before and bob@example.com" in line["detail"]
    assert 0 == finished.code, finished.output
    assert [ANN] == [each["login"] for each in box.collaborations()]


def test_person_of_the_plan_on_a_folder_that_was_there(account: Account, box: Sandbox) -> None:
    """Whom the plan lets into this very tree is no stranger; another tree's people are."""
    share_with_bob(box, "Dept")
    account.change(
        trees=[
            {
                "source": "Accounting",
                "folder": "Dept/Accounting",
                "collaborators": [{"login": BOB, "role": "viewer"}],
            },
            {"source": "Legal", "folder": "Dept/Legal"},
        ]
    )
    trees = {tree["name"]: tree["state"] for tree in account.migrate(check=False)["trees"]}

    assert {"Dept/Accounting": "complete", "Dept/Legal": "incomplete"} == trees


OUTER: dict[str, Any] = {"source": "Accounting", "folder": "Top"}
INNER: dict[str, Any] = {"source": "Legal", "folder": "Top/Legal"}


@pytest.mark.parametrize(
    ("access", "who"),
    [
        ({"collaborators": [{"login": ANN, "role": "viewer"}]}, ANN),
        ({"shared_link": {"access": "open"}}, "whoever has its shared link"),
    ],
    ids=["a person", "a link"],
)
@pytest.mark.gate(1)
def test_tree_that_comes_later_into_anothers_folder(
    account: Account, box: Sandbox, access: dict[str, Any], who: str
) -> None:
    """Those who are in the tree around it would look on while it fills: it waits until they are out (P4)."""
    account.change(trees=[OUTER | access])
    first = account.migrate(check=False)
    account.change(trees=[OUTER | access, INNER])
    added = migrate_share.fn(account.plan, trees=["Top/Legal"], check=False)
    line = report_items(account.program)["Legal"]
    seen = set(box.files())
    account.change(trees=[OUTER, INNER])
    account.program.run("collaborate", "--prune")
    box.core.store.folders[box.tree()["Top"]["id"]].shared_link = None
    alone = account.program.run("retry", "--tree", "Top/Legal")
    account.change(trees=[OUTER | access, INNER])
    again = account.program.run("migrate")
    account.program.run("collaborate")

    assert (True, False) == (first["complete"], added["complete"])
    assert ("failed", "name_in_use") == (line["status"], line["reason"])
    assert f"'Top' was in Box before and {who} can see it already" in line["detail"]
    assert {"Top/a.txt", "Top/sub/b.txt"} == seen
    assert (0, 0) == (alone.code, again.code), (alone.output, again.output)
    assert {"Top/a.txt", "Top/sub/b.txt", "Top/Legal/c.txt"} == set(box.files())
    assert [ANN] * ("collaborators" in access) == [each["login"] for each in box.collaborations()]


def test_tree_that_was_whole_is_made_again_inside_anothers_folder(
    account: Account, box: Sandbox, share: Path
) -> None:
    """Somebody deleted its folder in Box; the people of the tree around it saw it whole, and see it again."""
    account.change(trees=[OUTER | {"collaborators": [{"login": ANN, "role": "viewer"}]}, INNER])
    first = account.program.run("migrate")
    with box.core.store.lock:
        box.core.trash.delete_folder(
            box.service_account, box.tree()["Top/Legal"]["id"], recursive=True, if_match=None
        )
    (share / "Legal/new.txt").write_bytes(b"new")
    second = account.program.run("migrate")

    assert (0, 0) == (first.code, second.code), (first.output, second.output)
    assert {"Top/Legal/c.txt", "Top/Legal/new.txt"} <= set(box.files())


def test_folder_above_many_trees_is_made_once(account: Account, box: Sandbox, share: Path) -> None:
    """Trees that share a parent folder race for it and make it once, a tree whose own it is included."""
    build_tree(share, {f"T{number}": {"a.txt": b"a"} for number in range(8)})
    trees = [{"source": f"T{number}", "folder": f"Dept/T{number}"} for number in range(8)]
    account.change(trees=[*trees, {"source": "Accounting", "folder": "Dept"}])
    box.settings.duplicate_folders_under_race = True
    box.limits.latency_seconds = 0.05
    box.calls.reset()
    finished = account.program.run("migrate")
    box.limits.latency_seconds = None
    box.settings.duplicate_folders_under_race = False

    assert 0 == finished.code, finished.output
    assert {"Dept", "Dept/sub", *(tree["folder"] for tree in trees)} == set(box.folders())
    assert 1 == max(Counter(box.folders()).values())
    assert 10 == box.calls.by_route["POST /folders"]


def test_folder_above_that_was_deleted_meanwhile(account: Account, box: Sandbox) -> None:
    """Somebody deletes the common folder while the run goes on: the next tree makes it again."""
    account.change(
        trees=[{"source": name, "folder": f"Dept/2026/{name}"} for name in ("Accounting", "Legal")]
    )
    with open_migration(account.plan) as migration:
        begin(migration, kind="migrate")
        first, second = (tree.root_folder_id for tree in migration.trees)
        migration.folders.box_id(first)
        migration.box.delete_folder(box.tree()["Dept/2026/Accounting"]["id"])
        migration.box.delete_folder(box.tree()["Dept/2026"]["id"])
        migration.box.delete_folder(box.tree()["Dept"]["id"])
        again = migration.folders.box_id(second)

    assert {"Dept", "Dept/2026", "Dept/2026/Legal"} == set(box.folders())
    assert again == box.tree()["Dept/2026/Legal"]["id"]


def test_folder_that_box_loses_at_verification_is_made_anew(account: Account, box: Sandbox) -> None:
    """What this run made itself and Box does not list is forgotten in memory, too: the next round makes it again."""
    (Path(account.plan.source.url.removeprefix("file://")) / "Legal/empty").mkdir()
    with open_migration(account.plan) as migration:
        begin(migration, kind="migrate", only=["Legal"])
        walk_trees(migration)
        (tree,) = migration.trees
        assert create_missing_folders(migration, tree)
        migration.box.delete_folder(box.tree()["Legal/empty"]["id"])

        assert not verify_tree(migration, tree)
        assert create_missing_folders(migration, tree)

    assert "Legal/empty" in box.folders()


def test_folder_whose_parent_is_gone_each_time_it_is_made(account: Account, box: Sandbox) -> None:
    """Nothing goes round without progress: after a few tries the folder fails, and the run ends (P11)."""
    (Path(account.plan.source.url.removeprefix("file://")) / "Legal/empty").mkdir()
    box.faults.next("POST /folders").about("empty").status(404, error="not_found").times(None)

    summary = account.migrate(check=False)

    assert not summary["complete"]
    line = report_items(account.program)["Legal/empty"]
    assert ("failed", "destination_gone") == (line["status"], line["reason"])
    assert 20 > box.calls.by_route["POST /folders"]
    assert "Accounting/a.txt" in box.files()
