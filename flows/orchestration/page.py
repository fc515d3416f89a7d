"""What a watcher sees on the page of a flow run: an overview, progress of the whole and of each tree, tables.

A thread of its own asks the counters now and then and tells Prefect; when Prefect does not answer, the page is late
and nothing else happens. Costs a few API calls a minute at first and fewer the longer the run lasts.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.context import FlowRunContext

from flows.orchestration.artifacts import Artifacts
from flows.orchestration.overview import overview, progress_words, report_words, share_done, whole_of
from flows.orchestration.picture import History, Whole
from flows.reporting.failures import first_by_reason
from flows.reporting.report import write_report
from flows.run.leases import Part
from flows.transfer.migration import Migration
from flows.words import counted, normal_form, printable, size_words, slug
from state.records import Counts, TreeReport
from state.reports.events import events
from state.reports.lines import failures
from state.reports.sums import add_up
from state.statuses import EventKind, TreeState

if TYPE_CHECKING:
    from flows.reporting.pictures.drawing import Figure

log = logging.getLogger(__name__)

#: Seconds until the first pictures, then between them; later a thirtieth of the time passed, at most the last one.
FIRST_SECONDS, USUAL_SECONDS, LONGEST_SECONDS = 2.0, 15.0, 600.0
TIME_PASSED_PER_PICTURE = 30

#: Every so many pictures the trees and the overview are drawn anew.
PICTURES_PER_OVERVIEW = 4

#: Trees with a progress of their own, and how many of them are redrawn at a time.
TREES_SHOWN, TREES_AT_ONCE = 50, 3

#: Trees whose sums are read for the overview; each is a scan of the tree's part of an index.
TREES_LISTED = 200

#: Failed entries that are listed; the report has them all.
FAILED_LISTED = 100

#: Seconds between two points of the curve that the checkpoint keeps for later runs.
REMEMBERED_SECONDS = 600.0

#: Seconds that the end of the run waits for the last picture, and for the tables and the report of a finished one.
LAST_PICTURE_SECONDS, LAST_TABLES_SECONDS = 4.0, 120.0


@contextmanager
def shown(migration: Migration) -> Iterator[None]:
    """Keep the run's page up to date while the body lasts."""
    if migration.part is Part.SENDING:
        yield  # the run that conducts shows the whole
        return
    context = FlowRunContext.get()
    assert context is not None and context.flow_run is not None  # noqa: S101  watched() looked
    page = _RunPage(migration, context.flow_run.id)
    done = threading.Event()
    finished = False
    thread = threading.Thread(target=page.draw_until, args=(done,), name="page", daemon=True)
    thread.start()
    try:
        yield
        finished = True
    finally:
        page.finished = finished
        done.set()
        thread.join(timeout=LAST_TABLES_SECONDS if finished else LAST_PICTURE_SECONDS)


def picture_pause(seconds_passed: float, pictures: int) -> float:
    """Seconds until the next picture: quick while somebody is likely to look, rare when days pass."""
    if pictures < 2:
        return FIRST_SECONDS
    return min(LONGEST_SECONDS, max(USUAL_SECONDS, seconds_passed / TIME_PASSED_PER_PICTURE))


