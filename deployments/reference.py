"""Writes reference.md from the program: its commands, its exit codes, the keys of a plan. `make reference` runs it.

`python -m deployments.reference` writes; with `--check` it only compares, and ends with 1 when the page is out of date.
"""

from __future__ import annotations

import argparse
import sys
import types
from collections.abc import Iterator, Sequence
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import AwareDatetime, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from connectors.sources import registry
from flows import cli, exit_codes
from flows.cli.local_box import command_line
from flows.plan.model import MigrationPlan

PAGE = Path(__file__).with_name("reference.md")

HEAD = """\
# Reference

Written by `make reference` from the program itself; `make lint` fails when it differs. To change a sentence, change
it at the command in `flows/cli/` or at the key's field.
"""

VERSION = """\
`boxhaul --version` prints the version. With `--json` a command prints one JSON object on stdout and nothing else there;
`watch` prints one for each finding.
"""

ENDS = """\
`check` ends with 0 when it found no problem, warnings allowed, with 1 when it found one, and with 3 when there is no
way into Box. `status` and `report` end with 0 whatever they show, and with 2 before the first run, when there is
nothing to show yet. `watch --once` ends with 1 when it told something, and with 0 when there was nothing to tell;
without `--once` it goes on until it is stopped, which is 130, and the next one goes on from there.
"""

KEYS = """\
A plan is YAML. `${NAME}` takes an environment variable; an unknown key is an error that names the nearest known one.
In a URL `%20` stands for a space; a local path that exists as it is written is meant as it is written.
No tree contains another.
"""

OTHER_URLS = """\
Any other URL is opened by the fsspec filesystem of that name; its own keyword arguments are the options.
"""

EXIT_CODES = {
    exit_codes.COMPLETE: "done and complete",
    exit_codes.INCOMPLETE: "finished with failed items or incomplete trees",
    exit_codes.BAD_PLAN: "bad usage or plan",
    exit_codes.FATAL: "stopped by something fatal: authorisation, quota, share unreachable",
    exit_codes.INTERRUPTED: "interrupted, state saved",
}

#: Keys of a source's configuration that the URL and its neighbours in the plan give.
GIVEN_BY_THE_PLAN = {"scheme", "url", "host", "share", "path", "port", "username", "password"}

WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    SecretStr: "secret, as `${NAME}`",
    AwareDatetime: "time with its zone",
    Any: "anything",
}


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *commands(), *exit_codes(), *plan_keys(), *source_options()]).rstrip() + "\n"


# --- commands ---


def commands() -> Iterator[str]:
    """Each command of the program with its arguments and options."""
    yield "## Commands\n"
    group: Any = typer.main.get_command(cli.app)
    for name, command in group.commands.items():
        arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        words = [name, *(str(argument.metavar) for argument in arguments)]
        yield f"### `boxhaul {' '.join(words)}`\n"
        yield f"{command.help.strip()}\n"
        rows = [
            [f"`{argument.metavar}`", argument.help or ""]
            for argument in arguments
            if argument.name != "plan"
        ]
        rows += [[spelling(option), described(option)] for option in options if option.name != "help"]
        yield from table(["option", "what it does"], rows or sandbox_options() if name == "sandbox" else rows)
    yield VERSION


def spelling(option: Any) -> str:
    """How an option is written, with what follows it."""
    names = [*option.opts, *option.secondary_opts]
    follows = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    return ", ".join(f"`{name}{follows}`" for name in names)


def described(option: Any) -> str:
    """Its sentence, and what holds without it."""
    default = option.default
    told = default not in (None, False, True, "", ()) and default != []
    return option.help + (f" Default: `{default}`." if told else "")


def sandbox_options() -> list[list[str]]:
    """The options of the local Box, which has a command line of its own."""
    rows = []
    for action in command_line()._actions:
        if action.dest != "help":
            metavar = action.metavar or action.dest.upper()
            words = " ".join(metavar) if isinstance(metavar, tuple) else metavar
            follows = "" if action.nargs == 0 else f" {words}"
            rows.append([f"`{action.option_strings[-1]}{follows}`", sentence(str(action.help))])
    return rows


def exit_codes() -> Iterator[str]:
    """What a script may ask."""
    yield "## Exit codes\n"
    yield from table(["code", "meaning"], [[str(code), meaning] for code, meaning in EXIT_CODES.items()])
    yield ENDS


# --- keys of a plan ---


