"""Untrusted input: plan files, URLs and names of any shape end as a plan or as one line, never as a traceback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.sources.location import Location
from flows.errors import PlanError
from flows.plan.file import load_plan
from flows.plan.model import MigrationPlan
from flows.reporting.items import FORMULA_STARTS, csv_cell
from flows.words import printable

VALID: dict[str, Any] = {
    "name": "fuzz",
    "source": {"url": "smb://fs/share", "username": "u", "password": "${PW}", "options": {}},
    "box": {"auth": {"method": "jwt", "config_file": "box.json"}, "landing_folder_id": "0", "identities": []},
    "state_url": "sqlite:///x.db",
    "trees": [
        {"source": "A", "folder": "A", "collaborators": [{"login": "a@example.com", "role": "viewer"}]}
    ],
    "exclude": ["*.tmp"],
    "transfer": {"threads": 4},
}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=20),
    st.dates(),
    st.sampled_from(
        ["${PW}", "${NOT_SET}", "${", "..", "a/../b", "smb://u:secret@h/s", "\x00", "\ud800", "!!x"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda child: (
        st.lists(child, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), child, max_size=3)
    ),
    max_leaves=8,
)

FUZZ = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return [path] + [each for key, child in children for each in paths_of(child, (*path, key))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The document with another value at one place."""
    if not path:
        return new
    if isinstance(value, dict):
        return {**value, path[0]: replaced(value[path[0]], path[1:], new)}
    return [replaced(child, path[1:], new) if at == path[0] else child for at, child in enumerate(value)]


def read(path: Path) -> MigrationPlan | str:
    """The plan, or the one line that says why not; anything else is raised."""
    try:
        return load_plan(path)
    except PlanError as exc:
        return str(exc)


@FUZZ
@example(place=("name",), new="${PW}")
@example(place=("exclude", 0), new="x${PW}y")
@example(place=("state_url",), new="postgresql://b:${PW}@[h/x")
@given(place=st.sampled_from(paths_of(VALID)), new=VALUES)
def test_any_value_at_any_place_of_a_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, ...], new: Any
) -> None:
    """Whatever stands at one place of a good plan, it is a plan or one line without the secret."""
    monkeypatch.setenv("PW", "canary-secret")
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.dump(replaced(VALID, place, new), allow_unicode=False), encoding="utf-8")
    outcome = read(path)

    assert isinstance(outcome, (MigrationPlan, str))
    assert "canary-secret" not in str(outcome)


@FUZZ
@given(
    text=st.text(st.characters(blacklist_categories=("Cs",)), max_size=200)
    | st.text("-:{}[]&*!|>'\"%@` \n\tab", max_size=60)
)
def test_any_text_as_a_plan(tmp_path: Path, text: str) -> None:
    """Any text is one line, as no such text is a plan."""
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")

    assert isinstance(read(path), str)


@FUZZ
@given(data=st.binary(max_size=200))
def test_any_bytes_as_a_plan(tmp_path: Path, data: bytes) -> None:
    """Any bytes are one line, too."""
    path = tmp_path / "plan.yaml"
    path.write_bytes(data)

    assert isinstance(read(path), str)


@pytest.mark.parametrize(
    "text",
    [
        "&a [*a, *a]",
        "a: &a {b: *a}",
        "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]),
        "[" * 1_500,
        "{a: " * 3_000,
        "!!python/object/apply:os.system ['touch owned']",
        "? [a, b]\n: c",
        "name: " + "9" * 5_000,
        "2001-99-99: x",
        "<<: 1",
        "!!binary x",
        "=: 1",
    ],
)
def test_plans_that_are_traps(tmp_path: Path, text: str) -> None:
    """Aliases that refer to themselves or unfold to terabytes, deep nesting, tags and odd keys are one line."""
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")

    assert isinstance(read(path), str)
    assert not (tmp_path / "owned").exists()


@FUZZ
@given(text=st.text(max_size=60) | st.from_regex(r"[a-z0-9+]{1,5}://[a-z:@\[\]%/.0-9]{0,30}", fullmatch=True))
def test_any_text_as_a_url(text: str) -> None:
    """Any text is a location or a ValueError of one line."""
    try:
        shown = Location.parse(text).display_url
    except ValueError as exc:
        shown = str(exc)

    assert "\n" not in shown


@FUZZ
@given(name=st.text(min_size=1, max_size=40))
def test_any_name_in_a_cell_and_on_a_terminal(name: str) -> None:
    """No name begins a formula, and none brings a control character, a direction switch or half a pair to a screen."""
    assert not csv_cell(name).startswith(FORMULA_STARTS)
    assert printable(name).isprintable()


def test_tls_verification_is_never_switched_off() -> None:
    """No line of the program turns the check of certificates off."""
    root = Path(__file__).parents[2]
    off = re.compile(
        r"verify\s*=\s*False|CERT_NONE|check_hostname\s*=\s*False|_create_unverified|disable_warnings"
    )
    lines = [
        f"{path.name}: {line}"
        for folder in ("flows", "connectors", "state")
        for path in (root / folder).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if off.search(line)
    ]

    assert [] == lines
