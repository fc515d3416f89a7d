"""The console command. Thin: it reads the plan, runs the flow or asks the checkpoint, prints, and chooses an exit code.

The commands stand in the order of `boxhaul --help`.
"""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Callable
from functools import cache
from typing import Annotated

import typer

from flows.cli import beginning, closing, foreseeing, helping, moving, preparing, proving, rehearsing, sharing
from flows.console import NO_COLLECTION_YET
from flows.exit_codes import foreseen_errors
from flows.run.surroundings import have_a_home, speak_utf8

app = typer.Typer(
    name="boxhaul",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # it brings all that reads mail

        print(f"boxhaul {version('boxhaul')}")  # noqa: T201  what was asked for
        raise typer.Exit


@app.callback()
def boxhaul(
    context: typer.Context,
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Move file shares into Box folders owned by a service account, prove every byte, then let people in."""
    if context.invoked_subcommand is None:
        print(beginning.ORDER_OF_WORK, end="")  # noqa: T201  what somebody asks who asks nothing


for _command in (
    beginning.init,
    moving.migrate,
    preparing.check,
    foreseeing.inventory,
    foreseeing.simulate,
    rehearsing.rehearse,
    preparing.identities,
    sharing.collaborate,
    closing.cutover,
    sharing.watch,
    proving.verify,
    proving.status,
    proving.report,
    moving.retry,
    moving.waive,
    moving.unwaive,
    preparing.deploy,
    preparing.undeploy,
    helping.doctor,
):
    app.command()(_command)
# The sandbox has options of its own.
app.command(
    add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)(preparing.sandbox)
app.command()(preparing.demo)


@cache
def command() -> Callable[[], None]:
    """Return the whole command line, built once in a process: that takes as long as a short command."""
    built: Callable[[], None] = typer.main.get_command(app)
    return built


def main() -> None:
    """Run the command; every foreseeable failure is one line on stderr and an exit code."""
    speak_utf8()
    have_a_home()
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    # Else it looks through every installed package for plugins of its own before it makes the first model.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Imports leave no garbage: looking for some takes a tenth of a short command.
    gc.set_threshold(NO_COLLECTION_YET)
    # What is alive at the end needs no last look by the collector: it costs as much as a short command.
    atexit.register(gc.freeze)
    with foreseen_errors():
        command()()
