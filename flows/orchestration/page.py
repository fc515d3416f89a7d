"""What a watcher sees on the page of a flow run: progress of the whole and of each tree, tables, a chart, links.

A thread of its own asks the counters now and then and tells Prefect; when Prefect does not answer, the page is late
and nothing else happens. Costs a few API calls a minute at first and fewer the longer the run lasts.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from flows.orchestration.overview import History, overview, progress_words, share_done
from flows.reporting.report import write_report
from flows.run.leases import Part
from flows.transfer.migration import Migration
from flows.words import duration_words, printable, size_words, slug
from state.records import TreeReport
from state.reports.sums import add_up, slowest_folders
from state.statuses import TreeState

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

#: Seconds that the end of the run waits for the last picture, and for the tables and the report of a finished one.
LAST_PICTURE_SECONDS, LAST_TABLES_SECONDS = 4.0, 120.0


@contextmanager
def shown(migration: Migration) -> Iterator[None]:
    """Keep the run's page up to date while the body lasts."""
    if migration.part is Part.SENDING:
        yield  # the run that conducts shows the whole
        return
    page = _RunPage(migration)
    done = threading.Event()
    finished = False
    # Prefect finds the flow run that an artifact belongs to in the context.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(page.draw_until, done), name="page", daemon=True)
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
    def __init__(self, migration: Migration) -> None:
        self._migration = migration
        self._key = slug(migration.plan.name)
        self._began = time.monotonic()
        self._history = History()
        self._ids: dict[str, UUID] = {}
        self._drawn: dict[int, tuple[int, str]] = {}
        self.finished = False

    def draw_until(self, done: threading.Event) -> None:
        """Draw now and then, and once more at the end."""
        pictures = 0
        while not done.wait(picture_pause(time.monotonic() - self._began, pictures)):
            self._try(self._draw_whole)
            if pictures % PICTURES_PER_OVERVIEW == 1:
                self._try(self._draw_trees)
                self._try(self._draw_overview)
            pictures += 1
        self._try(self._draw_whole)
        self._try(self._draw_trees)
        if self.finished:
            self._try(self._draw_tables)
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
        self._history.add(state.seconds, state.files_uploaded, state.bytes_uploaded)
        self._progress(f"{self._key}-all", share_done(state), progress_words(migration.plan.name, state))

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
            self._progress(f"{self._key}-tree-{tree.id}-{slug(tree.name)}"[:200], percent, words)

    def _draw_overview(self) -> None:
        migration = self._migration
        text = overview(
            migration.plan,
            migration.progress.snapshot(),
            self._history,
            self._tree_reports(TREES_LISTED),
            more_trees=max(0, len(migration.trees) - TREES_LISTED),
        )
        self._markdown(f"{self._key}-overview", text, f"{migration.plan.name}: overview")

    def _draw_tables(self) -> None:
        migration = self._migration
        reports = self._tree_reports(len(migration.trees))
        failures = add_up(reports).failures_by_reason
        if failures:
            rows = [{"reason": reason, "entries": count} for reason, count in failures.items()]
            create_table_artifact(rows, f"{self._key}-failures", f"{migration.plan.name}: failures by reason")
        slow = [
            {
                "tree": printable(sums.tree),
                "folder": printable(sums.path),
                "files": f"{sums.files:,}",
                "size": size_words(sums.size),
                "first to last file": duration_words(sums.upload_time.total_seconds()),
            }
            for sums in slowest_folders(migration.checkpoint, migration.plan_id)
            if sums.upload_time is not None
        ]
        if slow:
            create_table_artifact(slow, f"{self._key}-slowest", f"{migration.plan.name}: slowest folders")
        page = write_report(migration.plan)[0].resolve()
        create_markdown_artifact(
            f"# Report of {migration.plan.name}\n\n[{page.name}]({page.as_uri()}) on the machine that ran this:"
            f"\n\n`{page}`\n\nBeside it every item as CSV and JSON.\n",
            f"{self._key}-report",
            f"{migration.plan.name}: report",
        )

    def _tree_reports(self, limit: int) -> list[TreeReport]:
        """Sums of the trees that move, the unfinished ones first."""
        migration = self._migration
        now = {tree.id: tree for tree in migration.checkpoint.trees(migration.plan_id)}
        moving = [now[tree.id] for tree in migration.trees]
        trees = sorted(moving, key=lambda tree: (tree.state is TreeState.COMPLETE, tree.id))
        return migration.checkpoint.tree_reports([tree.id for tree in trees[:limit]])

    # --- Prefect ---

    def _progress(self, key: str, percent: float, words: str) -> None:
        if key not in self._ids:
            made: Any = create_progress_artifact(progress=percent, key=key, description=words)
            self._ids[key] = made
            return
        self._update(self._ids[key], percent, words)

    def _markdown(self, key: str, text: str, words: str) -> None:
        if key not in self._ids:
            made: Any = create_markdown_artifact(text, key, words)
            self._ids[key] = made
            return
        self._update(self._ids[key], text, words)

    def _update(self, artifact_id: UUID, data: Any, words: str) -> None:
        with get_client(sync_client=True) as client:
            client.update_artifact(artifact_id, ArtifactUpdate(data=data, description=words))
