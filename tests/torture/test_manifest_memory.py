"""A manifest of any length is written and checked in bounded memory (P9): under 200 MB."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from state.checkpoint import Checkpoint
from state.database.models import Folder, Item
from state.records import TreeSpec
from tests.forking import ROOT
from tests.sampling import sampled

IN_A_FOLDER = 1_000
MOST_MEGABYTES = 200

#: Writes and then checks a manifest; prints the peak of the memory in MB and what was found.
WORK = """
import json, sys
from pathlib import Path
from flows.plan.model import MigrationPlan
from flows.reconciliation.checking import check_manifest
from flows.reconciliation.manifest import write_manifest
folder = Path(sys.argv[1])
plan = MigrationPlan.model_validate(json.loads((folder / "plan.json").read_text()))
write_manifest(plan, folder / "m.jsonl", None)
found = check_manifest(folder / "m.jsonl", folder / "m.jsonl.pub")
# Not ru_maxrss: that of whoever forked this process counts in it.
status = Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps({"peak": peak, "agrees": found["agrees"], "files": found["checked"]["files"]}))
"""


@pytest.mark.parametrize(("files",), sampled([(20_000,), (1_000_000,)], every=2))
def test_memory_stays(tmp_path: Path, files: int) -> None:
    """Twenty thousand lines in the gate, a million in the torture: the same bound."""
    fill(tmp_path, files)

    finished = subprocess.run(
        [sys.executable, "-c", WORK, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1_500,
        check=True,
    )

    found = json.loads(finished.stdout)
    assert {"agrees": True, "files": files}.items() <= found.items()
    assert found["peak"] < MOST_MEGABYTES, found


def fill(folder: Path, files: int) -> None:
    """A checkpoint in which so many files were uploaded, a thousand to a folder, and the plan of it."""
    document: dict[str, Any] = {
        "name": "many",
        "source": {"url": "file:///share"},
        "box": {"auth": {"method": "jwt", "config_file": "none.json"}},
        "state_url": f"sqlite:///{folder}/state.db",
        "base_dir": str(folder),
    }
    (folder / "plan.json").write_text(json.dumps(document))
    with Checkpoint.open(document["state_url"]) as checkpoint:
        plan_id = checkpoint.ensure_plan(name="many", source_url="file:///share", landing_folder_id="0")
        [tree] = checkpoint.ensure_trees(plan_id, [TreeSpec(source="A", folder="A", name="A")])
        count = files // IN_A_FOLDER
        first = tree.root_folder_id + 1
        checkpoint.database.write(
            lambda connection: connection.execute(
                insert(Folder), list(folder_rows(tree.id, tree.root_folder_id, first, count))
            )
        )
        for number in range(count):
            rows = list(item_rows(plan_id, tree.id, first, number))
            checkpoint.database.write(lambda connection, rows=rows: connection.execute(insert(Item), rows))


def folder_rows(tree_id: int, root_id: int, first: int, count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "id": first + number,
            "tree_id": tree_id,
            "parent_id": root_id,
            "depth": 1,
            "name": f"f{number:06}",
            "path": f"A/f{number:06}",
            "box_name": f"f{number:06}",
            "status": "uploaded",
            "box_folder_id": str(10**9 + number),
        }


def item_rows(plan_id: int, tree_id: int, first: int, folder: int) -> Iterator[dict[str, Any]]:
    for number in range(IN_A_FOLDER):
        serial = folder * IN_A_FOLDER + number
        yield {
            "tree_id": tree_id,
            "folder_id": first + folder,
            "name": f"a file of a usual length {number:06}.docx",
            "kind": "file",
            "status": "uploaded",
            "size": 12_345,
            "modified_ns": 1_700_000_000_000_000_000 + serial,
            "created_ns": 1_600_000_000_000_000_000,
            "sha1": f"{serial:040x}",
            "box_file_id": str(2 * 10**9 + serial),
            "box_plan_id": plan_id,
            "box_version_id": str(3 * 10**9 + serial),
            "in_box": True,
        }
