"""What comes before: check, identities, deploy, sandbox, demo.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import JSONOption, PlanArgument
from flows.console import console, load, print_json, run_flow
from flows.errors import PlanError
from flows.exit_codes import COMPLETE, FATAL, INCOMPLETE


def check(
    plan: PlanArgument,
    set_space: Annotated[
        str,
        typer.Option(
            "--set-space", metavar="SIZE", help="First raise the account's space: 500GB or unlimited."
        ),
    ] = "",
    notify: Annotated[
        bool, typer.Option("--notify", help="Send a test message to whom the plan tells of its runs.")
    ] = False,
    as_json: JSONOption = False,
) -> None:
    """Check every precondition before a byte is sent, and say what to do, in the order of doing it."""
    from flows.checks.table import check_table
    from flows.commands.check import check_plan

    document = run_flow(check_plan, load(plan), set_space, notify)
    if as_json:
        print_json(document)
    else:
        console().print(check_table(document))
    if not document["can_go_on"]:
        raise typer.Exit(FATAL)
    raise typer.Exit(INCOMPLETE if document["problems"] else COMPLETE)


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


def undeploy(plan: PlanArgument) -> None:
    """Take away from Prefect what deploy made of this plan, and nothing else; needs no secret of it."""
    from flows.cli.local_box import without_secrets
    from flows.deploy.removal import Deployed, undeploy_plan
    from flows.plan.file import load_plan, read_document

    written, name = read_document(plan), load_plan(plan, without_secrets).name
    auth = written["box"].get("auth")  # a block that the plan names itself is somebody's own
    deployed = Deployed(
        name=name,
        box_block=not (isinstance(auth, dict) and auth.get("method") == "block"),
        share_block=bool(written["source"].get("password")),
    )
    waits = False
    for removal in undeploy_plan(deployed):
        print(removal.line)  # noqa: T201  what was done, a line each
        waits = waits or removal.waits
    raise typer.Exit(INCOMPLETE if waits else COMPLETE)


def sandbox(context: typer.Context) -> None:
    """Run a local Box to rehearse on; `boxhaul sandbox --help` lists its options."""
    from flows.cli.local_box import serve

    serve(context.args)


def demo(
    folder: Annotated[Path, typer.Option(help="Folder for the demo's share, state and report.")] = Path(
        "demo"
    ),
) -> None:
    """Migrate a sample share into a local Box, interrupted and resumed before your eyes."""
    from flows.demo.demo import run_demo

    raise typer.Exit(run_demo(folder))
