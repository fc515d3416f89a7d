"""Reading a plan file: YAML in, MigrationPlan out, every fault named by its key. Opens no connection."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from yaml.composer import Composer

from flows.errors import PlanError
from flows.plan.beside import values_beside
from flows.plan.model import MigrationPlan
from flows.plan.references import expand, expand_all, secret_fields, use_beside
from flows.plan.secrets import REFERENCE, database_url_secrets, option_secrets
from state.database.engine import parse_url, sqlite_file
from state.errors import StateError

#: Keys whose references stay as written, because what they stand for is or may hold a secret.
LATE = re.compile(
    r"state_url|source\.password|source\.options|box\.auth\.(client_secret|config)"
    r"|trees\.\d+\.shared_link\.password|notify(\.url)?"
)

#: Those of them that are secrets as a whole.
SECRET = re.compile(
    r"source\.password|box\.auth\.(client_secret|config)|trees\.\d+\.shared_link\.password|notify(\.url)?"
)

#: A plan is written by a person; anything larger is the wrong file.
MAX_PLAN_BYTES = 4_000_000

#: What a plan of 100,000 trees with people may unfold to, and how deep its keys go.
MAX_NODES, MAX_DEPTH = 2_000_000, 12


#: Kinds of faults, as Pydantic names them, and what each means to whoever writes a plan.
FAULTS = {
    r"string_type": 'write it as text: "..." in quotes',
    r"string_too_short": "it is too short; at least {min_length} character(s)",
    r"(int|float|decimal)_(type|parsing|from_float)": "write a number, without quotes or unit",
    r"bool_(type|parsing)": "write true or false",
    r"(list|tuple|set)_type": "write a list: each entry on a line of its own that begins with '- '",
    r"(dict|model|model_attributes|mapping)_type": "write 'key: value' lines below it, further to the right",
    r"(literal_error|enum|union_tag_invalid)": "write one of {expected}",
    r"union_tag_not_found": "the key method is missing below it: jwt, ccg or block",
    r"greater_than_equal": "it must be at least {ge}",
    r"greater_than": "it must be more than {gt}",
    r"less_than_equal": "it must be at most {le}",
    r"less_than": "it must be less than {lt}",
    r"(datetime|date|timezone).*": "write a date and time with its zone: 2027-01-31T18:00:00+01:00",
    r"none_required": "leave it out",
}


def load_plan(
    path: Path, change: Callable[[dict[str, Any]], dict[str, Any]] = lambda written: written
) -> MigrationPlan:
    """The plan of this file. PlanError: unreadable, not YAML, unknown key, bad value, missing variable.

    `change`: returns what is to stand in the file in place of what stands there, before any variable is asked for.
    """
    document = read_document(path)
    if "base_dir" in document:
        raise PlanError(f"{path}: unknown key base_dir")
    document = change(document)
    _measure(document, path)
    use_beside(values_beside(path, _referenced(document)))
    document = _expanded(document, key="", secrets=_secret_names(document))
    document["base_dir"] = str(path.resolve().parent)
    try:
        plan = MigrationPlan.model_validate(document)
    except ValidationError as exc:
        raise PlanError(f"{path}: {_first_fault(exc)}") from None
    for key, secret in secret_fields(plan).items():
        expand(secret.get_secret_value(), key=key)
    expand_all(plan.source.options, key="source.options")
    try:
        parse_url(plan.resolved_state_url())
    except StateError as exc:
        raise PlanError(f"{path}: {exc}") from None
    _refuse_link_to_new_checkpoint(path, plan)
    return plan


def _refuse_link_to_new_checkpoint(path: Path, plan: MigrationPlan) -> None:
    """A checkpoint beside a plan that is reached through a link is another one as soon as the link leads elsewhere."""
    file = sqlite_file(plan.resolved_state_url())
    is_relative = sqlite_file(expand(plan.state_url, key="state_url")) != file
    written = Path(os.path.normpath(_working_folder() / path))
    if file is None or not is_relative or file.exists() or written == written.resolve():
        return
    raise PlanError(
        f"state_url: there is no checkpoint {file} yet, and {written} is reached through a symbolic link; once that"
        f" leads elsewhere, all would begin anew. Write it from the root: sqlite:///{file}"
    )


def _working_folder() -> Path:
    """The folder that the shell is in, with the links that led there, as far as it tells."""
    here, told = Path.cwd(), os.environ.get("PWD", "")
    return Path(told) if Path(told).is_absolute() and Path(told).is_dir() and here.samefile(told) else here


class _PlanLoader(Composer, yaml.CSafeLoader):
    """YAML as the safe loader reads it; a key that stands twice in one mapping is a fault and no silent choice.

    The text is read in C, for plans of thousands of trees. Nodes are composed in Python, which ends where a document is
    nested too deeply; in C that ends the process.
    """

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        Composer.__init__(self)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compare the keys as they are written, before any merge (`<<`) adds others."""
        mapping: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in mapping.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            place = (key.tag, key.value)
            if place in lines:
                told = f"the key {key.value!r} stands on line {lines[place]} already"
                raise yaml.MarkedYAMLError(problem=told, problem_mark=key.start_mark)
            lines[place] = key.start_mark.line + 1
        return mapping


