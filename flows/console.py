"""What all commands share: how they read the plan, run the flow and print."""

from __future__ import annotations

import gc
import json
import logging
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import Interrupted

if TYPE_CHECKING:
    from flows.plan.model import MigrationPlan

#: What Python begins with, and more objects than all imports make.
USUAL_COLLECTIONS, NO_COLLECTION_YET = gc.get_threshold(), 500_000

#: As Prefect writes them.
LOG_FORMAT = "%(asctime)s.%(msecs)03d | %(levelname)-7s | %(name)s - %(message)s"


def load(path: Path) -> MigrationPlan:
    """Read the plan file. PlanError."""
    from flows.plan.file import load_plan

    # From here on there is garbage; the modules are none.
    gc.freeze()
    gc.set_threshold(*USUAL_COLLECTIONS)
    return load_plan(path)


def run_flow(function: Callable[..., dict[str, Any]], *args: Any, plainly: bool = False) -> dict[str, Any]:
    """Run what the flow of the same name runs: as a run of it where a Prefect server is configured, else plainly.

    `plainly`: no server is told of it, whatever is configured.
    """
    from flows.orchestration.configured import api_url
    from flows.orchestration.terminal import terminal_watcher
    from flows.orchestration.watching import watching_with

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        url = "" if plainly else api_url()
        logging.basicConfig(format=LOG_FORMAT, datefmt="%H:%M:%S")  # nothing, once Prefect has set it up
        if url:
            function = as_flow(function, url)
        with watching_with(terminal_watcher):
            return function(*args)
    except BaseException as exc:
        if _is_interrupt(exc):
            raise Interrupted from None
        raise


def _is_interrupt(error: BaseException) -> bool:
    """Tell whether somebody stopped the program; in the middle of a library's own work that may end as another error,
    as in SQLAlchemy's commit() as an AssertionError."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__context__
    return seen is not None


def as_flow(function: Callable[..., Any], url: str) -> Callable[..., Any]:
    """Return the flow of the same name at this server. PrefectUnreachable."""
    from flows.orchestration.endings import called
    from flows.orchestration.reachable import require_server

    require_server(url)
    door = import_module(function.__module__.replace(".commands.", "."))
    return partial(called, getattr(door, function.__name__))


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def console() -> Any:
    """Return what tables are printed on."""
    from rich.console import Console

    return Console()


def say(line: str) -> None:
    """Print a line for a person beside what a script reads: on stderr."""
    from flows.words import printable

    sys.stderr.write(f"{printable(line)}\n")


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON object, and nothing else, on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=True) + "\n")


def print_summary(plan: MigrationPlan, summary: dict[str, Any], path: Path) -> None:
    """Print where every tree stands after a run, and what to do where that is not the end."""
    from flows.reporting.status import status_document, status_table
    from flows.transfer.choosing import left_out_lines
    from flows.transfer.deletions import deletion_words, tells_all
    from flows.transfer.others import others_words

    document = status_document(plan)
    console().print(status_table(document, with_gone=not tells_all(summary, document["gone"])))
    if "quick" in summary:
        from flows.transfer.quick import quick_words

        console().print(f"  {quick_words(summary['quick'])}", highlight=False, markup=False, soft_wrap=True)
    if "left_out" in summary:
        for words in left_out_lines(summary["left_out"], plan.changes.deletions, path):
            console().print(f"  {words}", highlight=False, markup=False, soft_wrap=True)
    if gone := deletion_words(summary):
        console().print(f"  {gone}", highlight=False, markup=False, soft_wrap=True)
    if others := others_words(summary):
        console().print(f"  {others}", highlight=False, markup=False, soft_wrap=True)
    if not summary["complete"]:
        words = f"Not complete. See why: boxhaul report {path}"
        console().print(words, highlight=False, markup=False, soft_wrap=True)


def print_verification(document: dict[str, Any]) -> None:
    """Print what a comparison with Box found, or what a manifest alone proves."""
    from flows.reconciliation.checking import manifest_words
    from flows.reconciliation.table import verification_table

    if document["mode"] == "manifest":
        console().print("\n".join(manifest_words(document)), highlight=False, markup=False, soft_wrap=True)
    else:
        console().print(verification_table(document))
