"""Writes boxhaul.1, the manual page, from the program: its commands, options and exit codes. `make reference` runs it.

`python -m deployments.manual` writes; with `--check` it only compares. click-man does not do: Typer brings a Click of
its own, in which click-man finds no option, and it would write a page for each command.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from deployments.reference import ENDS, EXIT_CODES, described, sandbox_options
from flows import cli

PAGE = Path(__file__).with_name("boxhaul.1")

ABOUT = (
    "Boxhaul moves file shares (SMB, NFS, SFTP, WebDAV, FTP, object stores) into Box folders that a service account "
    "owns. It compares every byte, and lets people in tree by tree as each is complete. A plan file says what moves "
    "where and who is let in. The same command goes on after whatever stopped it."
)
FILES = (
    ("plan.yaml", "The plan. boxhaul init writes one."),
    (
        ".env",
        "Beside the plan: NAME=value lines for the ${NAME} references of the plan. Nobody else may read it.",
    ),
    ("NAME.db", "The checkpoint, where state_url of the plan says: what was found, sent and proven."),
)


def page() -> str:
    """The whole page, in the man macros."""
    return "\n".join([*head(), *commands(), *ends()]) + "\n"


def head() -> Iterator[str]:
    """Name, synopsis and what it is about."""
    document = tomllib.loads((PAGE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    yield '.\\" Written by python -m deployments.manual from the program itself.'
    yield f'.TH BOXHAUL 1 "" "Boxhaul {document["project"]["version"]}" "User Commands"'
    yield ".SH NAME"
    yield "boxhaul \\- move file shares into Box, prove every byte, then let people in"
    yield ".SH SYNOPSIS"
    yield ".B boxhaul"
    yield "command"
    yield ".RI [ options ]"
    yield ".I PLAN"
    yield ".SH DESCRIPTION"
    yield escaped(ABOUT)


def commands() -> Iterator[str]:
    """Each command with its arguments and options."""
    yield ".SH COMMANDS"
    group: Any = typer.main.get_command(cli.app)
    for name, command in group.commands.items():
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        options = [
            each for each in command.params if each.param_type_name == "option" and each.name != "help"
        ]
        yield f".SS boxhaul {escaped(' '.join([name, *(str(each.metavar) for each in arguments)]))}"
        yield escaped(command.help)
        for argument in arguments:
            if argument.help and argument.name != "plan":
                yield from item(f"\\fI{escaped(str(argument.metavar))}\\fR", argument.help)
        for option in options:
            yield from item(spelling(option), described(option))
        if name == "sandbox" and not options:
            for written, said in sandbox_options():
                yield from item(f"\\fB{escaped(written.strip('`'))}\\fR", said)


def ends() -> Iterator[str]:
    """Exit codes, files, and where to read on."""
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_CODES.items():
        yield from item(f"\\fB{code}\\fR", meaning)
    yield ".PP"
    yield escaped(ENDS)
    yield ".SH FILES"
    for name, said in FILES:
        yield from item(f"\\fI{escaped(name)}\\fR", said)


def item(tag: str, text: str) -> Iterator[str]:
    """A tagged paragraph."""
    yield ".TP"
    yield tag
    yield escaped(text)


def spelling(option: Any) -> str:
    """How an option is written, with what follows it."""
    follows = "" if option.is_flag else f" \\fI{escaped(option.metavar or option.name.upper())}\\fR"
    names = [*option.opts, *option.secondary_opts]
    return ", ".join(f"\\fB{escaped(name)}\\fR{follows}" for name in names)


def escaped(text: str) -> str:
    """It on one line, as troff takes it; Markdown's quotes of code become bold."""
    plain = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    plain = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", plain)
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description="Write the manual page, or compare it with the program.")
    parser.add_argument("--check", action="store_true", help="only compare; 1 when the page is out of date")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.stderr.write(
            "deployments/boxhaul.1 is out of date: make reference (python -m deployments.manual)\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
