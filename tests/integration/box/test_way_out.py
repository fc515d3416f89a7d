"""The way out: certificates of a private authority, a proxy that asks for a login, names that nobody knows."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from connectors.box.config import BoxConfig, JWTAuthConfig, UploadLimits
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from connectors.errors import BoxUnreachable
from tests.integration.box.files import opener, upload
from tests.servers.login_proxy import LoginProxy
from tests.servers.socks_proxy import SocksProxy

HOST = "box.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of an authority that was made just now, with the server's beside it."""
    folder = tmp_path_factory.mktemp("authority")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    server = authority.issue_cert(HOST, "127.0.0.1")
    (folder / "chain.pem").write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
    server.private_key_pem.write_to_path(str(folder / "key.pem"))
    return folder / "ca.pem"


@pytest.fixture(scope="module")
def tls_box(authority: Path) -> Iterator[Sandbox]:
    """A sandbox behind that certificate."""
    folder = authority.parent
    with Sandbox(tls=(str(folder / "chain.pem"), str(folder / "key.pem"))) as box:
        yield box


@pytest.fixture
def proxy(tls_box: Sandbox) -> Iterator[LoginProxy]:
    """The only way to it."""
    with LoginProxy(int(tls_box.url.rpartition(":")[2])) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def no_certificates_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def reach(box: Sandbox, base: str, **more: object) -> BoxDestination:
    """A destination at this address."""
    return BoxDestination(
        BoxConfig(
            auth=JWTAuthConfig(config=json.dumps(box.jwt_config)),
            base_url=base,
            upload_url=f"{base}/api",
            limits=UploadLimits(backoff_seconds=0.001),
            **more,  # type: ignore[arg-type]
        )
    )


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_the_environment_names(
    tls_box: Sandbox, authority: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Each of the usual variables is believed."""
    monkeypatch.setenv(name, str(authority))
    with reach(tls_box, tls_box.url) as box:
        assert tls_box.service_account.id == box.whoami().id


def test_certificates_of_the_systems_store(
    tls_box: Sandbox, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an administrator put where this machine's OpenSSL looks is believed without a word in the plan."""
    # The store's place is built in; OpenSSL's own variable moves it, as it does for every program.
    monkeypatch.setenv("SSL_CERT_DIR", str(hashed(authority)))
    with reach(tls_box, tls_box.url) as box:
        assert tls_box.service_account.id == box.whoami().id


def hashed(certificate: Path) -> Path:
    """A folder as OpenSSL's store is one: each certificate under the hash of its subject."""
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(certificate)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    store = certificate.parent / "store"
    store.mkdir(exist_ok=True)
    (store / f"{found}.0").write_bytes(certificate.read_bytes())
    return store


@pytest.mark.parametrize("by", ["ca_file", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read: No such file"), ("-----BEGIN", "holds no certificate")]
)
def test_missing_or_damaged_certificates_are_named(
    tls_box: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by: str,
    content: str | None,
    words: str,
) -> None:
    """The line says who names which file, and what is wrong with it."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    if by != "ca_file":
        monkeypatch.setenv(by, str(file))
    with pytest.raises(BoxUnreachable, match=f"{by} names {file}, which {words}"):
        reach(tls_box, tls_box.url, **({"ca_file": file} if by == "ca_file" else {}))


def test_a_proxy_with_a_login_is_used(
    tls_box: Sandbox, proxy: LoginProxy, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """User and password of HTTPS_PROXY open the way; behind it Box's own certificate is verified."""
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with reach(tls_box, f"https://{HOST}", ca_file=authority) as box:
        box.put(upload("0", "a.txt", b"a"), opener(b"a"))

    assert "a.txt" in tls_box.files()
    assert (0, True) == (proxy.refused, proxy.opened > 0)
    with reach(tls_box, f"https://{HOST}") as box, pytest.raises(BoxUnreachable, match="not trusted"):
        box.whoami()


@pytest.mark.parametrize("when", ["from the start", "in the middle"])
def test_a_proxy_that_refuses_the_login_is_asked_once(
    tls_box: Sandbox, proxy: LoginProxy, authority: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """One line without the password, and no second try: a domain account could be locked by it."""
    wrong = proxy.url.replace(proxy.password, "sesame")
    monkeypatch.setenv("HTTPS_PROXY", wrong if when == "from the start" else proxy.url)
    with reach(tls_box, f"https://{HOST}", ca_file=authority) as box:
        if when == "in the middle":
            box.whoami()
            proxy.change_password()
        with pytest.raises(BoxUnreachable, match=r"asks for a login, or refuses .*407.*HTTPS_PROXY") as told:
            box.put(upload("0", "b.txt", b"b"), opener(b"b"))

    assert 1 == proxy.refused
    assert "sesame" not in str(told.value)


def test_a_proxy_that_lets_nobody_through(
    tls_box: Sandbox, proxy: LoginProxy, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """403 of a proxy is nothing of Box's, and said at once."""
    proxy.refusing = "403 Forbidden"
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with (
        reach(tls_box, f"https://{HOST}", ca_file=authority) as box,
        pytest.raises(BoxUnreachable, match=r"the proxy on the way refuses the connection to Box \(403\)"),
    ):
        box.whoami()


@pytest.mark.parametrize(
    ("proxy_url", "words"),
    [
        ("", "no name server knows nowhere.invalid"),
        ("http://127.0.0.1:1", "the proxy that HTTPS_PROXY names cannot be used: it does not answer"),
        ("http://nowhere.invalid:3128", "HTTPS_PROXY names cannot be used: its name cannot be resolved"),
    ],
)
def test_names_and_proxies_that_do_not_answer(
    tls_box: Sandbox, monkeypatch: pytest.MonkeyPatch, proxy_url: str, words: str
) -> None:
    """What was not found is named."""
    if proxy_url:
        monkeypatch.setenv("HTTPS_PROXY", proxy_url)
    with reach(tls_box, "https://nowhere.invalid") as box, pytest.raises(BoxUnreachable, match=words):
        box.whoami()


def test_a_socks_proxy_is_used(tls_box: Sandbox, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its login; the name is looked up behind it. A login that it refuses is one line, and is not tried again."""
    with SocksProxy(int(tls_box.url.rpartition(":")[2])) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with reach(tls_box, f"https://{HOST}", ca_file=authority) as box:
            assert tls_box.service_account.id == box.whoami().id
        assert {HOST} == set(proxy.asked)

        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace(proxy.password, "sesame"))
        with (
            reach(tls_box, f"https://{HOST}", ca_file=authority) as box,
            pytest.raises(BoxUnreachable, match="asks for a login, or refuses") as told,
        ):
            box.whoami()

        assert 1 == proxy.refused
        assert "sesame" not in str(told.value)
