"""The very beginning: init, and what `boxhaul` says by itself.

Heavy imports stand inside the commands, so that --help is quick.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlsplit

import typer

from connectors.errors import AuthenticationFailed, ConnectorError
from flows.console import say
from flows.errors import PlanError

if TYPE_CHECKING:
    from flows.plan.writing import Answers

ORDER_OF_WORK = """\
boxhaul moves file shares into Box, proves that every byte arrived, and only
then lets people in. In this order:

  boxhaul init plan.yaml       a few questions, then it writes a plan
  boxhaul rehearse plan.yaml   move the share into a local Box; needs no Box yet
  boxhaul check plan.yaml      what is still missing; changes nothing
  boxhaul migrate plan.yaml    walk, send, verify, let people in; run it again
                               to go on, after whatever ended it
  boxhaul status plan.yaml     where every tree stands, and what failed
  boxhaul verify plan.yaml     Box against what was sent, at any time
  boxhaul report plan.yaml     all of it written down, for whoever asks

All commands: boxhaul --help. To see it all on this machine: boxhaul demo.
"""


def init(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan file to write.")] = Path("plan.yaml"),
    source: Annotated[str, typer.Option(help="1. URL of the share: smb://, sftp://, file:///...")] = "",
    username: Annotated[
        str, typer.Option(help="2. Who reads it; the password is asked for, or is in SHARE_PASSWORD.")
    ] = "",
    box_config: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="3. Configuration file from Box's developer console; none: no Box yet."
        ),
    ] = "",
    landing: Annotated[
        str, typer.Option(metavar="ID", help="4. Box folder under which trees arrive; 0: the account's root.")
    ] = "",
    name: Annotated[str, typer.Option(help="5. Name of the plan.")] = "",
    schema: Annotated[
        bool, typer.Option("--schema", help="Instead: print the JSON Schema of a plan, for an editor.")
    ] = False,
) -> None:
    """Write a plan from five answers, each tried at once; overwrites no file."""
    if schema:
        _print_schema()
        return
    if plan.exists():
        raise PlanError(f"{plan}: is there already, and nothing is overwritten")
    if not plan.absolute().parent.is_dir():
        raise PlanError(f"{plan}: there is no such folder")
    answers = _asked(plan, _Given(source, username, box_config, landing, name))
    _write(plan, answers)


#: The answer of who has no Box yet.
NO_BOX = "none"


@dataclass(frozen=True)
class _Given:
    """What the options say; empty: to be asked for."""

    source: str
    username: str
    box_config: str
    landing: str
    name: str


def _print_schema() -> None:
    from flows.plan.writing import SCHEMA_FILE, SCHEMA_LINE, plan_schema

    print(json.dumps(plan_schema(), indent=2))  # noqa: T201  what was asked for
    sys.stderr.write(f"keep it as {SCHEMA_FILE} beside the plan, whose first line is then: {SCHEMA_LINE}\n")


def _asked(plan: Path, given: _Given) -> Answers:
    """Ask for what the options do not say, and try each answer; a wrong one is asked for again."""
    from flows.checks.answers import try_landing_folder, try_login
    from flows.plan.writing import Answers

    # Those that are asked for later are anything until then.
    answers = Answers(name="plan", url="file:///", config_file="box_config.json")

    def login(file: str) -> Answers:
        if file.lower() == NO_BOX:
            return replace(answers, has_box=False)
        return _tried(plan, replace(answers, **_box_config(plan, file)), try_login)

    def folder(number: str) -> Answers:
        return _tried(plan, replace(answers, landing=number), try_landing_folder)

    def named(text: str) -> Answers:
        return _tried(plan, replace(answers, name=text), lambda loaded: f"named {loaded.name}")

    answers = _share(plan, given, answers)
    question = (
        f"3. Box's configuration file, from the developer console ({NO_BOX}: to rehearse without a Box)"
    )
    answers = _answer(question, "--box-config", given.box_config, login, "box_config.json")
    if answers.has_box:
        answers = _landing(given, folder)
    return _name(answers, given, named)


def _name(answers: Answers, given: _Given, named: Callable[[str], Answers]) -> Answers:
    """The last question, whose number leaves no gap where there is no Box to ask for a folder."""
    usual = re.sub(r"[^A-Za-z0-9._-]+", "-", answers.url.rstrip("/").rpartition("/")[2]).strip("-._")
    question = f"{5 if answers.has_box else 4}. What is this plan called?"
    return _answer(question, "--name", given.name, named, usual or "share")


def _share(plan: Path, given: _Given, answers: Answers) -> Answers:
    """Ask where the files are and who reads them; where the share is at fault and not its reader, for both again."""
    from flows.checks.answers import try_share

    def share(text: str) -> Answers:
        answer = replace(answers, url=_source_url(text))
        # Else who reads it is asked for first.
        return answer if _has_readers(answer.url) else _tried(plan, answer, try_share)

    def reader(user: str) -> Answers:
        answer = replace(answers, username=user, has_password=_password(user))
        return _tried(plan, answer, try_share)

    while True:
        answers = _answer(
            "1. Where are the files? (smb://server/share or another URL, or a folder)",
            "--source",
            given.source,
            share,
        )
        if not _has_readers(answers.url):
            return answers
        try:
            return _answer(
                "2. Who reads them? (user)", "--username", given.username, reader, again=AuthenticationFailed
            )
        except (PlanError, ConnectorError) as exc:
            if given.source or not sys.stdin.isatty():
                raise
            say(f"   {exc}")  # the user is not to blame: the share is asked for again


def _source_url(text: str) -> str:
    """A URL as it is, a share as Windows writes it as smb://, a folder as file://. PlanError without a share."""
    if text.startswith("\\\\"):
        text = "smb://" + quote(text.strip("\\").replace("\\", "/"), safe="/:")
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        return Path(text).absolute().as_uri()
    if text.startswith("smb:") and not urlsplit(text).path.strip("/"):
        raise PlanError("name the share as well: smb://server/share")
    return text


