"""What is written for people agrees with the program."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from flows.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every command and group of the program."""
    group = typer.main.get_command(app)
    return sorted(group.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", commands())
def test_command_is_in_the_readme(command: str) -> None:
    """A command that nobody can read about does not exist."""
    assert f"boxhaul {command}" in README


def test_readme_names_no_command_that_is_not_there() -> None:
    """The README promises nothing that the program lacks."""
    named = set(re.findall(r"^boxhaul ([a-z]+)", README, flags=re.MULTILINE))

    assert named <= set(commands())


@pytest.mark.parametrize("name", ["demo", "test", "lint", "bench", "help", "torture"])
def test_make_target_exists(name: str) -> None:
    """What the documents tell to type after `make` is in the Makefile."""
    assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("name", ["connectors", "connectors.box", "state", "flows"])
def test_all_names_exactly_what_is_offered(name: str) -> None:
    """`__all__` of a package lists names that exist, sorted, each once."""
    package = importlib.import_module(name)
    offered = getattr(package, "__all__", [])

    assert sorted(set(offered)) == sorted(offered)
    assert all(hasattr(package, each) for each in offered)


def test_help_starts_without_heavy_imports() -> None:
    """`boxhaul --help` loads neither Prefect nor the Box SDK."""
    code = "import sys, flows.cli; print(sorted({'prefect', 'box_sdk_gen', 'sqlalchemy'} & set(sys.modules)))"

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert "[]" == printed.stdout.strip()


def test_pictures_are_loaded_by_a_report_alone() -> None:
    """What draws, and what writes workbooks, costs nothing to whoever writes no report."""
    heavy = "{'vl_convert', 'xlsxwriter'} & set(sys.modules)"
    code = (
        f"import sys, flows.migrate, flows.orchestration.runs, flows.reporting.report; print(sorted({heavy}))"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert "[]" == printed.stdout.strip()


def test_version_is_that_of_the_installation() -> None:
    """`boxhaul --version` prints one line that a bug report can quote."""
    printed = CliRunner().invoke(app, ["--version"])

    assert f"boxhaul {version('boxhaul')}\n" == printed.stdout
    assert 0 == printed.exit_code


def test_changelog_is_in_the_form_of_keep_a_changelog() -> None:
    """Versions newest first, the first that of pyproject.toml; known headings; a sentence for each change."""
    versions = re.findall(r"^## (\S+) - (unreleased|\d{4}-\d\d-\d\d)$", CHANGELOG, flags=re.MULTILINE)
    lines = CHANGELOG.partition("\n## ")[2].splitlines()
    kinds = {line for line in lines if line.startswith("#")} - {
        f"## {name} - {day}" for name, day in versions
    }
    changes = re.findall(r"^- (.*(?:\n  .*)*)", CHANGELOG, flags=re.MULTILINE)

    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == versions[0][0]
    assert (
        sorted(versions, key=lambda each: [int(part) for part in each[0].split(".")], reverse=True)
        == versions
    )
    assert kinds <= {"### Added", "### Changed", "### Deprecated", "### Removed", "### Fixed", "### Security"}
    assert [] == [change for change in changes if not change.endswith(".")]


def test_no_file_names_a_registry_or_a_machine() -> None:
    """No committed file holds the address of a package index."""
    tracked = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True, cwd=ROOT)
    pattern = re.compile(r"(extra-)?index-url\s*=|--find-links")
    for name in filter(None, tracked.stdout.split("\0")):
        path = ROOT / name
        if (
            path.suffix in {".py", ".md", ".toml", ".txt", ".yaml", ".yml"}
            and path.name != Path(__file__).name
        ):
            assert not pattern.search(path.read_text(encoding="utf-8")), name


def documents() -> list[Path]:
    """Every Markdown page."""
    listed = subprocess.run(["git", "ls-files", "*.md"], capture_output=True, text=True, check=True, cwd=ROOT)
    return [ROOT / name for name in listed.stdout.splitlines()]


def anchors(page: Path) -> set[str]:
    """What may follow `#` in a link to the page: its headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link is a file or folder that is there, each anchor a heading."""
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("https://"):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_every_chapter_is_reached_from_the_readme() -> None:
    """Nothing for operators is hidden in a folder."""
    linked = {(ROOT / path).resolve() for path in re.findall(r"\]\(([^)#\s]+)", README)}

    assert set((ROOT / "deployments").glob("*.md")) <= linked


def test_readme_maps_every_room() -> None:
    """The map names each room of flows, each side of the connectors, and the other folders."""
    rooms = {f"flows/{path.parent.name}/" for path in (ROOT / "flows").glob("*/__init__.py")}
    rooms |= {f"connectors/{path.parent.name}/" for path in (ROOT / "connectors").glob("*/__init__.py")}
    mapped = set(re.findall(r"`([\w/]+/)`", README.partition("## What is where")[2].partition("\n## ")[0]))

    assert rooms <= mapped
    assert [] == [name for name in mapped if not (ROOT / name).is_dir()]


def test_readme_is_short() -> None:
    """Four minutes at 250 words a minute, what the terminal printed and what is looked up left out."""
    prose = re.sub(r"```.*?```|^\|.*$", "", README, flags=re.DOTALL | re.MULTILINE)

    assert len(prose.split()) < 1_000


def test_tests_that_the_readme_of_the_tests_names_exist() -> None:
    """Each file and each test function of that page, a prefix where it says `*` or `…`."""
    text = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    files = sorted((ROOT / "tests").rglob("*.py"))
    paths = [path.relative_to(ROOT).as_posix() for path in files]
    names = {path.stem for path in files}
    for path in files:
        names |= set(re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))

    named = re.findall(r"\b(test_\w*)([*…])?", text)
    files_named = re.findall(r"`((?:\w+/)*\w+\.py)", text)
    assert [] == [path for path in files_named if not any(each.endswith(f"/{path}") for each in paths)]
    assert [] == [
        name
        for name, more in named
        if name not in names and not (more and any(n.startswith(name) for n in names))
    ]
