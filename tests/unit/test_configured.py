"""Whether a Prefect server is configured: never answered otherwise than Prefect itself would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from prefect.settings import Settings

from flows.orchestration.configured import may_be_configured

URL = "http://server.example:4200/api"

PROFILES = f"""
active = "{{active}}"
[profiles.shown]
PREFECT_API_URL = "{URL}"
[profiles.quiet]
PREFECT_SERVER_ANALYTICS_ENABLED = false
"""
SHOWN, QUIET, MISSING = (PROFILES.format(active=name) for name in ("shown", "quiet", "missing"))

#: Files in the current folder, and variables, that name a server.
NAMED: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "variable": ({}, {"PREFECT_API_URL": URL}),
    "variable in small letters": ({}, {"prefect_api_url": URL}),
    "variable of all of the API's settings": ({}, {"PREFECT_API": f'{{"url": "{URL}"}}'}),
    "active profile": ({"home/profiles.toml": SHOWN}, {}),
    "chosen profile": ({"home/profiles.toml": QUIET}, {"PREFECT_PROFILE": "shown"}),
    "profiles elsewhere": ({"elsewhere.toml": SHOWN}, {"PREFECT_PROFILES_PATH": "elsewhere.toml"}),
    "profiles elsewhere, by .env": (
        {"elsewhere.toml": SHOWN, ".env": "PREFECT_PROFILES_PATH=elsewhere.toml"},
        {},
    ),
    "prefect.toml": ({"prefect.toml": f'[api]\nurl = "{URL}"'}, {}),
    "pyproject.toml": ({"pyproject.toml": f'[tool.prefect.api]\nurl = "{URL}"'}, {}),
    "pyproject.toml, dotted": ({"pyproject.toml": f'[tool]\nprefect.api.url = "{URL}"'}, {}),
    ".env": ({".env": f"PREFECT_API_URL={URL}"}, {}),
    ".env in small letters": ({".env": f"export prefect_api_url = '{URL}'"}, {}),
}

#: And some that name none.
UNNAMED: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "nothing": ({}, {}),
    "another profile is active": ({"home/profiles.toml": QUIET}, {}),
    "the active profile is not there": ({"home/profiles.toml": MISSING}, {}),
    "an empty profile file": ({"home/profiles.toml": ""}, {}),
    "an empty variable before a profile": ({"home/profiles.toml": SHOWN}, {"PREFECT_API_URL": ""}),
    "settings of a server": ({}, {"PREFECT_SERVER_ANALYTICS_ENABLED": "false"}),
    "another tool's pyproject.toml": ({"pyproject.toml": '[project]\ndependencies = ["prefect"]'}, {}),
    "another tool's .env": ({".env": "URL=http://elsewhere"}, {}),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with Prefect's home in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path


def set_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str], variables: Mapping[str, str]
) -> None:
    """Write the files and set the variables."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("way", NAMED)
def test_whatever_names_a_server_to_prefect_is_seen(
    way: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run would not be shown where its user looks for it."""
    set_up(folder, monkeypatch, *NAMED[way])

    assert URL == Settings().api.url
    assert may_be_configured()


@pytest.mark.parametrize("way", UNNAMED)
def test_what_names_no_server_costs_no_import(
    way: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual surroundings of a user who has no server."""
    set_up(folder, monkeypatch, *UNNAMED[way])

    assert not Settings().api.url
    assert not may_be_configured()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("home/profiles.toml", "active = "),
        ("home/profiles.toml", "active = []\n[profiles]"),
        ("home/profiles.toml", "profiles = 1"),
        ("pyproject.toml", "tool = 1"),
        ("pyproject.toml", "\udcff"),
        ("prefect.toml", "[server]"),
    ],
)
def test_what_is_not_understood_is_left_to_prefect(name: str, text: str, folder: Path) -> None:
    """It says itself what is wrong with its settings, or that all is well."""
    (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))

    assert may_be_configured()
