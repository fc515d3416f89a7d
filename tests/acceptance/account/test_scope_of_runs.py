"""A run changes facts of what it was asked to do, and of nothing else: drawn states, drawn commands, each scope."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from flows.commands.inventory import inventory_share
from flows.commands.retry import retry_failures
from flows.commands.simulate import simulate_pass
from flows.commands.verify import verify_share
from flows.commands.watch import watch_box
from flows.errors import PlanError
from flows.migrate import migrate_share
from flows.plan.connections import known_plan, open_checkpoint
from flows.plan.filters import FilterPlan
from flows.reporting.report import write_report
from flows.reporting.status import status_document
from flows.reporting.waivers import unwaive_path, waive_path
from state.records import ItemLine
from state.reports.lines import item_lines
from state.statuses import ItemStatus
from tests.acceptance.account.conftest import Account

TREES = ("Accounting", "Legal", "Sales")

#: Refusals of one entry, by what Box answers and the reason by which the report names it.
REFUSALS = {"forbidden_by_policy": (403, "rejected"), "bad_digest": (400, "digest_mismatch")}

#: Commands after the first run of one plan, each after another disturbance of the share.
COMMANDS = 5

WHY = "left in the old house"


@dataclass(frozen=True)
class Command:
    """What is run, and whose facts it may change: lines, as they were before, and trees by their name."""

    name: str
    run: Callable[[], Any]
    line: Callable[[ItemLine], bool] = lambda line: False
    tree: Callable[[str], bool] = lambda name: False


@dataclass(frozen=True)
class Facts:
    """What the checkpoint says of every entry and every tree."""

    lines: Mapping[tuple[str, str], ItemLine]
    trees: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, account: Account) -> Facts:
        with closing(open_checkpoint(account.plan)) as checkpoint:
            plan_id = known_plan(account.plan, checkpoint)
            lines = {(line.tree, line.path): line for line in item_lines(checkpoint, plan_id)}
        trees = {tree["name"]: tree for tree in status_document(account.plan)["trees"]}
        return cls(lines, trees)


def below(path: str, line: ItemLine) -> bool:
    """Tell whether the line is of this path, or of one below it."""
    return line.path == path or line.path.startswith(f"{path}/")


def drawn(account: Account, rng: random.Random, before: Facts, touched: Collection[str]) -> Command:
    """Return one command of all that have a scope. `touched`: paths at which people worked since the first run."""
    plan, tree = account.plan, rng.choice(TREES)
    files = [line for line in before.lines.values() if line.kind == "file"]
    failed = [line for line in before.lines.values() if line.status is ItemStatus.FAILED]
    waived = [line for line in before.lines.values() if line.status is ItemStatus.WAIVED]
    victim, taken = rng.choice(failed or files), rng.choice(waived or files)
    _, reason = rng.choice(list(REFUSALS.values()))

    def tried(line: ItemLine) -> bool:
        """A retry is a pass that tries failures of this reason and no other; what people touch is sent as ever."""
        return line.status is not ItemStatus.FAILED or line.reason == reason or line.path in touched

    of_tree = {"line": lambda line: line.tree == tree, "tree": lambda name: name == tree}
    return rng.choice(
        [
            Command("migrate", lambda: account_migrate(account, trees=[tree]), **of_tree),
            Command("checksum", lambda: account_migrate(account, trees=[tree], checksum=True), **of_tree),
            Command("since", lambda: account_migrate(account, trees=[tree], since="1h"), **of_tree),
            Command("retry", lambda: retry_failures(plan, trees=[tree], check=False), **of_tree),
            Command(
                "retry --reason",
                lambda: retry_failures(plan, reason=reason, check=False),
                line=tried,
                tree=lambda name: True,
            ),
            Command(
                "retry --reason --tree",
                lambda: retry_failures(plan, reason=reason, trees=[tree], check=False),
                line=lambda line: line.tree == tree and tried(line),
                tree=lambda name: name == tree,
            ),
            Command(
                "filters",
                lambda: account_migrate(account, trees=[tree], filters=FilterPlan(include=["*1.txt"])),
                **of_tree,
            ),
            Command(
                "waive",
                lambda: waive_path(plan, victim.path, why=WHY),
                line=lambda line: below(victim.path, line) and line.status is ItemStatus.FAILED,
                tree=lambda name: name == victim.tree,
            ),
            Command(
                "unwaive",
                lambda: unwaive_path(plan, taken.path),
                line=lambda line: below(taken.path, line) and line.status is ItemStatus.WAIVED,
                tree=lambda name: name == taken.tree,
            ),
            Command("simulate", lambda: simulate_pass(plan)),
            Command("simulate --tree", lambda: simulate_pass(plan, trees=[tree])),
            Command("inventory", lambda: inventory_share(plan)),
            Command("verify", lambda: verify_share(plan, source=True)),
            Command("watch", lambda: watch_box(plan)),
            Command("check", lambda: account.check()),
            Command("collaborate --dry-run", lambda: account.collaborate(dry_run=True)),
            Command("report", lambda: write_report(plan)),
        ]
    )


def account_migrate(account: Account, **options: Any) -> None:
    """One run of `migrate` with these options."""
    migrate_share.fn(account.plan, check=False, **options)


def build(share: Path, rng: random.Random) -> None:
    """Three trees of a few folders and files."""
    shutil.rmtree(share)
    for tree in TREES:
        for number in range(rng.randint(3, 6)):
            folder = share / tree / rng.choice(["", "sub", "sub/deep", "other"])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{tree[0]}{number}.txt").write_bytes(b"x" * rng.randint(0, 9))


def disturb(box: Sandbox, share: Path, rng: random.Random) -> list[str]:
    """People work on in all of the share, and Box refuses some of it for one of two reasons. Return where they did."""
    files = sorted(path for path in share.rglob("*") if path.is_file())
    touched = rng.sample(files, k=min(3, len(files)))
    for path in touched:
        match rng.choice(["delete", "edit", "rename", "new"]):
            case "delete" if len(files) > 8:
                path.unlink()
            case "rename":
                path.rename(path.with_name(f"r{path.name}"))
            case "new":
                path.with_name(f"n{path.name}").write_bytes(b"new")
            case _:
                path.write_bytes(b"edited" * rng.randint(2, 4))
    box.faults.clear()
    for path in rng.sample(files, k=min(4, len(files))):
        error = rng.choice(list(REFUSALS))
        box.faults.next("POST /files/content").about(path.name).status(REFUSALS[error][0], error=error).times(
            None
        )
    return [str(path.relative_to(share)) for path in touched]


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.gate(2)
def test_run_changes_no_fact_outside_of_its_scope(
    account: Account, box: Sandbox, share: Path, seed: int
) -> None:
    """Every line, and every tree, that the command was not asked about is as it was before."""
    rng = random.Random(seed)
    build(share, rng)
    account.change(trees=[{"source": tree} for tree in TREES], transfer={"max_attempts": 1})
    disturb(box, share, rng)
    account_migrate(account)
    touched: set[str] = set()
    for _ in range(COMMANDS):
        touched.update(disturb(box, share, rng))
        before = Facts.of(account)
        command = drawn(account, rng, before, touched)
        with suppress(PlanError):  # nothing failed so, nothing is waived there: refused, and nothing changes
            command.run()
        after = Facts.of(account)

        for key, line in before.lines.items():
            walked = after.lines[key].walked_pass if command.tree(line.tree) else line.walked_pass
            assert command.line(line) or line._replace(walked_pass=walked) == after.lines[key], command.name
        for key, line in after.lines.items():
            assert key in before.lines or command.tree(line.tree), command.name
        for name, tree in before.trees.items():
            assert command.tree(name) or tree == after.trees[name], command.name
