"""`boxhaul sandbox` as a command: what it says where it cannot begin."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from connectors.box.sandbox.__main__ import main
from tests.program import fresh


def test_a_used_port_is_one_line() -> None:
    """Another program has it: exit code 2, the port, and how to get one that is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = fresh(["sandbox", "--port", str(port)], dict(os.environ))
        stdout, stderr = process.communicate(timeout=60)

    assert (2, "") == (process.returncode, stdout), stderr
    assert [
        f"boxhaul: port {port}: Address already in use; choose another one, or --port 0 for a free one"
    ] == (stderr.splitlines())


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--config", "/no/where/c.json"], "boxhaul: /no/where/c.json: No such file or directory"),
        (
            ["--tls", "/no/cert.pem", "/no/key.pem"],
            "boxhaul: --tls: /no/cert.pem and /no/key.pem cannot be used",
        ),
        (["--keep-content", "--hash-only"], "--hash-only: not allowed with argument --keep-content"),
        (["--port", "99999"], "boxhaul sandbox: error: argument --port: invalid port value: '99999'"),
    ],
)
def test_it_says_why_it_cannot_begin(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the option or the file."""
    with pytest.raises(SystemExit) as ended:
        main(flags)
    assert 2 == ended.value.code
    assert words in capsys.readouterr().err


def test_every_flag_is_in_force(tmp_path: Path) -> None:
    """Limits and settings are those of the command line; it speaks TLS by these files and checks calls."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key, ca = (tmp_path / name for name in ("chain.pem", "key.pem", "ca.pem"))
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(ca))
    limits = {
        "--uploads-per-minute": 7,
        "--calls-per-minute": 9,
        "--window-seconds": 3.5,
        "--latency-seconds": 0.05,
        "--bytes-per-second": 123456.0,
    }
    settings = {
        "--space-amount": 5000,
        "--max-upload-size": 4000,
        "--part-size": 1000,
        "--commit-202-rounds": 2,
    }
    words = [
        "--port",
        "0",
        "--config",
        str(tmp_path / "c.json"),
        "--data",
        str(tmp_path / "data"),
        "--validate",
    ]
    words += ["--tls", str(chain), str(key)]
    words += [str(word) for pair in (limits | settings).items() for word in pair]
    process = subprocess.Popen(
        [sys.executable, "-m", "connectors.box.sandbox", *words], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()

        def asked(name: str) -> Any:
            return requests.get(f"{url}/_sandbox/{name}", verify=str(ca), timeout=30).json()

        shown, kept = asked("limits"), asked("settings")
        requests.get(f"{url}/2.0/users?limit=many", verify=str(ca), timeout=30)
        violations = asked("violations")
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(30)
    finally:
        process.kill()
        process.communicate()

    assert url.startswith("https://127.0.0.1:")
    assert limits == {flag: shown[flag[2:].replace("-", "_")] for flag in limits}
    assert settings == {flag: kept[flag[2:].replace("-", "_")] for flag in settings}
    assert any("limit" in str(each) for each in violations), violations
    assert (tmp_path / "c.json").exists()
    assert list((tmp_path / "data").iterdir())
