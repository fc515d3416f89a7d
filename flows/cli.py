"""The console command. Thin: it reads the plan, runs the flow or asks the checkpoint, prints, and chooses an exit code.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from flows.console import (
    COMPLETE,
    FATAL,
    INCOMPLETE,
    NO_COLLECTION_YET,
    console,
    foreseen_errors,
    load,
    print_json,
    print_summary,
    print_verification,
    run_flow,
)
from flows.errors import PlanError
from flows.run.surroundings import have_a_home, speak_utf8

if TYPE_CHECKING:
    pass

app = typer.Typer(
    name="boxhaul",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"boxhaul {version('boxhaul')}")  # noqa: T201  what was asked for
        raise typer.Exit


@app.callback()
def boxhaul(
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Move file shares into Box folders owned by a service account, prove every byte, then let people in."""


PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan file (YAML).")]
JSONOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")
]


@app.command()
def migrate(
    plan: PlanArgument,
    tree: Annotated[list[str] | None, typer.Option("--tree", help="Only this tree; may be repeated.")] = None,
    window: Annotated[
        str,
        typer.Option(help="Hours in which files may be sent: 'Mon-Fri 20:00-06:00, Sat-Sun Europe/Berlin'."),
    ] = "",
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
) -> None:
    """Walk, send, verify, and let people in as each tree completes. Run it again to go on."""
    from flows.commands.migrate import migrate_share
    from flows.orchestration.configured import api_url

    loaded = load(plan)
    if workers and not api_url():
        raise PlanError("--workers: other processes are started by a Prefect server; set PREFECT_API_URL")
    summary = run_flow(migrate_share, loaded, tree or [], window, workers, check, new_checkpoint, checksum)
    print_summary(loaded, summary, plan)
    raise typer.Exit(COMPLETE if summary["complete"] else INCOMPLETE)


@app.command()
def check(
    plan: PlanArgument,
    set_space: Annotated[
        str,
        typer.Option(
            "--set-space", metavar="SIZE", help="First raise the account's space: 500GB or unlimited."
        ),
    ] = "",
    as_json: JSONOption = False,
) -> None:
    """Check every precondition before a byte is sent, and say what to do, in the order of doing it."""
    from flows.checks.table import check_table
    from flows.commands.check import check_plan

    document = run_flow(check_plan, load(plan), set_space)
    if as_json:
        print_json(document)
    else:
        console().print(check_table(document))
    if not document["can_go_on"]:
        raise typer.Exit(FATAL)
    raise typer.Exit(INCOMPLETE if document["problems"] else COMPLETE)


@app.command()
def identities(
    plan: PlanArgument,
    action: Annotated[str, typer.Argument(metavar="create|list|retire", help="What to do.")],
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="[N | ID ...]", help="How many to create; which to retire (all)."),
    ] = None,
    as_json: JSONOption = False,
) -> None:
    """App users that share the uploading: make N of them, list them, retire them. Box's limits are per user."""
    from flows.commands.identities import create_identities, retire_identities
    from flows.sharing.tables import identities_text
    from flows.sharing.uploaders import list_uploaders

    loaded, given = load(plan), values or []
    if action == "list" and not given:
        document = list_uploaders(loaded)
    elif action == "create" and len(given) == 1 and given[0].isdigit():
        document = run_flow(create_identities, loaded, int(given[0]))
    elif action == "retire":
        document = run_flow(retire_identities, loaded, given)
    else:
        raise PlanError("identities: say create N, list, or retire [ID ...]")
    if as_json:
        print_json(document)
    else:
        console().print(identities_text(document), highlight=False, markup=False)