def _landing(given: _Given, folder: Callable[[str], Answers]) -> Answers:
    question = "4. Box folder under which they arrive (id; 0: the service account's own root)"
    return _answer(question, "--landing", given.landing, folder, "0")


def _has_readers(url: str) -> bool:
    """Tell whether this kind of share wants a user."""
    return url.startswith(("smb:", "sftp:"))


def _answer(
    question: str,
    option: str,
    given: str,
    understood: Callable[[str], Answers],
    usual: str = "",
    again: type[Exception] | tuple[type[Exception], ...] = (PlanError, ConnectorError),
) -> Answers:
    """Return what the answer leads to; after these errors it is asked for again. PlanError without a terminal."""
    if given:
        return understood(given)
    if not sys.stdin.isatty():
        if usual:
            return understood(usual)
        raise PlanError(f"{option}: missing, and there is no terminal to ask on")
    while True:
        text = typer.prompt(question, default=usual or None, err=True)
        try:
            return understood(str(text).strip())
        except again as exc:
            say(f"   {exc}")


def _password(user: str) -> bool:
    """See to it that the password is in this process's environment; tell whether there is one."""
    from flows.plan.writing import PASSWORD

    if (PASSWORD not in os.environ or PASSWORD in _typed) and sys.stdin.isatty():
        typed = typer.prompt(
            f"   Password of {user}", hide_input=True, default="", show_default=False, err=True
        )
        if typed:
            os.environ[PASSWORD] = _typed[PASSWORD] = typed
    return PASSWORD in os.environ


#: What was typed here, and is nowhere else yet.
_typed: dict[str, str] = {}


def _box_config(plan: Path, file: str) -> dict[str, Any]:
    """What a configuration file is and says. PlanError."""
    path = Path(file).expanduser()
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise PlanError(f"{file}: cannot be read ({exc.strerror})") from None
    except ValueError:
        raise PlanError(f"{file}: is not the JSON file that Box's developer console gives") from None
    beside = path.absolute().parent == plan.absolute().parent
    found = {"config_file": path.name if beside else str(path.absolute())}
    # A sandbox's names its addresses as well.
    addresses = (
        {key: document.get(key) for key in ("base_url", "upload_url")} if isinstance(document, dict) else {}
    )
    return found | {key: value for key, value in addresses.items() if isinstance(value, str)}


def _tried(plan: Path, answers: Answers, attempt: Callable[[Any], str]) -> Answers:
    """Return the answers once the attempt succeeds with them. PlanError, ConnectorError: one line."""
    from pydantic import ValidationError

    from flows.plan.model import MigrationPlan
    from flows.plan.writing import plan_document

    document = plan_document(answers) | {"base_dir": str(plan.absolute().parent)}
    try:
        loaded = MigrationPlan.model_validate(document)
    except ValidationError as exc:
        fault = exc.errors(include_input=False, include_url=False)[0]
        key = ".".join(map(str, fault["loc"]))
        raise PlanError(f"{key}: {fault['msg'].removeprefix('Value error, ')}") from None
    say(f"   {attempt(loaded)}")
    return answers


def _write(plan: Path, answers: Answers) -> None:
    from flows.plan.beside import write_beside, write_new
    from flows.plan.writing import PASSWORD, plan_text

    try:
        write_new(plan, plan_text(answers))
    except FileExistsError:
        raise PlanError(f"{plan}: is there already, and nothing is overwritten") from None
    say(f"written: {plan}")
    if PASSWORD in _typed:
        file = write_beside(plan, PASSWORD, _typed[PASSWORD])
        said = f"written: {file}, with the password, for you alone"
        there = f"{plan.absolute().parent / '.env'} is there already: add {PASSWORD}=... to it yourself"
        say(said if file else there)
    if answers.has_box:
        say(f"next: boxhaul check {plan}, then boxhaul migrate {plan}")
    else:
        say(
            f"next: boxhaul rehearse {plan}; with a Box, its file as {answers.config_file}, then boxhaul check {plan}"
        )
