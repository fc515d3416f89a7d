"""Two plans with one account never share a folder of Box, whichever of them comes first."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from flows.orchestration.runs import move_share
from flows.plan.connections import open_box
from flows.plan.file import load_plan
from tests.program import Program, program_for
from tests.trees import build_tree

#: Seconds by which Box's clock and ours may differ without anything being believed.
LONGER_THAN_CLOCKS_DIFFER = 60


def plan_of(tmp_path: Path, box: Sandbox, name: str, files: dict[str, object], *trees: str) -> Program:
    """A plan of this name with a share and a checkpoint of its own."""
    share = tmp_path / f"share of {name}"
    share.mkdir()
    build_tree(share, files)
    source = {"url": share.as_uri()}
    return program_for(tmp_path / name, box, source, name=name, trees=[{"source": tree} for tree in trees])


def migrate(program: Program, *, anew: bool = False) -> bool:
    """Run the plan in this process; whether all of it is complete."""
    return bool(move_share(load_plan(program.plan_path), check=False, new_checkpoint=anew)["complete"])


def age(box: Sandbox, path: str) -> None:
    """Let a folder and the files in it be older than they are."""
    store, entries = box.core.store, box.tree()
    store.folders[entries[path]["id"]].created -= LONGER_THAN_CLOCKS_DIFFER
    for name, entry in entries.items():
        if name.startswith(f"{path}/") and entry["type"] == "file":
            store.files[entry["id"]].created -= LONGER_THAN_CLOCKS_DIFFER


def docs_of_one(box: Sandbox) -> str:
    """The content of the one file in Docs."""
    return str(box.files()["Docs/readme.txt"].sha1)


@pytest.mark.parametrize("made_by", ["the account", "a person"])
@pytest.mark.gate(1)
def test_tree_added_to_a_plan_finds_another_plans(tmp_path: Path, box: Sandbox, made_by: str) -> None:
    """It fails, now and in the next run, and the other's file is its own; unless somebody says that it is meant.

    Whoever made the folder: what counts is who filled it.
    """
    one = plan_of(tmp_path, box, "one", {"Docs": {"readme.txt": b"same"}}, "Docs")
    two = plan_of(tmp_path, box, "two", {"Docs": {"readme.txt": b"same"}, "Other": {"x.txt": b"x"}}, "Other")
    assert migrate(one)
    if made_by == "a person":
        box.core.store.folders[box.tree()["Docs"]["id"]].created_by = box.add_user("somebody@example.com")
    assert migrate(two)
    age(box, "Docs")
    two.write_plan(trees=[{"source": "Other"}, {"source": "Docs"}])

    assert not migrate(two)
    assert not migrate(two)

    docs = next(tree for tree in two.status()["trees"] if tree["name"] == "Docs")
    assert {"name_in_use": 2} == docs["failures_by_reason"]
    assert hashlib.sha1(b"same").hexdigest() == docs_of_one(box)
    assert migrate(two, anew=True)


def test_claim_is_believed_of_an_empty_folder_alone(tmp_path: Path, box: Sandbox) -> None:
    """Made since by this account: empty it is the claim's, with something in it it is adopted."""
    program = plan_of(tmp_path, box, "one", {"Docs": {"readme.txt": b"one"}}, "Docs")
    with open_box(load_plan(program.plan_path)) as destination:
        assert isinstance(destination, BoxDestination)
        destination.whoami()
        made = destination.create_folder("0", "Docs")
        claimed_at = destination.folder_info(made.id).created_at
        assert not destination.create_folder("0", "Docs", claimed_at=claimed_at).adopted
        box.person().upload("readme.txt", b"of another plan", made.id)
        assert destination.create_folder("0", "Docs", claimed_at=claimed_at).adopted
