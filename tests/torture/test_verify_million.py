"""A clean plan of any size agrees with Box at the fewest calls, files/1,000 + folders + 10, in bounded memory (P9).

Nothing is sent: the files are put into the sandbox's store and into the checkpoint, as a run would have left them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from connectors.box.sandbox import Sandbox
from connectors.box.sandbox.store.records import File, Folder
from flows.plan.connections import open_checkpoint, unopened_share
from flows.plan.exclude import ExcludeRules
from flows.plan.file import load_plan
from flows.plan.model import MigrationPlan
from flows.plan.origin import begin_plan
from state.checkpoint import Checkpoint
from state.database import models
from state.records import TreeRecord, TreeSpec
from state.statuses import PassState, TreeState
from tests.benchmarks.measuring import measure
from tests.program import Program, program_for

TREE = "A"
#: Files of the first folders, of three pages and of one to the brim; the others have so many, till all are in one.
FIRST_FOLDERS, OTHERS = (2_500, 1_000, 0, *[1] * 20), 2_499
MILLION = 1_000_000
ROWS_AT_ONCE = 50_000
MOST_MEGABYTES = 250
SIZE, DATED = 12_345, 1_500_000_000


@pytest.fixture
def program(tmp_path: Path) -> Iterator[tuple[Program, Sandbox]]:
    """A program with a plan of one tree and the Box that it moves into."""
    (tmp_path / "share" / TREE).mkdir(parents=True)
    with Sandbox(content="hash") as box:
        source = {"url": (tmp_path / "share").as_uri()}
        yield program_for(tmp_path / "run", box, source, trees=[{"source": TREE}]), box


def test_fewest_calls(program: tuple[Program, Sandbox]) -> None:
    """Four thousand files, among them a folder of three pages, one of a page to the brim, and one without any."""
    run, box = program
    folders = as_runs_left_it(run, box, 4_000)

    finished = run.run("verify", "--json")

    assert 0 == finished.code, finished.output
    require_fewest_calls(box, json.loads(finished.stdout), files=4_000, folders=folders)


@pytest.mark.torture
@pytest.mark.timeout(1_200)
def test_fewest_calls_for_a_million_files(program: tuple[Program, Sandbox]) -> None:
    """The same for a million, and the memory."""
    run, box = program
    folders = as_runs_left_it(run, box, MILLION)
    command = [sys.executable, "-m", "flows.cli", "verify", str(run.plan_path), "--json"]

    took = measure(command)

    document = json.loads(took.output[took.output.index("{") :])
    made = require_fewest_calls(box, document, files=MILLION, folders=folders)
    print(f"{made:,} calls, {folders:,} folders, {took.cpu_seconds:.0f} CPU s, {took.peak_megabytes:.0f} MB")
    assert took.peak_megabytes < MOST_MEGABYTES, took.peak_megabytes


def require_fewest_calls(box: Sandbox, document: dict[str, Any], *, files: int, folders: int) -> int:
    """Everything was compared and agrees, at no more calls than promised; return how many there were."""
    assert {"agrees": True, "difference_count": 0}.items() <= document.items()
    assert {"files": files, "folders": folders, "bytes": files * SIZE} == document["checked"]
    made = box.calls.total
    assert made <= files / 1_000 + folders + 10, box.calls.by_route
    # Each page of each folder is asked for: fewer calls would have looked at less.
    assert box.calls.by_route["GET /folders/:id/items"] >= max(folders, files // 1_000)
    assert not {route for route in box.calls.by_route if not route.startswith("GET ")} - {
        "POST /oauth2/token"
    }
    return made


def as_runs_left_it(program: Program, box: Sandbox, files: int) -> int:
    """Put so many files into Box and the checkpoint; return how many folders there are, the tree's own included."""
    plan = load_plan(program.plan_path)
    with closing(open_checkpoint(plan, create=True)) as checkpoint:
        count = _fill(checkpoint, plan, box, files)
    box.calls.reset()
    return count


def _fill(checkpoint: Checkpoint, plan: MigrationPlan, box: Sandbox, files: int) -> int:
    with closing(unopened_share(plan)) as source:
        plan_id = begin_plan(checkpoint, plan, source_url=source.display_url, auth=plan.box.auth)
    [tree] = checkpoint.ensure_trees(plan_id, [TreeSpec(source=TREE, folder=TREE, name=TREE)])
    pass_id = checkpoint.begin_pass(plan_id, kind="migrate", rules=ExcludeRules(plan.exclude).digest)
    core = box.core
    top = core.items.create_folder(core.service_account, "0", TREE)
    checkpoint.record_folder_created(tree.root_folder_id, box_folder_id=top.id, box_name=TREE, adopted=False)
    first, folders, items = 0, list[dict[str, Any]](), list[dict[str, Any]]()
    for number, size in enumerate(_sizes(files)):
        folder, made = _put(box, top, number, range(first, first + size))
        row = _folder_row(folder, tree, tree.root_folder_id + 1 + number, plan_id)
        folders.append(row | {"walked_pass": pass_id})
        items += (_row(file, tree.id, row["id"], plan_id) for file in made)
        first += size
        if len(items) >= ROWS_AT_ONCE or first == files:
            _insert(checkpoint, folders, items)
            folders, items = [], []
    checkpoint.record_listing(tree.root_folder_id, pass_id, [])
    checkpoint.record_verified(tree.id)
    checkpoint.set_tree_state(tree.id, TreeState.COMPLETE)
    checkpoint.end_pass(pass_id, PassState.COMPLETE, summary={})
    return number + 2


def _insert(
    checkpoint: Checkpoint, folders: Sequence[dict[str, Any]], items: Sequence[dict[str, Any]]
) -> None:
    def write(connection: Connection) -> None:
        connection.execute(insert(models.Folder), folders)
        connection.execute(insert(models.Item), items)

    checkpoint.database.write(write)


def _sizes(files: int) -> Iterator[int]:
    """How many files each folder has."""
    yield from FIRST_FOLDERS
    left = files - sum(FIRST_FOLDERS)
    while left > 0:
        yield min(left, OTHERS)
        left -= OTHERS


def _put(box: Sandbox, top: Folder, number: int, names: range) -> tuple[Folder, list[File]]:
    core, user = box.core, box.core.service_account
    with core.store.lock:
        folder = core.items.create_folder(user, top.id, f"folder {number:05}")
        made = [
            core.items.add_file(user, folder, f"{name}", SIZE, f"{name:040x}", None, DATED, DATED + name)
            for name in names
        ]
        core.store.flush()
    return folder, made


def _folder_row(folder: Folder, tree: TreeRecord, row_id: int, plan_id: int) -> dict[str, Any]:
    return {
        "id": row_id,
        "tree_id": tree.id,
        "parent_id": tree.root_folder_id,
        "depth": 1,
        "name": folder.name,
        "path": f"{TREE}/{folder.name}",
        "box_name": folder.name,
        "status": "uploaded",
        "box_folder_id": folder.id,
        "box_plan_id": plan_id,
        "created_by_plan": True,
        "unproven": False,
    }


def _row(file: File, tree_id: int, folder_id: int, plan_id: int) -> dict[str, Any]:
    return {
        "tree_id": tree_id,
        "folder_id": folder_id,
        "name": file.name,
        "kind": "file",
        "status": "uploaded",
        "size": file.size,
        "modified_ns": file.content_modified * 10**9,
        "created_ns": file.content_created * 10**9,
        "sha1": file.sha1,
        "box_file_id": file.id,
        "box_plan_id": plan_id,
        "box_version_id": file.version_id,
        "in_box": True,
    }
