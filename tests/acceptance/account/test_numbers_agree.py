"""One number has one meaning and one source: terminal, status, page of the run and report agree after any run."""

from __future__ import annotations

import csv
import io
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from connectors.box.sandbox import Sandbox
from connectors.errors import FatalError
from flows.orchestration.endings import closing_words
from flows.orchestration.overview import overview, progress_words
from flows.orchestration.picture import History
from flows.orchestration.terminal import line, picture
from flows.orchestration.watching import watching_with
from flows.reporting.report import write_report
from flows.reporting.status import COUNTED, status_document, status_table
from flows.reporting.waivers import waive_path
from flows.transfer.migration import Migration
from flows.words import failed_words
from tests.acceptance.account.conftest import Account

DENIED = "access_denied_insufficient_permissions"

#: Runs of one plan, each after another disturbance.
RUNS = 4


def text_of(shown: Any) -> str:
    """What a terminal shows of it."""
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(shown)
    return console.export_text()


class Shown:
    """What was seen of the last run that ended."""

    terminal = live = page = bar = ""

    @contextmanager
    def watcher(self, migration: Migration) -> Iterator[None]:
        """Look at the end, as the terminal and the run's page do."""
        try:
            yield
        finally:
            state = migration.progress.snapshot()
            self.terminal, self.live = line(state).plain, text_of(picture("p", state))
            self.bar = progress_words("p", state)
            reports = migration.checkpoint.tree_reports(migration.tree_ids)
            self.page = overview(migration.plan, state, History(), reports)


def build(share: Path, rng: random.Random) -> None:
    """Two trees of some folders and files."""
    for tree in ("Accounting", "Legal"):
        for number in range(rng.randint(2, 5)):
            folder = share / tree / rng.choice(["", "sub", "sub/deep", "other"])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{tree[0]}{number}{rng.choice(['.txt', '.tmp'])}").write_bytes(
                b"x" * rng.randint(0, 9)
            )


def disturb(account: Account, box: Sandbox, share: Path, rng: random.Random) -> None:
    """Something goes: deleted, refused, excluded, waived, or a tree that is in the plan alone."""
    files = sorted(path for path in share.rglob("*") if path.is_file())
    victim = rng.choice(files)
    kind = rng.choice(["delete", "refuse", "refuse folder", "exclude", "waive", "missing tree", "grow"])
    if kind == "delete" and len(files) > 3:
        victim.unlink()
    elif kind == "refuse":
        box.faults.next("POST /files/content").about(victim.name).status(403, error=DENIED).times(None)
    elif kind == "refuse folder":
        box.faults.next("POST /folders").about(rng.choice(["sub", "deep", "other"])).status(
            403, error=DENIED
        ).times(None)
    elif kind == "exclude":
        account.change(exclude=rng.choice([["*.tmp"], [], ["deep", "L0*"]]))
    elif kind == "missing tree":
        account.change(trees=[{"source": "Accounting"}, {"source": "Legal"}, {"source": "Nowhere"}])
    elif kind == "grow":
        victim.write_bytes(b"y" * 12)
    else:
        with suppress(Exception):
            waive_path(
                account.plan, rng.choice(["Accounting", "Legal", "Nowhere"]), why="left in the old house"
            )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.gate(2)
def test_every_number_is_the_same_wherever_it_stands(
    account: Account, box: Sandbox, share: Path, seed: int
) -> None:
    """Failures, waivers, exclusions, what is gone and a kill: after each run all who show a number show this one."""
    rng, shown = random.Random(seed), Shown()
    shutil.rmtree(share)
    build(share, rng)
    for run in range(RUNS):
        if run:
            disturb(account, box, share, rng)
        if run == 1 and account.program.kill_when(lambda: bool(box.files())):
            agree(account)
        if rng.random() < 0.2:
            box.faults.next("POST /files/content").status(401, error="unauthorized").times(3)
        with suppress(FatalError), watching_with(shown.watcher):
            summary = account.migrate(check=False)
            agree_on_the_screen(shown, status_document(account.plan), summary)
        agree(account)


def agree(account: Account) -> None:
    """Status, report and its lines say the same of the whole plan."""
    document = status_document(account.plan)
    paths = write_report(account.plan)
    with paths[1].open(newline="") as file:
        lines = list(csv.DictReader(file))
    totals = document["totals"]
    for part, chosen in (("items", lines), ("files", [each for each in lines if each["kind"] == "file"])):
        counts = Counter(each["status"] for each in chosen)
        counts["total"] = len(chosen) - counts["gone"]
        assert totals[part] == {name: counts[name] for name in COUNTED}, part
    page = paths[0].read_text()
    tiles = {words: number for number, words in re.findall(r"<b>([^<]*)</b><span>([^<]*)</span>", page)}
    items = totals["items"]
    assert str(items["total"]) == tiles["entries found"]
    assert str(items["failed"]) == tiles["failed"]
    assert str(items["pending"]) == tiles["pending"]
    assert str(items["waived"]) == tiles["waived by a person"]
    assert f"<h2>Failed ({items['failed']})</h2>" in page
    assert items["total"] == sum(items[name] for name in COUNTED if name not in ("total", "gone"))
    assert sum(sum(tree["failures_by_reason"].values()) for tree in document["trees"]) == items["failed"]
    files = totals["files"]
    moved = (
        f"files alone: {files['uploaded']} of {files['total'] - files['excluded'] - files['waived']} in Box"
    )
    assert moved in text_of(status_table(document))


def agree_on_the_screen(shown: Shown, document: dict[str, Any], summary: dict[str, Any]) -> None:
    """What a run showed of itself last is what status says of its trees."""
    totals = document["totals"]
    files, items = totals["files"], totals["items"]
    to_move = files["total"] - files["excluded"] - files["waived"]
    moved, failed = f"{files['uploaded']} of {to_move}", failed_words(items["failed"])
    assert f"{moved} files" in shown.terminal
    assert f"{failed}, " in shown.terminal
    assert failed in shown.live
    assert f"{moved} in Box" in shown.live
    assert shown.bar.startswith(f"{moved} files, ")
    assert f"| files | {moved} |" in shown.page
    assert f"| failed | {failed.removesuffix(' failed')} |" in shown.page
    told = closing_words(summary)
    assert failed in told or f"{files['uploaded']} file" in told
    for tree in document["trees"]:
        counts = tree["items"]
        out = counts["total"] - counts["excluded"] - counts["waived"]
        row = rf"\| .*{tree['name']}.* \| {counts['uploaded']} \| {out} \| .* \| {counts['failed']} \|"
        assert re.search(row, shown.page), (row, shown.page)