def read_document(path: Path) -> dict[str, Any]:
    """What stands in a plan file, with its references as they are written. PlanError: unreadable, not YAML."""
    try:
        if path.stat().st_size > MAX_PLAN_BYTES:
            raise PlanError(f"{path}: too large for a plan file")
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise PlanError(f"{path}: cannot be read ({exc.strerror})") from exc
    except UnicodeDecodeError as exc:
        raise PlanError(f"{path}: is not UTF-8 text (byte {exc.start})") from exc
    try:
        document = _constructed(text, path)
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise PlanError(f"{path}: is not YAML{_yaml_place(exc)}") from None
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise PlanError(f"{path}: a plan is a list of 'key: value' lines, starting with name, source and box")
    return document


def _constructed(text: str, path: Path) -> Any:
    """The document behind the text, once it is known how much it unfolds to: reading is what unfolds merges."""
    loader = _PlanLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _unfolded(node, {}) > MAX_NODES:
            raise PlanError(f"{path}: nested too deeply or too large for a plan")
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _unfolded(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes this one is, each alias counted as all that it stands for. ValueError when it holds itself."""
    found = known.get(id(node))
    if found is None:
        known[id(node)] = MAX_NODES + 1  # met again below itself: endless
        children = (
            [each for pair in node.value for each in pair]
            if isinstance(node, yaml.MappingNode)
            else (node.value if isinstance(node, yaml.SequenceNode) else [])
        )
        found = known[id(node)] = 1 + sum(_unfolded(child, known) for child in children)
    return found


def _yaml_place(exc: Exception) -> str:
    mark = getattr(exc, "problem_mark", None)
    problem = getattr(exc, "problem", None)
    return f": line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else ""


def _measure(document: Any, path: Path) -> None:
    """Refuse a document that refers to itself or unfolds to something huge: aliases make both from a few bytes."""
    waiting, nodes = [(document, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        nodes += 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise PlanError(f"{path}: nested too deeply or too large for a plan")
        if isinstance(value, dict):
            waiting += [(child, depth + 1) for child in value.values()]
        elif isinstance(value, list):
            waiting += [(child, depth + 1) for child in value]


def _referenced(document: Any) -> set[str]:
    """Every name that some text of the document refers to."""
    if isinstance(document, str):
        return set(REFERENCE.findall(document))
    return {name for _, child in _children(document) for name in _referenced(child)}


def _secret_names(document: Any, key: str = "") -> dict[str, str]:
    """Variables that stand for a secret, and the key of it."""
    if key == "source.options":
        texts = option_secrets(document, key)
        return {name: place for place, text in texts for name in REFERENCE.findall(text)}
    if isinstance(document, str):
        secret = document if SECRET.fullmatch(key) else ""
        if key == "state_url":
            secret = "".join(database_url_secrets(document))
        return dict.fromkeys(REFERENCE.findall(secret), key)
    names: dict[str, str] = {}
    for name, child in _children(document):
        names |= _secret_names(child, f"{key}.{name}" if key else str(name))
    return names


def _children(value: Any) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()


def _expanded(value: Any, *, key: str, secrets: Mapping[str, str]) -> Any:
    """References filled in, but for what may be secret: that keeps its reference until a connection is opened.

    PlanError when a variable that stands for a secret is used where its value would be shown.
    """
    if LATE.fullmatch(key):
        return value
    if isinstance(value, str):
        for name in REFERENCE.findall(value):
            if name in secrets:
                raise PlanError(f"{key}: {name} is the secret of {secrets[name]}, and would be shown here")
        return expand(value, key=key)
    if isinstance(value, list | dict):
        children = {
            name: _expanded(child, key=f"{key}.{name}" if key else str(name), secrets=secrets)
            for name, child in _children(value)
        }
        return children if isinstance(value, dict) else list(children.values())
    return value


def _first_fault(exc: ValidationError) -> str:
    """One line about the first fault; never the value, which may be a secret."""
    fault = exc.errors(include_input=False, include_url=False)[0]
    location = [
        part for part in fault["loc"] if not (isinstance(part, str) and part in ("jwt", "ccg", "block"))
    ]
    key = ".".join(str(part) for part in location)
    more = f" (and {exc.error_count() - 1} more)" if exc.error_count() > 1 else ""
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key}{_nearest(location)}{more}"
    if fault["type"] == "missing":
        return f"{key} is missing{more}"
    message = _in_words(fault["type"], fault.get("ctx", {})) or fault["msg"].removeprefix("Value error, ")
    return f"{key}: {message}{more}" if key else f"{message}{more}"


def _in_words(kind: str, bounds: Mapping[str, Any]) -> str:
    """Say what to write instead, for the faults that Pydantic tells a programmer; "" for others."""
    return next((words for pattern, words in FAULTS.items() if re.fullmatch(pattern, kind)), "").format_map(
        {"expected": bounds.get("expected") or bounds.get("expected_tags"), **bounds}
    )


def _nearest(location: list[int | str]) -> str:
    known = _known_keys(location[:-1])
    close = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known keys: {', '.join(sorted(known))}" if known else ""


def _known_keys(location: list[int | str]) -> list[str]:
    """Keys that are allowed at this place, by walking the models' annotations."""
    models: list[type[BaseModel]] = [MigrationPlan]
    for part in location:
        if isinstance(part, int):
            continue
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        models = [model for field in fields for model in _models_in(field.annotation)]
    return [name for model in models for name in model.model_fields if name != "base_dir"]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