@app.command()
def collaborate(
    plan: PlanArgument,
    prune: Annotated[
        bool, typer.Option("--prune", help="Take away what the plan no longer names and once gave.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    as_json: JSONOption = False,
) -> None:
    """Make the people of every complete tree what the plan says, the deepest folder first."""
    from flows.commands.collaborate import collaborate_share
    from flows.sharing.tables import collaboration_table

    document = run_flow(collaborate_share, load(plan), prune, dry_run)
    if as_json:
        print_json(document)
    else:
        console().print(collaboration_table(document))
    raise typer.Exit(COMPLETE if document["complete"] else INCOMPLETE)


@app.command()
def watch(
    plan: PlanArgument,
    once: Annotated[bool, typer.Option("--once", help="Tell what there is by now, and end.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks, at least 1.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Tell what people do in Box with what was moved: content, names, places, access, downloads by outsiders."""
    from flows.commands.watch import watch_box
    from flows.orchestration.observing import on_stdout

    with on_stdout(as_json=as_json):
        found = run_flow(watch_box, load(plan), once, every)["found"]
    raise typer.Exit(INCOMPLETE if found else COMPLETE)


@app.command()
def verify(
    plan: Annotated[Path | None, typer.Argument(metavar="PLAN", help="The plan file (YAML).")] = None,
    tree: Annotated[list[str] | None, typer.Option("--tree", help="Only this tree; may be repeated.")] = None,
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


@app.command()
def status(plan: PlanArgument, as_json: JSONOption = False) -> None:
    """Show where every tree stands, from the checkpoint alone."""
    from flows.reporting.status import status_document, status_table

    loaded = load(plan)
    document = status_document(loaded)
    if as_json:
        print_json(document)
    else:
        console().print(status_table(document))


@app.command()
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
    """Write the report: HTML to read, CSV and JSON of every item; on request a signed manifest."""
    from flows.reporting.report import write_report

    if sign is not None and manifest is None:
        raise PlanError("--sign: says which key signs the manifest; say --manifest FILE as well")
    loaded = load(plan)
    if removable is not None:
        from flows.archiving.removable import write_removable

        written = write_removable(loaded, removable)
    else:
        written = write_report(loaded, out)
    if manifest is not None:
        from flows.reconciliation.manifest import write_manifest

        paths, key = write_manifest(loaded, manifest, sign)
        written += paths
        sys.stderr.write(f"signed by the Ed25519 key whose public half is {key}\n")
    for path in written:
        print(path)  # noqa: T201  paths on stdout are what a script wants


@app.command()
def retry(
    plan: PlanArgument,
    reason: Annotated[
        str, typer.Option(help="Only what failed for this reason, as the report names it.")
    ] = "",
    tree: Annotated[list[str] | None, typer.Option("--tree", help="Only this tree; may be repeated.")] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Stop before sending what would fail; or insist.")
    ] = True,
) -> None:
    """Try again what failed, whatever the reason, and move it."""
    from flows.commands.retry import retry_failures
    from flows.words import counted

    loaded = load(plan)
    summary = run_flow(retry_failures, loaded, reason, tree or [], check)
    tried = counted(summary.get("retried", 0), "failed entry was", "failed entries were")
    console().print(f"{tried} tried again", highlight=False, markup=False)
    print_summary(loaded, summary, plan)
    raise typer.Exit(COMPLETE if summary["complete"] else INCOMPLETE)


@app.command()
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


@app.command()
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


@app.command()
def deploy(
    plan: PlanArgument,
    start: Annotated[
        bool, typer.Option("--start", help="Start a Prefect server on this machine when none answers.")
    ] = False,
    suffix: Annotated[
        str, typer.Option(help="Appended to the deployments' names, for a second plan on one server.")
    ] = "",
    notify: Annotated[
        str, typer.Option(metavar="TYPE/NAME", help="Notification block that tells a person.")
    ] = "",
) -> None:
    """Make the plan ready in the Prefect UI: blocks, work pool, deployments, automations."""
    from flows.deploy.options import DeployOptions
    from flows.deploy.register import deploy_plan

    for line in deploy_plan(load(plan), DeployOptions(start=start, suffix=suffix, notify=notify)):
        print(line)  # noqa: T201  what was done, a line each


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
    from flows.demo.demo import run_demo

    raise typer.Exit(run_demo(folder))


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
        app()


if __name__ == "__main__":
    main()