def plan_keys() -> Iterator[str]:
    """The keys of a plan file, level by level."""
    yield "## Keys of a plan\n"
    yield KEYS
    yield from model_table("Plan", MigrationPlan)
    for key, model in models_below(MigrationPlan, ""):
        yield from model_table(f"`{key}`", model)


def source_options() -> Iterator[str]:
    """What `source: {options: …}` takes for each kind of source."""
    yield "## `source.options`, by kind of source\n"
    seen: set[str] = set()
    for scheme, registration in registry.SOURCES.items():
        if registration.config in seen:
            continue
        seen.add(registration.config)
        module, _, name = registration.config.partition(":")
        model = getattr(import_module(module, registry.__package__), name)
        if model.model_config.get("extra") == "allow":
            continue  # told of with all other URLs
        rows = [row(key, field) for key, field in model.model_fields.items() if key not in GIVEN_BY_THE_PLAN]
        same = [other for other, each in registry.SOURCES.items() if each.config == registration.config]
        if rows:
            yield "### " + ", ".join(f"`{other}://`" for other in same) + "\n"
            yield from table(["key", "takes", "default", ""], rows)
        else:
            yield f"`{scheme}://` takes none.\n"
    yield OTHER_URLS


def models_below(model: type[BaseModel], above: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Every model that a key of this one leads to, with the key's path."""
    for key, field in model.model_fields.items():
        for found, many in models_in(field.annotation):
            path = f"{above}{key}{'[]' if many else ''}"
            variant = method_of(found)
            yield f"{path}" + (f", method {variant}" if variant else ""), found
            yield from models_below(found, f"{path}.")


def models_in(annotation: Any, many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    """Models of an annotation; whether it is a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, many
    for argument in get_args(annotation):
        yield from models_in(argument, many or get_origin(annotation) is list)


def method_of(model: type[BaseModel]) -> str:
    """The one value of its key `method`, where it is one of several."""
    field = model.model_fields.get("method")
    return (
        str(get_args(field.annotation)[0])
        if field is not None and get_origin(field.annotation) is Literal
        else ""
    )


def model_table(title: str, model: type[BaseModel]) -> Iterator[str]:
    """A heading, the model's sentence and its keys."""
    yield f"### {title}\n"
    yield f"{' '.join((model.__doc__ or '').split())}\n"
    yield from table(
        ["key", "takes", "default", ""], [row(key, field) for key, field in model.model_fields.items()]
    )


def row(key: str, field: FieldInfo) -> list[str]:
    """A key: its kind, its default, its sentence."""
    return [f"`{key}`", kind(field.annotation) + bounds(field), default_words(field), field.description or ""]


def kind(annotation: Any) -> str:
    """What may be written there, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in WORDS:
        return WORDS[annotation]
    if origin is Annotated:
        return kind(arguments[0])
    if origin in (Union, types.UnionType):
        kinds = [kind(each) for each in arguments if each is not type(None)]
        return " or ".join(dict.fromkeys(kinds))
    if origin is list:
        return f"list: {kind(arguments[0])}"
    if origin is dict:
        return "keys and values"
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{each.value}`" for each in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "keys below"
    raise TypeError(f"no word for {annotation!r}")


def bounds(field: FieldInfo) -> str:
    """The numbers or lengths that are allowed."""
    words = []
    for each in field.metadata:
        if isinstance(each, Ge):
            words.append(f"from {each.ge:,}")
        elif isinstance(each, Gt):
            words.append(f"above {each.gt:,}")
        elif isinstance(each, Le):
            words.append(f"to {each.le:,}")
        elif isinstance(each, Lt):
            words.append(f"below {each.lt:,}")
        elif isinstance(each, MaxLen):
            words.append(f"at most {each.max_length:,} characters")
    return ", " + " ".join(words) if words else ""


def default_words(field: FieldInfo) -> str:
    """What holds when the key is left out."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "see below"
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, list):
        return ", ".join(f"`{each}`" for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"`{value.value if isinstance(value, Enum) else value}`"


# --- the page ---


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A Markdown table; nothing without rows."""
    if rows:
        yield "| " + " | ".join(head) + " |"
        yield "|" + "---|" * len(head)
        for cells in rows:
            yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
        yield ""


def sentence(text: str) -> str:
    """It with a capital and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description="Write the reference, or compare it with the program.")
    parser.add_argument("--check", action="store_true", help="only compare; 1 when the page is out of date")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.stderr.write(
            "deployments/reference.md is out of date: make reference (python -m deployments.reference)\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
