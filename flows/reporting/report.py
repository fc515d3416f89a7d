"""The report of a plan: HTML to read, a workbook to filter, CSV and JSON of every item. Reads the checkpoint alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from flows.errors import PlanError
from flows.plan.connections import open_checkpoint
from flows.plan.exclude import DEFAULT_EXCLUDE, unused_rules
from flows.plan.model import MigrationPlan
from flows.plan.origin import find_plan
from flows.reporting.course import course_of
from flows.reporting.files import replacing
from flows.reporting.findings import Findings
from flows.reporting.items import write_lines
from flows.reporting.one_tree import of_one_tree, without_free_text
from flows.reporting.page import Told, draw_figures, render
from flows.reporting.shape import Shape
from flows.reporting.status import status_document
from flows.reporting.telling import Telling, silent
from flows.reporting.workbook import workbook
from state.checkpoint import Checkpoint
from state.records import TreeRecord
from state.reports.events import events
from state.reports.history import at_work, samples
from state.reports.lines import item_lines
from state.statuses import EventKind, PassState

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
    """Write report.html, items.csv, items.json and report.xlsx; the paths. `say` gets a line now and then.

    `show` gets the pictures, once they are drawn.

    `tree`: a report of this tree alone, without a word of any other (one_tree.py). `in_box`: the page goes into Box,
    where nothing but the list of entries is beside it.

    `plain`: no pictures and no workbook, which take most of the time; an earlier workbook goes, since it would tell
    of another moment.

    PlanError when nothing is known of the plan yet, and when the folder cannot be written to. An earlier report stays
    whole until the new one is.
    """
    target = folder or plan.path(f"{plan.name}-report")
    document = status_document(plan)
    if document["pass"] is None:
        raise PlanError(f"nothing is known of the plan {plan.name} yet; run: boxhaul migrate")
    if tree is not None:
        document = of_one_tree(document, tree)
    document["in_box"] = in_box
    paths = [target / name for name in FILES if not plain or name != WORKBOOK]
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(paths) as files:
            drawn = _write(plan, document, target, files, say, tree)
        if plain:
            (target / WORKBOOK).unlink(missing_ok=True)
        else:
            show(drawn or ())
    except OSError as exc:
        raise PlanError(f"the report cannot be written into {target} ({exc.strerror or exc})") from exc
    return paths


def _write(
    plan: MigrationPlan,
    document: dict[str, Any],
    target: Path,
    files: list[TextIO],
    say: Callable[[str], object],
    tree: TreeRecord | None = None,
) -> Sequence[Figure] | None:
    """Fill the files: one pass over the items for all of them, then the page. Returns its pictures."""
    page, table, lines, *books = files
    shape = Shape(document["trees"], now=datetime.now(UTC), shown=TREES_WITH_FOLDERS)
    outside = frozenset(tree["name"] for tree in document["trees"] if not tree["in_plan"])
    findings = Findings(outside=outside)
    entries = sum(tree["items"]["total"] + tree["items"]["gone"] for tree in document["trees"])
    with closing(open_checkpoint(plan)) as checkpoint:
        plan_id = find_plan(checkpoint, plan)
        assert plan_id is not None  # noqa: S101  status_document found it
        with ExitStack() as stack:
            # A text file's bytes lie below it, and a workbook is bytes.
            opened = [workbook(cast(Any, book).buffer, target, document["trees"]) for book in books]
            sheets = [stack.enter_context(each).take for each in opened]
            others = (findings.take, shape.take, *sheets, Telling(plan.name, entries, say).take)
            if tree is None:
                write_lines(item_lines(checkpoint, plan_id), table, lines, others)
            else:
                own = map(without_free_text, item_lines(checkpoint, plan_id, tree_id=tree.id))
                write_lines(own, table, lines, others)
        shape.end()
        course = None
        if tree is None:
            _read_events(plan, document, findings, checkpoint, plan_id)
            found = samples(checkpoint, plan_id)
            spans = at_work(checkpoint, plan_id, found)
            course = course_of(plan, document, shape.arrivals, found, spans)
    told = Told(findings=findings, shape=shape, course=course)
    drawn = draw_figures(document, told) if books else None
    page.write(render(plan, document, told, drawn))
    return drawn


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
