"""What moves a share and decides on what failed: migrate, retry, waive, unwaive.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli import filtering, telling
from flows.cli.foreseeing import print_simulation
from flows.cli.options import PlanArgument, TreeOption, WindowOption, with_transfer
from flows.console import (
    COMPLETE,
    INCOMPLETE,
    console,
    load,
    print_summary,
    run_flow,
)
from flows.errors import PlanError


def migrate(
    plan: PlanArgument,
    tree: TreeOption = None,
    window: WindowOption = "",
    workers: Annotated[
        int,
        typer.Option(help="More processes that send, over the Prefect work pool; each needs an identity."),
    ] = 0,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Stop before sending what would fail; or insist.")
    ] = True,
    new_checkpoint: Annotated[
        bool,
        typer.Option(
            "--new-checkpoint",
            help="Begin anew where the checkpoint speaks of another Box, share or tree; what it says is kept.",
        ),
    ] = False,
    checksum: Annotated[
        bool, typer.Option("--checksum", help="Read every file again; send only what differs from Box.")
    ] = False,
    since: Annotated[
        str,
        typer.Option(
            help="A quick pass: look only at files that changed since 7d, 12h or a date. It completes no new tree."
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; say what would be done, as simulate does.")
    ] = False,
    bwlimit: Annotated[
        str,
        typer.Option(help="Bytes a second at most, or a timetable, as rclone's: 4M, '08:00,4M 20:00,off'."),
    ] = "",
    threads: Annotated[int, typer.Option(help="Files in flight at most; 0: as the plan says.")] = 0,
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
    reopen: Annotated[
        bool, typer.Option("--reopen", help="Move trees again that a cutover closed; say --why.")
    ] = False,
    why: Annotated[str, typer.Option("--why", help="With --reopen: who agreed, and why.")] = "",
    metrics: telling.MetricsOption = "",
) -> None:
    """Walk, send, verify, and let people in as each tree completes. Run it again to go on."""
    from flows.commands.migrate import migrate_share
    from flows.orchestration.configured import api_url

    loaded = with_transfer(load(plan), bandwidth=bwlimit, threads=threads)
    if workers and not api_url():
        raise PlanError("--workers: other processes are started by a Prefect server; set PREFECT_API_URL")
    if reopen is not bool(why.strip()):
        raise PlanError(
            "--reopen and --why belong together: say who agreed, and why; an auditor will read it"
        )
    sizes = {"min_size": min_size, "max_size": max_size, "min_age": min_age, "max_age": max_age}
    filters = filtering.filters_of(include, exclude, filter_from, ignore_case=ignore_case, **sizes)
    if dry_run:
        if filters is not None or since or checksum:
            raise PlanError(
                "--dry-run: filters of a run, --since and --checksum are not simulated; leave them out"
            )
        print_simulation(plan, tree or [], window=window)
        return
    options = (tree or [], window, workers, check, new_checkpoint, checksum, since, why, filters)
    with telling.telling(
        loaded,
        "migrate",
        verbose=verbose,
        quiet=quiet,
        log_file=log_file,
        log_format=log_format,
        metrics=metrics,
    ):
        summary = run_flow(migrate_share, loaded, *options)
    if not quiet:
        print_summary(loaded, summary, plan)
    raise typer.Exit(COMPLETE if summary["complete"] else INCOMPLETE)


def retry(
    plan: PlanArgument,
    reason: Annotated[
        str, typer.Option(help="Only what failed for this reason, as the report names it.")
    ] = "",
    tree: TreeOption = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Stop before sending what would fail; or insist.")
    ] = True,
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
