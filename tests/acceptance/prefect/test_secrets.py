"""No secret in Prefect's database, logs, artifacts or output: a run with a password and a private key."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

import httpx

from connectors.box.sandbox import Sandbox
from tests.acceptance.prefect.conftest import build_share, deploy
from tests.program import program_for
from tests.servers.prefect import PrefectServer, PrefectWorker
from tests.servers.samba import Samba


def test_no_secret_reaches_prefect(
    tmp_path: Path, box: Sandbox, samba: Samba, prefect_server: PrefectServer, prefect_worker: PrefectWorker
) -> None:
    """Deployed from a plan file with secrets, run from blocks that the worker alone can open; nothing shows them."""
    server = prefect_server
    folder = samba.root / "secret-share"
    build_share(folder, trees=("Legal",), folders=1, files=5)
    source = {
        "url": f"{samba.url}/secret-share",
        "username": samba.username,
        "port": samba.port,
        "password": "${SHARE_PW}",
    }
    environment = {**server.environment, "SHARE_PW": samba.password}
    program = program_for(tmp_path / "run", box, source, environment=environment, name="canary")
    try:
        deploy(program, "canary")
        run = server.start_run("run-plan/on-demand-canary")
        server.wait_for(run, "Completed")
    finally:
        shutil.rmtree(folder)
    typed = f"typed-{secrets.token_hex(12)}"
    refused = type_a_secret_into_the_form(server, typed)

    assert 409 == refused.status_code
    assert "password" in refused.text
    settings = box.jwt_config["boxAppSettings"]
    canaries = {
        "share password": samba.password,
        "client secret": settings["clientSecret"],
        "pass phrase": settings["appAuth"]["passphrase"],
        "private key": settings["appAuth"]["privateKey"].splitlines()[2],
        "secret typed into the form": typed,
    }
    places = {path.name: path.read_bytes() for path in server.home.rglob("*") if path.is_file()}
    assert "prefect.db" in places
    found = [
        (name, place)
        for name, secret in canaries.items()
        for place, content in places.items()
        if secret.encode() in content
    ]
    assert [] == found
    assert 5 == len(box.files())


def type_a_secret_into_the_form(server: PrefectServer, secret: str) -> httpx.Response:
    """Start a run of the deployment whose form is the plan, with a password in the clear."""
    deployment = server.deployment("migrate-share/pilot-canary")
    plan = deployment["parameters"]["plan"]
    source = {**plan["source"], "credentials_block": "", "username": "svc", "password": secret}
    return httpx.post(
        f"{server.api_url}/deployments/{deployment['id']}/create_flow_run",
        json={"parameters": {"plan": {**plan, "source": source}}},
        timeout=60,
    )
