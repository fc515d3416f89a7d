"""Simulating a pass of a plan, from open to end: walked, counted, and kept as the plan's last forecast."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from connectors.tracing import span
from flows.foresight.forecasting import forecast_document, shared_and_proven
from flows.foresight.scope import scope_of
from flows.foresight.selection import Selection
from flows.foresight.simulation import Simulation
from flows.plan.connections import open_checkpoint, open_share
from flows.plan.model import MigrationPlan
from flows.run.forecast import Speeds
from flows.run.window import Window
from flows.transfer.beginning import chosen
from flows.words import counted
from state.checkpoint import Checkpoint
from state.database.scratch import pass_changes
from state.statuses import SurveyKind


class PassSimulation:
    """A simulation on its way, and what there is to say of it meanwhile."""

    def __init__(
        self,
        plan: MigrationPlan,
        *,
        trees: list[str],
        speeds: Speeds,
        window: Window | None,
        selection: Selection,
    ) -> None:
        self._selection = selection
        self._plan, self._only, self._speeds, self._window = plan, trees, speeds, window
        self._stop = threading.Event()
        self._words: Callable[[], str] = lambda: "opening the share"

    def words(self) -> str:
        """How far it is, for a progress line."""
        return f"{self._plan.name}: simulation: {self._words()}"

    def run(self) -> dict[str, Any]:
        """Walk, count and keep; return the document. PlanError, FatalError; whatever ends it ends all its waits."""
        with (
            closing(open_checkpoint(self._plan, create=True)) as checkpoint,
            closing(open_share(self._plan)) as source,
            pass_changes() as changes,
        ):
            source.stop_with(self._stop)
            try:
                plan, plan_id, known, specs = scope_of(self._plan, source, checkpoint)
                moving = chosen(specs, self._only)
                simulation = Simulation(plan, source, checkpoint, changes, plan_id, self._selection)
                self._words = lambda: _progress(simulation)
                with span("walk"):
                    walked = [spec for spec in specs if spec.name in moving]
                    others = [spec for spec in specs if spec.name not in moving]
                    simulation.walk(walked, known, self._stop, others=others)
            finally:
                self._stop.set()
            shared = shared_and_proven(simulation, checkpoint)
            document = forecast_document(simulation, shared, speeds=self._speeds, window=self._window)
            if self._selection.is_whole:  # a part is no forecast of the whole
                self._keep(checkpoint, plan_id, document)
        return document

    def _keep(self, checkpoint: Checkpoint, plan_id: int | None, document: dict[str, Any]) -> None:
        """With the calls made by now, so that those made since can be set beside it."""
        before = checkpoint.call_counts(plan_id) if plan_id is not None else {}
        kept = {**document, "trees": [], "calls_before": sum(before.values())}
        checkpoint.record_survey(self._plan.checkpoint_name, SurveyKind.FORECAST, kept)


def _progress(simulation: Simulation) -> str:
    sent = sum(tree.sent for tree in simulation.trees)
    return f"{counted(simulation.listed, 'folder')} looked at, {counted(sent, 'file')} to send so far"
