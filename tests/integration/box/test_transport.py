"""The line to Box: certificates, the environment, and addresses that a token must not follow."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest
import trustme

from connectors.box.client.transport import Addresses
from connectors.box.config import BoxConfig, JWTAuthConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.box.types import SessionState
from connectors.errors import BoxUnreachable, ConnectorError
from tests.integration.box.files import Sessions, content, opener, upload


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    """A certificate authority that nobody trusts yet."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return authority


@pytest.fixture
def encrypted_box(authority: trustme.CA, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox behind TLS."""
    server = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    server.private_key_pem.write_to_path(str(key))
    for number, blob in enumerate(server.cert_chain_pems):
        blob.write_to_path(str(certificate), append=number > 0)
    with Sandbox(tls=(str(certificate), str(key))) as box:
        yield box


def over_tls(box: Sandbox, **more: object) -> BoxConfig:
    auth = JWTAuthConfig(config=json.dumps(box.jwt_config))
    return BoxConfig(auth=auth, base_url=box.url, upload_url=box.upload_url, **more)  # type: ignore[arg-type]


def test_an_untrusted_certificate_stops_at_once(
    encrypted_box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No retry, no token request; the environment cannot switch verification off."""
    monkeypatch.setenv("CURL_CA_BUNDLE", "")
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    with BoxDestination(over_tls(encrypted_box)) as destination:
        with pytest.raises(BoxUnreachable, match="ca_file"):
            destination.whoami()

        assert {"POST /oauth2/token": 1} == destination.call_counts()
    assert 0 == encrypted_box.calls.total


@pytest.mark.parametrize("by", ["ca_file", "environment"])
def test_a_private_authority_is_trusted_when_named(
    encrypted_box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """ca_file in the plan, or the bundle that the environment names."""
    if by == "environment":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    config = over_tls(encrypted_box, **({"ca_file": "ca.pem"} if by == "ca_file" else {}))
    with BoxDestination(config, base_dir=tmp_path) as destination:
        assert encrypted_box.service_account.id == destination.whoami().id


def test_netrc_does_not_replace_the_token(
    destination: BoxDestination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests would send a ~/.netrc login in place of our token."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    assert destination.whoami().is_service_account


def test_a_sandbox_is_not_reached_through_a_proxy(config: BoxConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is for the way out, not for this machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with BoxDestination(config) as destination:
        assert destination.whoami().is_service_account


def test_proxies_of_the_environment_are_used_for_box(
    monkeypatch: pytest.MonkeyPatch, config: BoxConfig
) -> None:
    """A company's way out is found by itself, NO_PROXY included."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    real = config.model_copy(
        update={"base_url": "https://api.box.com", "upload_url": "https://upload.box.com/api"}
    )
    with BoxDestination(real) as destination:
        assert "http://proxy.example:3128" == destination._transport.proxies["https"]
    monkeypatch.setenv("NO_PROXY", "box.com")
    with BoxDestination(real) as destination:
        assert {} == destination._transport.proxies


def test_a_token_does_not_follow_into_the_clear(box: Sandbox, destination: BoxDestination) -> None:
    """Session endpoints come out of an answer; plain http to another machine is refused before a byte is sent."""
    destination.whoami()
    elsewhere = {
        name: f"http://192.0.2.1/{name}"
        for name in ("upload_part", "commit", "abort", "list_parts", "status")
    }
    body = {
        "id": "F1",
        "type": "upload_session",
        "part_size": 1000,
        "total_parts": 6,
        "session_expires_at": "2099-01-01T00:00:00Z",
        "session_endpoints": elsewhere,
    }
    box.faults.next("POST /files/upload_sessions").status(201, body=body)
    data = content(6_000)
    with pytest.raises(BoxUnreachable, match="names the address"):
        destination.put(upload("0", "big", data), opener(data), Sessions())

    assert 0 == destination.call_counts().get("PUT /files/upload_sessions/:id", 0)


class Listener:
    """Somebody else's server on this machine: it remembers what it was sent, and answers as it is told."""

    def __init__(self, answer: tuple[int, dict[str, str]] = (200, {})) -> None:
        self.requests: list[str] = []
        heard = self.requests

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("latin-1")
                heard.append(f"{self.command} {self.path} {dict(self.headers)} {body}")
                self.send_response(answer[0])
                for name, value in {**answer[1], "Content-Length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


ENDPOINTS = ("upload_part", "commit", "abort", "list_parts", "status")


def test_a_token_goes_to_no_other_host_of_an_answer(box: Sandbox, destination: BoxDestination) -> None:
    """Session endpoints name another server: neither token nor content reaches it."""
    destination.whoami()
    data = content(6_000)
    with Listener() as outsider:
        body = {
            "id": "F1",
            "type": "upload_session",
            "part_size": 1000,
            "total_parts": 6,
            "session_expires_at": "2099-01-01T00:00:00Z",
            "session_endpoints": {name: f"{outsider.url}/{name}" for name in ENDPOINTS},
        }
        box.faults.next("POST /files/upload_sessions").status(201, body=body)
        with pytest.raises(BoxUnreachable, match="names the address"):
            destination.put(upload("0", "big", data), opener(data), Sessions())

    assert [] == outsider.requests


def test_a_token_goes_to_no_other_host_of_the_checkpoint(box: Sandbox, destination: BoxDestination) -> None:
    """A stored session with somebody else's addresses is neither asked nor given back there; the file is sent."""
    destination.whoami()
    data, sessions = content(6_000), Sessions()
    item = upload("0", "big", data)
    with Listener() as outsider:
        stored = SessionState(
            session_id="F1",
            endpoints={name: f"{outsider.url}/{name}" for name in ENDPOINTS},
            part_size=1000,
            total_parts=6,
            expires_at=datetime(2099, 1, 1, tzinfo=UTC),
            fingerprint=item.content,
            identity=None,
        )
        destination.abort_session(stored)
        sessions.save(stored)
        receipt = destination.put(item, opener(data), sessions)

    assert [] == outsider.requests
    assert data == box.content(receipt.file_id)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(config: BoxConfig, status: int) -> None:
    """Neither client secret nor assertion nor token goes where a redirect leads, not even on the same host."""
    with Listener() as outsider, Listener((status, {"Location": f"{outsider.url}/x"})) as proxy:
        there = config.model_copy(update={"base_url": proxy.url, "upload_url": proxy.url})
        with BoxDestination(there) as destination, pytest.raises(ConnectorError, match="leads to another"):
            destination.whoami()

    assert [] == outsider.requests
    assert proxy.requests


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.box.com/2.0/users/me", True),
        ("https://upload.app.box.com/api/2.0/files/content", True),
        ("https://fupload-eu.app.box.com:443/x", True),
        ("https://dl.boxcloud.com/x", True),
        ("https://box.example.com:8443/2.0/x?a=b%20c", True),
        ("http://upload.box.com/x", False),
        ("https://upload.box.com:444/x", False),
        ("https://box.example.com/2.0/x", False),
        ("https://notbox.com/x", False),
        ("https://box.com.example.org/x", False),
        ("https://evil.example\\.box.com/x", False),
        ("https://evil.example#.box.com/x", False),
        ("https://evil.example/.box.com", False),
        ("https://api.box.com@evil.example/x", False),
        ("https://evil.example:443\t.box.com/x", False),
        ("https://127.0.0.1/x", False),
        ("ftp://api.box.com/x", False),
        ("", False),
    ],
)
def test_where_a_token_may_go(url: str, allowed: bool) -> None:
    """The plan's own addresses, and Box's domains over TLS; nothing that two parsers could read differently."""
    addresses = Addresses("https://box.example.com:8443", "https://upload.box.com/api")

    assert allowed is addresses.allows(url)