class _RunPage:
    def __init__(self, migration: Migration, flow_run_id: UUID) -> None:
        self._migration = migration
        self._key = slug(migration.plan.name)
        self._artifacts = Artifacts(flow_run_id, first=f"{self._key}-overview")
        self._began = time.monotonic()
        self._curve = _Curve(migration)
        self._drawn: dict[int, tuple[int, str]] = {}
        self._failed_drawn = 0
        self._report: Path | None = None
        self.finished = False

    def draw_until(self, done: threading.Event) -> None:
        """Draw now and then, and once more at the end."""
        pictures = 0
        while not done.wait(picture_pause(time.monotonic() - self._began, pictures)):
            if pictures == 0:
                self._try(self._draw_overview)
            self._try(self._draw_whole)
            if pictures % PICTURES_PER_OVERVIEW == 1:
                self._try(self._draw_trees)
                self._try(self._draw_failures)
                self._try(self._draw_overview)
            pictures += 1
        self._try(self._draw_overview)
        self._try(self._draw_whole)
        self._try(self._draw_trees)
        self._try(self._draw_failures)
        if self.finished:
            self._try(self._draw_report)
            self._try(self._draw_overview)

    def _try(self, draw: Callable[[], None]) -> None:
        try:
            draw()
        except Exception as exc:  # noqa: BLE001  the bytes go on, whatever the control plane does
            log.debug("the run's page is late: %s", type(exc).__name__)

    def _draw_whole(self) -> None:
        migration = self._migration
        statistics = migration.box.statistics()
        migration.progress.called(
            calls=statistics.calls, rate_limited=statistics.rate_limited, bytes_sent=statistics.bytes_sent
        )
        state = migration.progress.snapshot()
        words = progress_words(migration.plan.name, state)
        self._artifacts.put("progress", f"{self._key}-all", share_done(state), words)

    def _draw_trees(self) -> None:
        drawn = 0
        at_once = TREES_SHOWN if self.finished else TREES_AT_ONCE
        for report in self._tree_reports(TREES_SHOWN):
            counts, tree = report.items, report.tree
            now = (counts.uploaded, tree.state.value)
            if self._drawn.get(tree.id) == now or not counts.total or drawn >= at_once:
                continue
            self._drawn[tree.id] = now
            drawn += 1
            done = 100.0 * counts.uploaded / max(1, counts.to_move)
            # Not all there before Box's own listing agrees.
            percent = 100.0 if tree.state is TreeState.COMPLETE else min(99.0, done)
            state = tree.state.value + (f": {tree.incomplete_reason.value}" if tree.incomplete_reason else "")
            words = (
                f"{counts.uploaded:,} of {counts.to_move:,} entries in Box,"
                f" {size_words(counts.bytes_uploaded)} of {size_words(counts.bytes_total)};"
                f" {printable(tree.name)}, {state}"
            )
            key = f"{self._key}-tree-{tree.id}-{slug(tree.name)}"[:200]
            self._artifacts.put("progress", key, percent, words)

    def _draw_overview(self) -> None:
        migration = self._migration
        state = migration.progress.snapshot()
        whole = whole_of(state, self._curve.others)
        text = overview(
            migration.plan,
            state,
            self._curve.up_to(whole, ends=self.finished),
            self._tree_reports(TREES_LISTED),
            more_trees=max(0, len(migration.trees) - TREES_LISTED),
            whole=whole,
            report=self._report,
        )
        self._artifacts.put("markdown", f"{self._key}-overview", text, f"{migration.plan.name}: overview")

    def _draw_failures(self) -> None:
        """The first of what is failed now, when that has changed."""
        migration = self._migration
        number = migration.progress.snapshot().failed
        if number == self._failed_drawn and not self.finished:
            return
        self._failed_drawn = number
        names = {tree.name for tree in migration.trees}
        lines = (each for each in failures(migration.checkpoint, migration.plan_id) if each.tree in names)
        rows = [
            {
                "reason": line.reason,
                "path": printable(line.path),
                "tree": printable(line.tree),
                "what happened": printable(line.detail or ""),
            }
            for line in first_by_reason(lines, limit=FAILED_LISTED)
        ]
        of = counted(number, "failed entry", "failed entries")
        words = f"{migration.plan.name}: {len(rows):,} of {of}, by reason"
        self._table("failures", rows, words)

    def _table(self, name: str, rows: Sequence[dict[str, Any]], words: str) -> None:
        """These rows as a table; none at all, where an earlier attempt had some, is no table."""
        if rows:
            self._artifacts.put("table", f"{self._key}-{name}", json.dumps(rows), words)
        else:
            self._artifacts.remove(f"{self._key}-{name}")

    def _draw_report(self) -> None:
        migration = self._migration
        self._report = write_report(migration.plan, show=self._show_pictures)[0].resolve()
        words = f"{migration.plan.name}: report"
        self._artifacts.put("markdown", f"{self._key}-report", report_words(self._report), words)

    def _show_pictures(self, figures: Sequence[Figure]) -> None:
        from flows.orchestration.pictures import in_markdown

        self._table("slowest", slowest_rows(figures), f"{self._migration.plan.name}: slowest folders")
        if figures:
            words = f"{self._migration.plan.name}: pictures of the report"
            self._artifacts.put("markdown", f"{self._key}-pictures", in_markdown(figures), words)

    def _tree_reports(self, limit: int) -> list[TreeReport]:
        """Sums of the trees that move, the unfinished ones first."""
        migration = self._migration
        now = {tree.id: tree for tree in migration.checkpoint.trees(migration.plan_id)}
        moving = [now[tree.id] for tree in migration.trees]
        trees = sorted(moving, key=lambda tree: (tree.state is TreeState.COMPLETE, tree.id))
        return migration.checkpoint.tree_reports([tree.id for tree in trees[:limit]])


def slowest_rows(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """The folders that took longest, as the report has them: pauses, and the time between runs, made none slow."""
    return [
        dict(zip(each.columns, row, strict=True))
        for each in figures
        if each.key == "slowest"
        for row in each.rows
    ]


class _Curve:
    """Files in Box over the whole migration: what earlier runs left in the checkpoint, and what this one adds."""

    def __init__(self, migration: Migration) -> None:
        self._migration = migration
        self._history: History | None = None
        self._others: Counts | None = None
        self._remembered = 0.0

    @property
    def others(self) -> Counts:
        """Files of the plan's trees that this run does not move; zeros until it has taken up its own."""
        migration = self._migration
        if self._others is None and migration.trees:
            moving = set(migration.tree_ids)
            planned = {(normal_form(tree.source), tree.box_path) for tree in migration.plan.trees}
            ids = [
                tree.id
                for tree in migration.checkpoint.trees(migration.plan_id)
                if tree.id not in moving and (not planned or (normal_form(tree.source), tree.name) in planned)
            ]
            self._others = add_up(migration.checkpoint.tree_reports(ids)).files
        return self._others or Counts()

    def up_to(self, whole: Whole, *, ends: bool) -> History:
        """The curve with this as its newest point, which the checkpoint is told now and then and where it `ends`."""
        migration, now = self._migration, time.monotonic()
        if self._history is None:
            self._history = History()
            for line in events(migration.checkpoint, migration.plan_id, kind=EventKind.PROGRESS):
                self._history.add(line.at, line.detail["files"])
        if migration.trees and (ends or now - self._remembered > REMEMBERED_SECONDS):
            self._remembered = now
            migration.record_event(EventKind.PROGRESS, {"files": whole.uploaded, "of": whole.total})
        self._history.add(datetime.now(UTC), whole.uploaded)
        return self._history
