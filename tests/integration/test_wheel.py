"""The built wheel is a whole program, and brings no name but its own."""

from __future__ import annotations

import json
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.wheel import ROOT, Installation, build_wheel, install

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

#: Entry points as a deployment made from a wheel registers them, each loaded as Prefect's worker loads it.
RESOLVE = """
import json, yaml
from boxhaul.flows.deploy.deployments import INSTALLED_BELOW
from boxhaul.flows.deploy.options import DEPLOYMENTS
from prefect.flows import load_flow_from_entrypoint
document = yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())
points = [INSTALLED_BELOW + each["entrypoint"] for each in document["deployments"]]
print(json.dumps({point: load_flow_from_entrypoint(point).fn.__module__ for point in points}))
"""

HEAD = """
from boxhaul.state.database.engine import Database
from boxhaul.state.database.schema import bring_to_head
database = Database("sqlite:///wheel.db")
bring_to_head(database, upgrade=True)
bring_to_head(database, upgrade=False)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel, built and installed once."""
    folder = tmp_path_factory.mktemp("wheel")
    return install(build_wheel(folder), folder / "environment")


@pytest.fixture(scope="module")
def box(installed: Installation) -> Iterator[dict[str, Any]]:
    """`boxhaul sandbox` of the installed wheel; what it wrote to its configuration file."""
    config = installed.folder / "box_config.json"
    process = subprocess.Popen(
        [installed.boxhaul, "sandbox", "--config", config],
        env=installed.settings(),
        cwd=installed.folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        yield json.loads(config.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def plan(installed: Installation, box: dict[str, Any]) -> Path:
    """A plan for a small local share."""
    share = installed.folder / "departments"
    for number in range(5):
        place = share / "Legal" / f"Q{number}"
        place.mkdir(parents=True)
        (place / "contract.txt").write_text(f"contract {number}")
    document = {
        "name": "wheel",
        "source": {"url": share.as_uri()},
        "box": {
            "auth": {"method": "jwt", "config_file": "box_config.json"},
            "base_url": box["base_url"],
            "upload_url": box["upload_url"],
        },
        "state_url": "sqlite:///state.db",
    }
    path = installed.folder / "plan.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_manual_page_is_where_man_looks(installed: Installation) -> None:
    """pip, pipx and uv put it beside the program."""
    page = installed.folder / "share" / "man" / "man1" / "boxhaul.1"
    assert f'"Boxhaul {VERSION}"' in page.read_text(encoding="utf-8")


def test_version_is_that_of_pyproject(installed: Installation) -> None:
    """`boxhaul --version` of the wheel."""
    done = installed.run(installed.boxhaul, "--version")

    assert f"boxhaul {VERSION}\n" == done.stdout, done.stderr


def test_wheel_brings_no_name_but_its_own(installed: Installation) -> None:
    """A user's own `flows`, `state` or `connectors` has nothing of ours in its way."""
    brought = {path.name for path in installed.site_packages.iterdir()} - {"dependencies.pth"}

    assert {"boxhaul", f"boxhaul-{VERSION}.dist-info"} == brought


@pytest.mark.parametrize("name", ["flows", "connectors", "state"])
def test_checkout_is_not_in_reach_of_these_tests(installed: Installation, name: str) -> None:
    """What they prove is proven of the wheel."""
    done = installed.run(installed.python, "-c", f"import {name}")

    assert f"No module named '{name}'" in done.stderr


def test_every_module_can_be_imported(installed: Installation) -> None:
    """No import of ours was left as it is in the checkout."""
    modules = [
        ".".join(path.relative_to(installed.site_packages).with_suffix("").parts)
        for path in sorted((installed.site_packages / "boxhaul").rglob("*.py"))
        if path.name not in ("__main__.py", "__init__.py") and "migrations" not in path.parts
    ]
    done = installed.run(installed.python, "-c", "import " + ", ".join(modules))

    assert len(modules) > 100
    assert 0 == done.returncode, done.stderr


def test_share_is_moved_and_reported(installed: Installation, plan: Path) -> None:
    """check, migrate, status and report, with Box, source, database and templates of the wheel."""
    checked = installed.run(installed.boxhaul, "check", plan, "--json")
    moved = installed.run(installed.boxhaul, "migrate", plan)
    status = installed.run(installed.boxhaul, "status", plan, "--json")
    reported = installed.run(installed.boxhaul, "report", plan)

    assert 0 == checked.returncode, checked.stdout + checked.stderr
    assert 0 == moved.returncode, moved.stdout + moved.stderr
    assert ["complete"] == [tree["state"] for tree in json.loads(status.stdout)["trees"]]
    page = Path(reported.stdout.splitlines()[0])
    assert "</html>" in page.read_text(encoding="utf-8")


def test_database_is_brought_to_the_newest_schema(installed: Installation) -> None:
    """The migrations ship, and find our own modules."""
    done = installed.run(installed.python, "-c", HEAD)

    assert 0 == done.returncode, done.stderr


def test_entry_points_of_deployments_are_those_of_the_wheel(installed: Installation) -> None:
    """Each flow that `boxhaul deploy` registers is found by a worker that has the wheel."""
    done = installed.run(installed.python, "-c", RESOLVE)

    assert 0 == done.returncode, done.stderr
    points = json.loads(done.stdout)
    assert len(points) >= 5
    for point, module in points.items():
        door = point.rpartition(".")[0]
        assert door.startswith("boxhaul.flows.")
        # The function behind it is what the command of this name runs, too.
        assert module in (door, door.replace("boxhaul.flows.", "boxhaul.flows.commands."))


def test_deploy_without_a_server_is_one_line(installed: Installation, plan: Path) -> None:
    """No traceback for files that did not ship: it says how to get a server, and ends with 2."""
    done = installed.run(
        installed.boxhaul, "deploy", plan, PREFECT_API_URL="http://127.0.0.1:9/api", PREFECT_HOME="prefect"
    )

    assert 2 == done.returncode
    assert "no Prefect server answers" in done.stderr
    assert 1 == len(done.stderr.splitlines())
