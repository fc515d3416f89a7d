"""What a command imports, and so how long it takes to begin; and that the flow of its name does the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow

from connectors.box.sandbox import Sandbox
from flows.commands.check import check_plan
from flows.commands.collaborate import collaborate_share
from flows.commands.identities import create_identities, retire_identities
from flows.commands.inventory import inventory_share
from flows.commands.migrate import migrate_share
from flows.commands.retry import retry_failures
from flows.commands.simulate import simulate_pass
from flows.commands.unwaive import unwaive_items
from flows.commands.waive import waive_items
from flows.commands.watch import watch_box
from flows.console import as_flow
from tests.forking import ROOT
from tests.program import Program, program_for
from tests.servers import free_port
from tests.trees import build_tree

#: Runs a command in this interpreter and prints which of these packages it has imported.
IMPORTED = """
import sys
from flows.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
sdk = {"box_sdk_gen.box.errors", "box_sdk_gen.client"}
heavy = sdk | {"prefect", "alembic", "requests", "sqlalchemy", "opentelemetry"}
print("imported:", *sorted(heavy & set(sys.modules)))
"""

#: Says something while a function runs as a command runs it.
LOGGING = """
import logging
from flows.console import run_flow
log = logging.getLogger("flows.run.heartbeat")
run_flow(lambda: (log.info("unheard"), log.warning("late")))
"""

COMMANDS = (
    check_plan, collaborate_share, create_identities, inventory_share, migrate_share, retire_identities,
    retry_failures, simulate_pass, unwaive_items, waive_items, watch_box,
)  # fmt: skip


@pytest.fixture
def program(tmp_path: Path, box: Sandbox) -> Program:
    """A plan for a share of one file."""
    share = tmp_path / "share"
    share.mkdir()
    build_tree(share, {"A": {"a.txt": b"a"}})
    return program_for(tmp_path / "run", box, {"url": share.as_uri()})


def run(
    program: Program, *words: str, python: tuple[str, ...] = ("-m", "flows.cli"), **variables: str
) -> Any:
    """A command on the plan in a fresh interpreter, in a folder without settings, with these variables."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(program.folder / "home"), **variables}
    command, *options = words
    return subprocess.run(
        [sys.executable, *python, command, str(program.plan_path), *options],
        cwd=program.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def imported(program: Program, *words: str) -> set[str]:
    """Which of the packages that take long a command has imported."""
    done = run(program, *words, python=("-c", IMPORTED))
    assert 0 == done.returncode, done.stdout + done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_without_a_server_nothing_imports_prefect(program: Program) -> None:
    """Alembic is imported to upgrade a schema, Box's SDK to call Box, and neither to look at the checkpoint; and of the
    SDK only what is called."""
    assert {"sqlalchemy", "box_sdk_gen.box.errors", "requests"} == imported(program, "migrate")
    assert {"sqlalchemy", "box_sdk_gen.box.errors", "requests"} == imported(program, "migrate")
    assert {"sqlalchemy", "box_sdk_gen.box.errors", "requests"} == imported(program, "check")
    assert {"sqlalchemy"} == imported(program, "status")
    assert {"sqlalchemy"} == imported(program, "report")


def test_a_server_that_the_profile_names_is_taken(program: Program) -> None:
    """As one in the environment: the command does not run beside the server that its user looks at."""
    url = f"http://127.0.0.1:{free_port()}/api"
    (program.folder / "home").mkdir()
    profiles = f'active = "mine"\n[profiles.mine]\nPREFECT_API_URL = "{url}"'
    (program.folder / "home" / "profiles.toml").write_text(profiles, encoding="utf-8")

    refused = run(program, "migrate")
    insisted = run(program, "migrate", PREFECT_API_URL="")

    assert 3 == refused.returncode, refused.stderr
    assert f"no Prefect server answers at {url}" in refused.stderr
    assert 0 == insisted.returncode, insisted.stderr


@pytest.mark.parametrize("first", ["pass", "import prefect.main"])
@pytest.mark.gate(1)
def test_log_lines_look_alike_with_prefect_and_without(program: Program, first: str) -> None:
    """Time, level, who and what, on stderr; what is below a warning is not shown."""
    done = run(program, "log", python=("-c", f"{first}{LOGGING}"))

    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} \| WARNING \| flows\.run\.heartbeat - late\n", done.stderr)


@pytest.mark.parametrize("function", COMMANDS)
@pytest.mark.gate(3)
def test_command_and_flow_are_one_function(
    function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the command calls without a server is what its flow wraps, under the flow's own module path."""
    monkeypatch.setattr("flows.orchestration.reachable.require_server", lambda url: None)
    flow = as_flow(function, "http://127.0.0.1/api").args[0]

    assert isinstance(flow, Flow)
    assert function is flow.fn
    module = function.__module__.replace(".commands.", ".")
    assert flow is getattr(import_module(module), function.__name__)
