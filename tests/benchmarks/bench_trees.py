"""CPU seconds for each tree of 5,000 and of 20,000: twice the trees must cost no more than twice the work.

Measured are loading the plan, and a pass with nothing to do over local folders. The trees are written into the
checkpoint as an earlier pass would leave them, so that nothing is sent and Box answers no more than who signs in.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from connectors.box.sandbox import Sandbox
from flows.plan.connections import open_checkpoint, unopened_share
from flows.plan.exclude import ExcludeRules
from flows.plan.file import load_plan
from flows.plan.model import MigrationPlan, TreePlan
from flows.plan.origin import begin_plan
from flows.sharing.access import collaborator_spec
from state.checkpoint import Checkpoint
from state.records import TreeRecord, TreeSpec
from state.statuses import CollaborationStatus, PassState, TreeState
from tests.benchmarks.measuring import measure
from tests.benchmarks.results import Row, table
from tests.program import Program, program_for

FEW, MANY = 5_000, 20_000
#: Arguments for a quick look.
QUICK: dict[str, Any] = {"few": 200, "many": 800}

LOAD = "import sys; from pathlib import Path; from flows.plan.file import load_plan; load_plan(Path(sys.argv[1]))"


def main(few: int = FEW, many: int = MANY) -> list[Row]:
    """The CPU time of both commands at both sizes; the ratios for each tree are printed."""
    with tempfile.TemporaryDirectory(prefix="boxhaul-bench-") as name, Sandbox(content="hash") as box:
        programs = {count: _program(Path(name) / str(count), box, count) for count in (few, many)}
        nothing = measure([sys.executable, "-c", "import flows.cli"]).cpu_seconds
        rows = _compare("load the plan", programs, ["-c", LOAD], nothing)
        for program in programs.values():
            _as_an_earlier_pass_left_them(load_plan(program.plan_path))
        command = ["-m", "flows.cli", "migrate"]
        return rows + _compare("a pass with nothing to do", programs, command, nothing)


def _compare(what: str, programs: dict[int, Program], command: list[str], nothing: float) -> list[Row]:
    """`nothing`: CPU seconds of a program that starts and ends."""
    each: list[float] = []
    rows = []
    for count, program in programs.items():
        took = measure([sys.executable, *command, str(program.plan_path)]).cpu_seconds
        each.append((took - nothing) / count)
        figures = {"CPU s": took, "CPU ms a tree": 1000 * each[-1]}
        rows.append(Row(f"{what}: {count:,} trees", "ours", figures))
    print(f"ratio: {each[1] / each[0]:.2f} for each tree, {what}", flush=True)
    return rows


def _program(folder: Path, box: Sandbox, count: int) -> Program:
    names = [f"user {number:05d}" for number in range(count)]
    for name in names:
        (folder / "share" / name).mkdir(parents=True)
    trees = [
        {
            "source": name,
            "folder": f"Home/{name}",
            "collaborators": [{"login": f"{name[5:]}@example.com", "role": "editor"}],
        }
        for name in names
    ]
    return program_for(folder / "run", box, {"url": (folder / "share").as_uri()}, trees=trees)


def _as_an_earlier_pass_left_them(plan: MigrationPlan) -> None:
    with closing(open_checkpoint(plan, create=True)) as checkpoint:
        with closing(unopened_share(plan)) as source:
            plan_id = begin_plan(checkpoint, plan, source_url=source.display_url, auth=plan.box.auth)
        specs = [
            TreeSpec(source=tree.source, folder=tree.box_path, name=tree.box_path) for tree in plan.trees
        ]
        trees = checkpoint.ensure_trees(plan_id, specs)
        pass_id = checkpoint.begin_pass(plan_id, kind="migrate", rules=ExcludeRules(plan.exclude).digest)
        for tree, planned in zip(trees, plan.trees, strict=True):
            _complete(checkpoint, pass_id, tree, planned)
        checkpoint.end_pass(pass_id, PassState.COMPLETE, summary={})


def _complete(checkpoint: Checkpoint, pass_id: int, tree: TreeRecord, planned: TreePlan) -> None:
    checkpoint.record_folder_created(
        tree.root_folder_id, box_folder_id=f"9{tree.id}", box_name=planned.source, adopted=False
    )
    checkpoint.record_listing(tree.root_folder_id, pass_id, [])
    checkpoint.record_verified(tree.id)
    people = [collaborator_spec(person) for person in planned.collaborators]
    for record in checkpoint.ensure_collaborations(tree.id, people):
        checkpoint.record_collaboration(
            record.id, status=CollaborationStatus.ACCEPTED, box_collaboration_id=f"8{record.id}"
        )
    checkpoint.set_tree_state(tree.id, TreeState.COMPLETE)


if __name__ == "__main__":
    print(table(main()))
