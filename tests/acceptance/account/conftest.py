"""A small share, a plan for it, and the flows as functions of this process: the program itself where it is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.check import check_plan
from flows.collaborate import collaborate_share
from flows.migrate import migrate_share
from flows.plan.file import load_plan
from flows.plan.model import MigrationPlan
from tests.program import Program, program_for
from tests.trees import Tree, build_tree

SHARE: Tree = {"Accounting": {"a.txt": b"aa", "sub": {"b.txt": b"b"}}, "Legal": {"c.txt": b"c"}}


class Account:
    """One plan, and what may be done with it without a process of its own."""

    def __init__(self, program: Program) -> None:
        self.program = program

    @property
    def plan(self) -> MigrationPlan:
        """The plan file as it is now."""
        return load_plan(self.program.plan_path)

    def change(self, **changes: Any) -> None:
        """Change top-level keys of the plan."""
        self.program.write_plan(**changes)

    def change_box(self, **changes: Any) -> None:
        """Change keys of the plan's box section."""
        self.program.write_plan(box=self.program.plan["box"] | changes)

    def check(self, set_space: str = "") -> dict[str, Any]:
        """The document of `boxhaul check`."""
        return check_plan.fn(self.plan, set_space)

    def rows(self, set_space: str = "") -> dict[str, dict[str, str]]:
        """The check's rows by name; the worst of a name that has several."""
        order = ("ok", "warning", "problem")
        rows: dict[str, dict[str, str]] = {}
        for row in self.check(set_space)["checks"]:
            before = rows.get(row["name"])
            if before is None or order.index(row["state"]) > order.index(before["state"]):
                rows[row["name"]] = row
        return rows

    def migrate(self, *, check: bool = True) -> dict[str, Any]:
        """One run."""
        return migrate_share.fn(self.plan, check=check)

    def collaborate(self, *, prune: bool = False, dry_run: bool = False) -> dict[str, str]:
        """`boxhaul collaborate`: who → what was done."""
        trees = collaborate_share.fn(self.plan, prune, dry_run)["trees"]
        return {each["who"]: each["action"] for tree in trees for each in tree["people"]}


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Two trees of three small files."""
    root = tmp_path / "share"
    root.mkdir()
    build_tree(root, SHARE)
    return root


@pytest.fixture
def account(tmp_path: Path, box: Sandbox, share: Path) -> Account:
    """A plan that moves that share into the sandbox, and lets nobody in yet."""
    trees = [{"source": "Accounting"}, {"source": "Legal"}]
    return Account(program_for(tmp_path / "run", box, {"url": f"file://{share}"}, trees=trees))


@pytest.fixture
def people(account: Account) -> Any:
    """Set the people of the tree Accounting."""

    def set_people(*collaborators: dict[str, Any], **options: Any) -> None:
        account.change(
            trees=[{"source": "Accounting", "collaborators": list(collaborators)}, {"source": "Legal"}],
            **options,
        )

    return set_people
