"""What is proven and told: verify, status, report.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from flows.cli.options import JSONOption, PlanArgument, TreeOption
from flows.console import console, load, print_json, print_verification, run_flow, say
from flows.errors import PlanError
from flows.exit_codes import BAD_PLAN, COMPLETE, INCOMPLETE

if TYPE_CHECKING:
    from flows.plan.model import MigrationPlan


def verify(
    plan: Annotated[Path | None, typer.Argument(metavar="PLAN", help="The plan file (YAML).")] = None,
    tree: TreeOption = None,
    source: Annotated[
        bool, typer.Option("--source", help="Also walk the share: what is missing, new or changed.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read the share's files again and compare their SHA-1.")
    ] = False,
    sample: Annotated[
        str,
        typer.Option(metavar="N%", help="With --deep: only so many of the files, chosen at random: 1%."),
    ] = "",
    dates: Annotated[
        bool, typer.Option("--dates/--no-dates", help="Compare the dates in Box, or not.")
    ] = True,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write all differences there.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check this manifest, offline; with PLAN also against Box."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="PUB", help="With --manifest: the public key that signed it.")
    ] = None,
    as_json: JSONOption = False,
) -> None:
    """Compare Box with what was sent, and with the share where asked for; changes nothing in either."""
    if manifest is not None:
        _end_with_manifest(manifest, key, plan, as_json)
    if plan is None or key is not None:
        raise PlanError("verify: name the plan, or --manifest FILE with its --key PUB")
    from flows.commands.verify import verify_share

    file = str(csv.absolute()) if csv is not None else ""
    document = run_flow(verify_share, load(plan), tree or [], source, deep, sample, dates, file)
    _end_with_verification(document, as_json)


def _end_with_manifest(manifest: Path, key: Path | None, plan: Path | None, as_json: bool) -> NoReturn:
    if plan is None:
        from flows.reconciliation.checking import check_manifest

        _end_with_verification(check_manifest(manifest, key), as_json)
    from flows.commands.verify import verify_manifest

    _end_with_verification(verify_manifest(load(plan), manifest, key), as_json)


def _end_with_verification(document: dict[str, Any], as_json: bool) -> NoReturn:
    if as_json:
        print_json(document)
    else:
        print_verification(document)
    raise typer.Exit(COMPLETE if document["agrees"] else INCOMPLETE)


def status(
    plans: Annotated[
        list[Path],
        typer.Argument(metavar="PLAN...", help="Plan files, or folders of them.", show_default=False),
    ],
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(help="With --watch: seconds between two looks.", min=0.2)] = 2.0,
    as_json: JSONOption = False,
) -> None:
    """Show where every tree stands, from the checkpoint alone; of several plans, one table."""
    from flows.reporting.several import plan_files

    files = plan_files(plans)
    several = len(files) > 1 or plans[0].is_dir()
    if not watch:
        shown, picture = _standing(files, several=several)
        print_json(shown) if as_json else console().print(picture())
        if several and all("error" in each for each in shown["plans"]):
            raise typer.Exit(BAD_PLAN)
        return
    if as_json:
        while True:
            print_json(_standing(files, several=several)[0])
            sys.stdout.flush()
            time.sleep(every)
    _watch(files, every, several=several)


def _standing(files: Sequence[Path], *, several: bool) -> tuple[dict[str, Any], Callable[[], Any]]:
    """The document of these plans now, and what makes a picture of it."""
    from flows.plan.file import load_plan
    from flows.reporting.several import documents, several_table
    from flows.reporting.status import status_document, status_table

    if several:
        found = list(documents(files))
        return {"plans": found}, lambda: several_table(found)
    document = status_document(load_plan(files[0]))
    return document, lambda: status_table(document)


def _watch(files: Sequence[Path], every: float, *, several: bool) -> None:
    """Draw it in place on a terminal, and one below the other elsewhere."""
    from rich.live import Live

    screen = console()
    if not screen.is_terminal:
        while True:
            screen.print(_standing(files, several=several)[1]())
            time.sleep(every)
    with Live(console=screen, auto_refresh=False) as live:
        while True:
            live.update(_standing(files, several=several)[1](), refresh=True)
            time.sleep(every)


def report(
    plan: PlanArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write into; by default beside the plan.")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="No pictures and no workbook: a fraction of the time.")
    ] = False,
    removable: Annotated[
        Path | None,
        typer.Option(metavar="OUT.csv", help="Instead: what may go at the source, proven anew; a script."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also every entry and grant, chained; FILE.sig, FILE.pub beside."),
    ] = None,
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Its Ed25519 key (PEM); else one is made, once.")
    ] = None,
    upload: Annotated[
        bool,
        typer.Option("--upload", help="Also put it into Box, where the plan's report: {upload_to} says."),
    ] = False,
) -> None:
    """Write the report: HTML with pictures, a workbook, CSV and JSON of every item; on request a signed manifest."""
    from flows.reporting.report import write_report

    if sign is not None and manifest is None:
        raise PlanError("--sign: says which key signs the manifest; say --manifest FILE as well")
    loaded = load(plan)
    if removable is not None:
        from flows.archiving.removable import write_removable

        written = write_removable(loaded, removable)
    else:
        written = write_report(loaded, out, plain=plain, say=say)
    if manifest is not None:
        from flows.reconciliation.manifest import write_manifest

        paths, key = write_manifest(loaded, manifest, sign)
        written += paths
        sys.stderr.write(f"signed by the Ed25519 key whose public half is {key}\n")
    is_whole = _put_into_box(loaded, plain=plain) if upload else True
    for path in written:
        print(path)  # noqa: T201  paths on stdout are what a script wants
    if not is_whole:
        raise typer.Exit(INCOMPLETE)


def _put_into_box(plan: MigrationPlan, *, plain: bool) -> bool:
    """Say what was put where; return whether that is all."""
    from flows.reconciliation.report_in_box import upload_reports
    from flows.words import printable

    lines, is_whole = upload_reports(plan, plain=plain, say=say)
    for line in lines:
        sys.stderr.write(f"in Box: {printable(line)}\n")
    return is_whole
