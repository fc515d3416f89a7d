"""What moves a share and decides on what failed: migrate, retry, waive, unwaive.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from flows.cli import filtering, pass_options, telling
from flows.cli.foreseeing import print_simulation
from flows.cli.options import PlanArgument, TreeOption, WindowOption, with_transfer
from flows.console import console, load, print_summary, run_flow
from flows.errors import PlanError
from flows.exit_codes import COMPLETE, INCOMPLETE

if TYPE_CHECKING:
    from flows.plan.model import MigrationPlan


def migrate(
    plan: PlanArgument,
    tree: TreeOption = None,
    window: WindowOption = "",
    workers: pass_options.WorkersOption = 0,
    check: pass_options.CheckOption = True,
    new_checkpoint: pass_options.NewCheckpointOption = False,
    checksum: pass_options.ChecksumOption = False,
    since: pass_options.SinceOption = "",
    dry_run: pass_options.DryRunOption = False,
    bwlimit: pass_options.BandwidthOption = "",
    threads: pass_options.ThreadsOption = 0,
    include: filtering.IncludeOption = None,
    exclude: filtering.ExcludeOption = None,
    filter_from: filtering.FilterFromOption = None,
    ignore_case: filtering.IgnoreCaseOption = False,
    min_size: filtering.MinSizeOption = "",
    max_size: filtering.MaxSizeOption = "",
    min_age: filtering.MinAgeOption = "",
    max_age: filtering.MaxAgeOption = "",
    verbose: telling.VerboseOption = False,
    quiet: telling.QuietOption = False,
    log_file: telling.LogFileOption = None,
    log_format: telling.LogFormatOption = "text",
    metrics: telling.MetricsOption = "",
    reopen: pass_options.ReopenOption = False,
    why: pass_options.WhyReopenOption = "",
) -> None:
    """Walk, send, verify, and let people in as each tree completes. Run it again to go on."""
    sizes = {"min_size": min_size, "max_size": max_size, "min_age": min_age, "max_age": max_age}
    filters = filtering.filters_of(include, exclude, filter_from, ignore_case=ignore_case, **sizes)
    if reopen is not bool(why.strip()):
        raise PlanError("--reopen and --why belong together: say who agreed and why; an auditor reads it")
    if dry_run:
        print_simulation(plan, tree or [], window=window, chosen=(checksum, since, filters))
        return
    from flows.commands.migrate import migrate_share  # before load(): from there on garbage is looked for

    loaded = with_transfer(load(plan), bandwidth=bwlimit, threads=threads)
    tell = telling.telling(
        loaded,
        "migrate",
        verbose=verbose,
        quiet=quiet,
        log_file=log_file,
        log_format=log_format,
        metrics=metrics,
    )
    options = (tree or [], window, workers, check, new_checkpoint, checksum, since, why, filters)
    _migrate(plan, loaded, tell, (migrate_share, loaded, *options), workers=workers, quiet=quiet)


def _migrate(
    plan: Path,
    loaded: MigrationPlan,
    tell: AbstractContextManager[None],
    flow: tuple[Any, ...],
    *,
    workers: int,
    quiet: bool,
) -> NoReturn:
    """Run the flow with its parameters."""
    from flows.orchestration.configured import api_url

    if workers and not api_url():
        raise PlanError("--workers: other processes are started by a Prefect server; set PREFECT_API_URL")
    with tell:
        summary = run_flow(*flow)
    if not quiet:
        print_summary(loaded, summary, plan)
    raise typer.Exit(COMPLETE if summary["complete"] else INCOMPLETE)


def retry(
    plan: PlanArgument,
    reason: Annotated[
        str, typer.Option(help="Only what failed for this reason, as the report names it.")
    ] = "",
    tree: TreeOption = None,
    check: pass_options.CheckOption = True,
    verbose: telling.VerboseOption = False,
    quiet: telling.QuietOption = False,
    log_file: telling.LogFileOption = None,
    log_format: telling.LogFormatOption = "text",
) -> None:
    """Try again what failed, whatever the reason, and move it."""
    from flows.commands.retry import retry_failures
    from flows.words import counted

    loaded = load(plan)
    with telling.telling(
        loaded, "retry", verbose=verbose, quiet=quiet, log_file=log_file, log_format=log_format
    ):
        summary = run_flow(retry_failures, loaded, reason, tree or [], check)
    if quiet:
        raise typer.Exit(COMPLETE if summary["complete"] else INCOMPLETE)
    tried = counted(summary.get("retried", 0), "failed entry was", "failed entries were")
    console().print(f"{tried} tried again", highlight=False, markup=False)
    print_summary(loaded, summary, plan)
    raise typer.Exit(COMPLETE if summary["complete"] else INCOMPLETE)


def waive(
    plan: PlanArgument,
    path: Annotated[str, typer.Argument(metavar="PATH", help="File or folder, as the report names it.")],
    why: Annotated[str, typer.Option("--why", help="The reason, for the report.")],
    who: Annotated[
        str, typer.Option("--who", help="Who decides; by default the account that runs this.")
    ] = "",
    pending: Annotated[
        bool,
        typer.Option("--pending", help="Also what is pending: it was never tried, or is to be tried again."),
    ] = False,
) -> None:
    """Let a tree complete without what failed at PATH and below; who, when and why is recorded."""
    from flows.commands.waive import waive_items
    from flows.words import counted, printable

    done = run_flow(waive_items, load(plan), path, why, who, pending)
    what = f"{counted(done['waived'], 'entry', 'entries')} waived"
    where, by = printable(done["path"]), printable(done["who"])
    print(f"{what} at {where} by {by}; the next run completes the tree: boxhaul migrate {plan}")  # noqa: T201


def unwaive(
    plan: PlanArgument,
    path: Annotated[str, typer.Argument(metavar="PATH", help="File or folder, as the report names it.")],
    who: Annotated[
        str, typer.Option("--who", help="Who decides; by default the account that runs this.")
    ] = "",
) -> None:
    """Take back what was waived at PATH and below; the next run tries it again."""
    from flows.commands.unwaive import unwaive_items
    from flows.words import counted, printable

    done = run_flow(unwaive_items, load(plan), path, who)
    what = f"{counted(done['unwaived'], 'entry', 'entries')} not waived any more"
    print(f"{what} at {printable(done['path'])}; the next run tries again: boxhaul migrate {plan}")  # noqa: T201
