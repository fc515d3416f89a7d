"""Foreseeing: how a run ends that only looked at a share. Outside a flow run it gives back what it was given."""

from __future__ import annotations

from typing import Any

from flows.foresight.forecast_table import simulation_words
from flows.foresight.table import inventory_words
from flows.orchestration.on_demand import Completed, FlowRunContext
from flows.words import printable


def taken(document: dict[str, Any]) -> Any:
    """What an inventory returns: its document; inside a flow run as a state that says how much there is."""
    if FlowRunContext.get() is None:
        return document
    return Completed(name="Inventory", message=printable(inventory_words(document)), data=document)


def simulated(document: dict[str, Any]) -> Any:
    """What a simulation returns: its document; inside a flow run as a state that says what a pass would do."""
    if FlowRunContext.get() is None:
        return document
    return Completed(name="Simulation", message=printable(simulation_words(document)), data=document)
