"""How much a run says, and where: on the terminal, and in its log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.errors import PlanError

if TYPE_CHECKING:
    from flows.plan.model import MigrationPlan

_PANEL = "What it says"

VerboseOption = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Say each file, too; in the log as well.", rich_help_panel=_PANEL),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say only what is wrong.", rich_help_panel=_PANEL)
]
LogFileOption = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        metavar="FILE",
        help="Log here; by default beside the checkpoint.",
        rich_help_panel=_PANEL,
    ),
]
LogFormatOption = Annotated[
    str,
    typer.Option("--log-format", metavar="text|json", help="Lines, or JSON lines.", rich_help_panel=_PANEL),
]


MetricsOption = Annotated[
    str,
    typer.Option(
        "--metrics",
        metavar="ADDR:PORT",
        help="Answer Prometheus there while it runs.",
        rich_help_panel=_PANEL,
    ),
]


@contextmanager
def telling(
    plan: MigrationPlan,
    command: str,
    *,
    verbose: bool,
    quiet: bool,
    log_file: Path | None,
    log_format: str,
    metrics: str = "",
) -> Iterator[None]:
    """Log the run that the body makes, and say as much of it as these options want. PlanError for bad ones."""
    from flows.orchestration.run_log import logged_run
    from flows.orchestration.terminal import Loudness, loudness
    from flows.run.log_file import LogFormat

    if verbose and quiet:
        raise PlanError("--verbose, --quiet: choose one of them")
    if log_format not in set(LogFormat):
        raise PlanError(f"--log-format: {log_format!r} is none; write text or json")
    level = logging.DEBUG if verbose else logging.INFO
    wanted = Loudness.VERBOSE if verbose else Loudness.QUIET if quiet else Loudness.USUAL
    with (
        logged_run(plan, command, file=log_file, form=LogFormat(log_format), level=level),
        loudness(wanted),
        _measured(metrics, plan.name),
    ):
        yield


def _measured(address: str, plan: str) -> AbstractContextManager[None]:
    if not address:
        return nullcontext()
    from flows.orchestration.metrics import metrics_served

    return metrics_served(address, plan)
