"""What is proven and told: verify, status, report.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from flows.cli.options import JSONOption, PlanArgument, TreeOption
from flows.console import (
    COMPLETE,
    INCOMPLETE,
    console,
    load,
    print_json,
    print_verification,
    run_flow,
)
from flows.errors import PlanError


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


def status(plan: PlanArgument, as_json: JSONOption = False) -> None:
    """Show where every tree stands, from the checkpoint alone."""
    from flows.reporting.status import status_document, status_table

    loaded = load(plan)
    document = status_document(loaded)
    if as_json:
        print_json(document)
    else:
        console().print(status_table(document))


def report(
    plan: PlanArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write into; by default beside the plan.")
    ] = None,
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
        written = write_report(loaded, out, say=lambda line: print(line, file=sys.stderr))  # noqa: T201
    if manifest is not None:
        from flows.reconciliation.manifest import write_manifest

        paths, key = write_manifest(loaded, manifest, sign)
        written += paths
        sys.stderr.write(f"signed by the Ed25519 key whose public half is {key}\n")
    for path in written:
        print(path)  # noqa: T201  paths on stdout are what a script wants
