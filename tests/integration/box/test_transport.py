"""The line to Box: certificates, the environment, and addresses that a token must not follow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from connectors.box.config import BoxConfig, JWTAuthConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.errors import BoxUnreachable
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
        assert "http://proxy.example:3128" == destination._transport.requests_session.proxies["https"]
    monkeypatch.setenv("NO_PROXY", "box.com")
    with BoxDestination(real) as destination:
        assert {} == destination._transport.requests_session.proxies


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
    with pytest.raises(BoxUnreachable, match="https only"):
        destination.put(upload("0", "big", data), opener(data), Sessions())

    assert 0 == destination.call_counts().get("PUT /files/upload_sessions/:id", 0)
