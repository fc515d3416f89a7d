"""The console command. Thin: it reads the plan, runs the flow or asks the checkpoint, prints, and chooses an exit code.

0 done and complete · 1 finished with failed items or incomplete trees · 2 bad usage or plan · 3 stopped by something
fatal · 130 interrupted, state saved. Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.errors import Interrupted, PlanError

if TYPE_CHECKING:
    from flows.config import MigrationPlan

COMPLETE, INCOMPLETE, BAD_PLAN, FATAL, INTERRUPTED = 0, 1, 2, 3, 130

app = typer.Typer(
    name="boxhaul",
    help="Move file shares into Box folders owned by a service account, prove every byte, then let people in.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan file (YAML).")]
JSONOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")
]


@app.command()
def migrate(
    plan: PlanArgument,
    tree: Annotated[list[str] | None, typer.Option("--tree", help="Only this tree; may be repeated.")] = None,
) -> None:
    """Walk, send, verify, and let people in as each tree completes. Run it again to go on."""
    from flows.migrate import migrate_share

    loaded = _load(plan)
    summary = _run_flow(migrate_share, loaded, tree or [])
    _print_summary(loaded, summary, plan)
    raise typer.Exit(COMPLETE if summary["complete"] else INCOMPLETE)


@app.command()
def status(plan: PlanArgument, as_json: JSONOption = False) -> None:
    """Show where every tree stands, from the checkpoint alone."""
    from flows.status import status_document, status_table

    loaded = _load(plan)
    document = status_document(loaded)
    if as_json:
        _print_json(document)
    else:
        _console().print(status_table(document))
    complete = bool(document["trees"]) and all(each["state"] == "complete" for each in document["trees"])
    raise typer.Exit(COMPLETE if complete else INCOMPLETE)


@app.command()
def report(
    plan: PlanArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write into; by default beside the plan.")
    ] = None,
) -> None:
    """Write the report: HTML to read, CSV and JSON of every item."""
    from flows.report import write_report

    loaded = _load(plan)
    written = write_report(loaded, out)
    for path in written:
        print(path)  # noqa: T201  paths on stdout are what a script wants


@app.command(
    add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def sandbox(context: typer.Context) -> None:
    """Run a local Box to rehearse on; `boxhaul sandbox --help` lists its options."""
    from connectors.box.sandbox.__main__ import main as serve

    serve(context.args)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Folder for the demo's share, state and report.")] = Path(
        "demo"
    ),
) -> None:
    """Migrate a sample share into a local Box, interrupted and resumed before your eyes."""
    from flows.demo import run_demo

    raise typer.Exit(run_demo(folder))


def main() -> None:
    """Run the command; every foreseeable failure is one line on stderr and an exit code."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    with _foreseen_errors():
        app()


def _load(path: Path) -> MigrationPlan:
    from flows.plan_file import load_plan

    return load_plan(path)


def _run_flow(flow: Any, *args: Any) -> dict[str, Any]:
    """Run the flow: as a flow run where a Prefect server is configured, else the same function in this process."""
    from flows.display import terminal_watcher
    from flows.watching import watching_with

    signal.signal(signal.SIGTERM, _interrupt)
    function: Callable[..., dict[str, Any]] = flow if os.environ.get("PREFECT_API_URL") else flow.fn
    try:
        with watching_with(terminal_watcher):
            return function(*args)
    except KeyboardInterrupt:
        raise Interrupted from None


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _foreseen_errors() -> Iterator[None]:
    from connectors.errors import ConnectorError
    from state.errors import StateError

    try:
        yield
    except PlanError as exc:
        _leave(str(exc), BAD_PLAN)
    except (ConnectorError, StateError) as exc:
        _leave(str(exc), FATAL)
    except (KeyboardInterrupt, Interrupted):
        _leave("interrupted; the state is saved, the same command goes on from here", INTERRUPTED)


def _leave(message: str, code: int) -> None:
    from flows.words import printable

    sys.stderr.write(f"boxhaul: {printable(message)}\n")
    sys.exit(code)


def _console() -> Any:
    from rich.console import Console

    return Console()


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=True) + "\n")


def _print_summary(plan: MigrationPlan, summary: dict[str, Any], path: Path) -> None:
    from flows.status import status_document, status_table

    _console().print(status_table(status_document(plan)))
    if not summary["complete"]:
        _console().print(f"Not complete. See why: boxhaul report {path}", highlight=False)


if __name__ == "__main__":
    main()
