"""Taking an inventory of a plan's share, from open to end: walked, compared with the last one, and kept.

Before the first run what is walked goes into the checkpoint, too: see filling.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from connectors.box.tiers import LIMITS
from connectors.source import Source
from connectors.tracing import span
from flows.foresight.duplicates import find_same_content, find_same_size
from flows.foresight.filling import fill
from flows.foresight.findings import Findings
from flows.foresight.inventory import (
    Inventory,
    TreeSums,
    growth,
    inventory_document,
    inventory_words,
    look_around,
    new_shape,
    walk,
)
from flows.foresight.scope import scope_of
from flows.plan.connections import open_checkpoint, open_share
from flows.plan.model import MigrationPlan
from flows.plan.rules import PlanRules
from state.checkpoint import Checkpoint
from state.database.scratch import FileSizes, file_sizes
from state.statuses import SurveyKind


class Stocktaking:
    """An inventory on its way, and what there is to say of it meanwhile."""

    def __init__(self, plan: MigrationPlan, *, hashes: bool, table: TextIO | None) -> None:
        """`hashes`: read files that share their size. `table`: where every finding is written as CSV."""
        self._plan, self._hashes = plan, hashes
        self._findings = Findings(table)
        self._fills = False
        self._stop = threading.Event()
        self._words: Callable[[], str] = lambda: "opening the share"

    def words(self) -> str:
        """How far it is, for a progress line."""
        return f"{self._plan.name}: inventory: {self._words()}"

    def take(self) -> dict[str, Any]:
        """Walk, compare and keep; return the document. PlanError, FatalError; whatever ends it ends all its waits."""
        begun = time.monotonic()
        with (
            closing(open_checkpoint(self._plan, create=True)) as checkpoint,
            self._share() as source,
            file_sizes() as sizes,
        ):
            inventory = self._walk(checkpoint, source, sizes)
            with span("compare files"):
                self._compare_files(source, sizes)
            document = inventory_document(inventory, plan=self._plan.name, seconds=time.monotonic() - begun)
            name = self._plan.checkpoint_name
            before = checkpoint.last_survey(name, SurveyKind.INVENTORY)
            document |= {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "tier": self._plan.box.tier.value,
                "growth": growth(document, before),
                "in_checkpoint": self._fills,
            }
            checkpoint.record_survey(name, SurveyKind.INVENTORY, document)
        return document

    @contextmanager
    def _share(self) -> Iterator[Source]:
        """Open the share; whatever ends the body ends every wait for it."""
        with closing(open_share(self._plan)) as source:
            source.stop_with(self._stop)
            try:
                yield source
            finally:
                self._stop.set()

    def _walk(self, checkpoint: Checkpoint, source: Source, sizes: FileSizes) -> Inventory:
        plan, _, _, specs = scope_of(self._plan, source, checkpoint)
        trees = [TreeSums(spec.name, spec.source) for spec in specs]
        inventory = Inventory(
            excluded=PlanRules(plan).reason,
            findings=self._findings,
            shape=new_shape(),
            file_sizes=sizes,
            largest_file=LIMITS[plan.box.tier].largest_file,
            trees=trees,
        )
        self._words = lambda: inventory_words(inventory)
        with span("walk"):
            self._fills = fill(plan, checkpoint, source, list(specs), inventory)
            source.stop_with(self._stop)
            if not self._fills:
                walk(inventory, source, whole=not plan.trees, stop=self._stop)
            look_around(inventory, source, [tree.source for tree in plan.trees])
        return inventory

    def _compare_files(self, source: Source, sizes: FileSizes) -> None:
        self._words = lambda: "comparing sizes"
        sizes.index()
        if not self._hashes:
            find_same_size(sizes, self._findings)
            return
        read = [0]
        self._words = lambda: f"{read[0]:,} files of equal size read"
        find_same_content(
            sizes,
            source,
            self._findings,
            threads=self._plan.transfer.walk_threads,
            stop=self._stop,
            tell=lambda count: read.__setitem__(0, count),
        )
