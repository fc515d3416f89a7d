"""The report of a plan: HTML to read, a workbook to filter, CSV and JSON of every item. Reads the checkpoint alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from flows.errors import Interrupted, PlanError
from flows.plan.connections import known_plan, open_checkpoint
from flows.plan.exclude import DEFAULT_EXCLUDE, unused_rules
from flows.plan.model import MigrationPlan
from flows.reporting.course import course_of
from flows.reporting.files import replacing
from flows.reporting.findings import LISTED, Findings
from flows.reporting.items import write_lines
from flows.reporting.one_tree import of_one_tree, plain_reason, without_free_text
from flows.reporting.page import Told, draw_figures, render
from flows.reporting.shape import Shape
from flows.reporting.status import status_document
from flows.reporting.telling import Telling, silent
from flows.reporting.workbook import workbook
from state.checkpoint import Checkpoint
from state.records import TreeRecord
from state.reports.events import events
from state.reports.files import files, folder_paths, folder_sums
from state.reports.history import at_work, samples
from state.reports.lines import item_lines
from state.reports.lists import Scope, first_lines, never_seen, not_moved
from state.statuses import EventKind, Listed, PassState

if TYPE_CHECKING:
    from flows.reporting.pictures.drawing import Figure

#: What a report consists of, the page first.
WORKBOOK = "report.xlsx"
FILES = ("report.html", "items.csv", "items.json", WORKBOOK)

#: Trees, the largest, whose folders the picture of the share shows, too.
TREES_WITH_FOLDERS = 12


def write_report(
    plan: MigrationPlan,
    folder: Path | None = None,
    *,
    plain: bool = False,
    tree: TreeRecord | None = None,
    in_box: bool = False,
    say: Callable[[str], object] = silent,
    show: Callable[[Sequence[Figure]], object] = silent,
) -> list[Path]:
    """Write report.html first, and then items.csv, items.json and report.xlsx; the paths.

    The page is made of sums and of the first lines of each kind, and is there long before the lists of every entry are.
    `say` gets a line now and then, `show` the pictures, once they are drawn.
    `tree`: a report of this tree alone, without a word of any other (one_tree.py). `in_box`: the page goes into Box,
    where nothing but the list of entries is beside it.

    `plain`: no pictures and no workbook, which take most of the time; an earlier workbook goes, since it would tell
    of another moment.

    PlanError when nothing is known of the plan yet, and when the folder cannot be written to. Earlier lists stay whole
    until the new ones are, and so does an earlier page. Interrupted, which says so where the page alone is new.
    """
    target = folder or plan.path(f"{plan.name}-report")
    document = status_document(plan)
    if document["pass"] is None:
        raise PlanError(f"nothing is known of the plan {plan.name} yet; run: boxhaul migrate")
    if tree is not None:
        document = of_one_tree(document, tree)
    document["in_box"] = in_box
    page, *lists = [target / name for name in FILES if not plain or name != WORKBOOK]
    so_far = ""
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(open_checkpoint(plan)) as checkpoint:
            with replacing([page]) as [file]:
                drawn = _write_page(plan, document, file, checkpoint, tree, plain=plain)
            so_far = f"; {page.name} is new, and the lists beside it are older, or missing"
            if not plain:
                show(drawn or ())
            with replacing(lists) as opened:
                _write_lists(plan, document, target, opened, checkpoint, say, tree)
        if plain:
            (target / WORKBOOK).unlink(missing_ok=True)
    except OSError as exc:
        why = exc.strerror or exc
        raise PlanError(f"the report cannot be written into {target} ({why}){so_far}") from exc
    except KeyboardInterrupt as exc:
        raise Interrupted(f"interrupted{so_far or '; the report is as it was'}") from exc
    return [page, *lists]


def _write_page(
    plan: MigrationPlan,
    document: dict[str, Any],
    page: TextIO,
    checkpoint: Checkpoint,
    tree: TreeRecord | None,
    *,
    plain: bool,
) -> Sequence[Figure] | None:
    """Write the page; its pictures."""
    plan_id = known_plan(plan, checkpoint)
    told = Told(
        findings=_findings(document, checkpoint, plan_id, tree),
        shape=_shape(document, checkpoint, plan_id, tree),
        course=None,
    )
    if tree is None:
        _read_events(plan, document, told.findings, checkpoint, plan_id)
        found = samples(checkpoint, plan_id)
        spans = at_work(checkpoint, plan_id, found)
        told = replace(told, course=course_of(plan, document, told.shape.arrivals, found, spans))
    drawn = None if plain else draw_figures(document, told)
    page.write(render(plan, document, told, drawn))
    return drawn


def _findings(
    document: dict[str, Any], checkpoint: Checkpoint, plan_id: int, tree: TreeRecord | None
) -> Findings:
    """The first lines of each kind, and how many there are of which reason; not of trees that left the plan."""
    outside = {each["name"] for each in document["trees"] if not each["in_plan"]}
    without = {each.id for each in checkpoint.trees(plan_id) if each.name in outside}
    scope = Scope(plan_id=plan_id, tree_id=None if tree is None else tree.id, without=without)
    findings = Findings(never_seen_count=never_seen(checkpoint, scope))
    for kind in Listed:
        found, lines = first_lines(checkpoint, scope, kind, limit=LISTED)
        findings.list_lines(kind, found, lines if tree is None else map(without_free_text, lines))
    for status, reason, in_box, count in not_moved(checkpoint, scope):
        told = reason if tree is None else plain_reason(reason)
        findings.count_not_moved(status, told, in_box=in_box, count=count)
    return findings


def _shape(document: dict[str, Any], checkpoint: Checkpoint, plan_id: int, tree: TreeRecord | None) -> Shape:
    shape = Shape(document["trees"], now=datetime.now(UTC), shown=TREES_WITH_FOLDERS)
    shape.take_files(files(checkpoint, plan_id, tree_id=None if tree is None else tree.id))
    shape.take_folders(folder_sums(checkpoint, plan_id, shape.shown))
    shape.name_slowest(folder_paths(checkpoint, shape.slow_folders()))
    return shape


def _write_lists(
    plan: MigrationPlan,
    document: dict[str, Any],
    target: Path,
    lists: Sequence[TextIO],
    checkpoint: Checkpoint,
    say: Callable[[str], object],
    tree: TreeRecord | None,
) -> None:
    """Fill the files that have every entry, in one pass over the items for all of them."""
    table, lines, *books = lists
    entries = sum(each["items"]["total"] + each["items"]["gone"] for each in document["trees"])
    plan_id = known_plan(plan, checkpoint)
    with ExitStack() as stack:
        # A text file's bytes lie below it, and a workbook is bytes.
        opened = [workbook(cast(Any, book).buffer, target, document["trees"]) for book in books]
        sheets = [stack.enter_context(each).take for each in opened]
        others = (*sheets, Telling(plan.name, entries, say).take)
        items = item_lines(checkpoint, plan_id, tree_id=None if tree is None else tree.id)
        write_lines(items if tree is None else map(without_free_text, items), table, lines, others)


def _read_events(
    plan: MigrationPlan, document: dict[str, Any], findings: Findings, checkpoint: Checkpoint, plan_id: int
) -> None:
    lines = events(checkpoint, plan_id)
    if document["pass_state"] != PassState.RUNNING:
        findings.note_unused_rules(unused_rules(plan.exclude, findings.excluded_reasons, DEFAULT_EXCLUDE))
    findings.read_events(
        (line for line in lines if plan.trees or line.kind != EventKind.NOT_COVERED),
        last_pass=checkpoint.last_pass(plan_id),
    )
