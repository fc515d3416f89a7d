"""`boxhaul check` with credentials that a Prefect block keeps: signed in, and named when wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.conftest import build_share
from tests.program import Program, program_for
from tests.servers.prefect import ROOT, PrefectServer

#: Reads {name: JWT configuration} and saves each as a block, as somebody who types it into the form.
SAVE = """
import json, sys
from flows.plan.blocks import BoxServiceAccount
for name, config in json.load(sys.stdin).items():
    BoxServiceAccount(method="jwt", jwt_config=json.dumps(config)).save(name, overwrite=True)
"""


def save_blocks(program: Program, configs: dict[str, Any]) -> None:
    """Save these blocks in a process of its own, which knows the server."""
    subprocess.run(
        [sys.executable, "-c", SAVE],
        input=json.dumps(configs),
        env=program.environment,
        cwd=ROOT,
        text=True,
        check=True,
        capture_output=True,
        timeout=120,
    )


def check(program: Program, block: str) -> tuple[int, dict[str, str]]:
    """Exit code and login row of `boxhaul check` with this block."""
    program.write_plan(box=program.plan["box"] | {"auth": {"method": "block", "name": block}})
    finished = program.run("check", "--json")
    [login] = [row for row in json.loads(finished.stdout)["checks"] if row["name"] == "login"]
    return finished.code, login


@pytest.mark.torture
def test_block_signs_in_and_a_rotated_key_in_it_is_named(
    tmp_path: Path, box: Sandbox, prefect_server: PrefectServer
) -> None:
    """The login row says where the credentials come from, and which key of them Box no longer knows."""
    share = build_share(tmp_path / "share", trees=("Legal",), folders=1, files=2)
    program = program_for(
        tmp_path / "run", box, {"url": share.as_uri()}, environment=prefect_server.environment
    )
    rotated = json.loads(json.dumps(box.jwt_config))
    rotated["boxAppSettings"]["appAuth"]["publicKeyID"] = "rotated1"
    save_blocks(program, {"check-good": box.jwt_config, "check-rotated": rotated})
    good_code, good = check(program, "check-good")
    refused_code, refused = check(program, "check-rotated")

    assert (0, "ok") == (good_code, good["state"])
    assert "Prefect block" in good["found"]
    assert (3, "problem") == (refused_code, refused["state"])
    assert "rotated1" in refused["what_to_do"]
    assert box.jwt_config["boxAppSettings"]["clientSecret"] not in str(good) + str(refused)
