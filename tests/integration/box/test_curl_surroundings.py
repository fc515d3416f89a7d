"""libcurl and what is around it: certificates, proxies, forks, Ctrl-C, a machine without it."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.box.client.curl import EasyHandles
from connectors.box.client.faults import Fault, NetworkFault
from connectors.box.client.trust import trusting
from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from tests.integration.box.asking import ask, until
from tests.servers.login_proxy import LoginProxy
from tests.servers.scripted_http import ScriptedHTTP, say_nothing


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_leaves_the_parents_connections_alone(tls: tuple[Sandbox, Path], config: BoxConfig) -> None:
    """The child opens its own, and its end says no farewell on the parent's: over TLS that would end them."""
    box, ca = tls
    there = config.model_copy(
        update={"base_url": box.url, "upload_url": box.upload_url, "ca_file": ca, "auth": jwt_of(box, config)}
    )
    with BoxDestination(there) as destination:
        destination.whoami()
        kept = _connections()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                destination.folder_info("0")
                destination.close()
                del destination
                gc.collect()
                status = 0
            finally:
                os._exit(status)

        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        destination.folder_info("0")
        assert kept == _connections()
        assert {200} == set(destination.call_counts_by_status())


def _connections() -> set[str]:
    """The sockets of this process."""
    links = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(each))
        except FileNotFoundError:  # the listing's own
            continue
    return {link for link in links if link.startswith("socket:")}


def jwt_of(box: Sandbox, config: BoxConfig) -> Any:
    return type(config.auth)(config=json.dumps(box.jwt_config))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    """A sandbox behind a certificate, and who vouches for it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    server = authority.issue_cert("box.example", "127.0.0.1")
    (folder / "chain.pem").write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
    server.private_key_pem.write_to_path(str(folder / "key.pem"))
    with Sandbox(tls=(str(folder / "chain.pem"), str(folder / "key.pem"))) as box:
        yield box, folder / "ca.pem"


def test_no_certificate_beside_the_named_ones_is_believed(
    tls: tuple[Sandbox, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ca_file names another authority: what the environment or the system's store holds does not count beside it."""
    box, ca = tls
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(ca))
    (tmp_path / "store").mkdir()
    before = box.calls.total
    for named in ("other.pem", "store"):
        handles = EasyHandles(trusting(tmp_path / named), {})
        with pytest.raises(NetworkFault) as told:
            ask(handles, box.url)
        assert Fault.UNTRUSTED is told.value.kind
        handles.close()
    assert before == box.calls.total


def test_a_certificate_of_another_host_is_refused(tls: tuple[Sandbox, Path]) -> None:
    """Who is vouched for must be who was asked."""
    box, ca = tls
    handles = EasyHandles(trusting(ca), {})
    with pytest.raises(NetworkFault) as told:
        ask(handles, box.url.replace("127.0.0.1", "localhost"))
    handles.close()

    assert Fault.UNTRUSTED is told.value.kind


def test_a_proxy_is_told_no_token(tls: tuple[Sandbox, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The request that opens the tunnel carries the proxy's login and nothing of Box's."""
    box, ca = tls
    asked: list[bytes] = []

    class Listening(LoginProxy):
        def _refusal_of(self, request: bytes) -> bytes | None:
            asked.append(request)
            return super()._refusal_of(request)

    with Listening(int(box.url.rpartition(":")[2])) as proxy:
        handles = EasyHandles(trusting(ca), {"https": proxy.url})
        told = ask(handles, "https://box.example/2.0/users/me", "GET", None, "Authorization: Bearer sesame")
        handles.close()

    assert 401 == told.status
    assert "connection established" not in str(list(told.headers.items()))
    assert asked
    assert b"Proxy-Authorization: Basic" in asked[0]
    assert b"sesame" not in b"".join(asked)


def test_the_environment_sets_no_proxy_by_itself(
    handles: EasyHandles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libcurl has variables of its own; whether there is a proxy was decided when the plan was opened."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with ScriptedHTTP() as server:
        assert 200 == ask(handles, server.url).status


def test_ctrl_c_is_noticed_while_box_is_silent() -> None:
    """The main thread does not wait for the read timeout."""
    with ScriptedHTTP(last=say_nothing) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", WAITING, server.url], stderr=subprocess.PIPE, text=True
        )
        until(lambda: len(server.heard) == 1)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=30)

    assert 7 == child.returncode, said
    assert time.monotonic() - began < 20
    assert "" == said


WAITING = """
import sys
from connectors.box.client.curl import EasyHandles
from connectors.box.client.trust import Trust
try:
    EasyHandles(Trust(), {}).send("GET", sys.argv[1], [], None, connect_seconds=5, read_seconds=60)
except KeyboardInterrupt:
    sys.exit(7)
"""


def test_without_libcurl_there_is_one_line(tmp_path: Path) -> None:
    """A machine without pycurl is told what to install; no traceback."""
    plan = tmp_path / "plan.yaml"
    auth = {"method": "ccg", "client_id": "a", "client_secret": "b", "enterprise_id": "1"}
    document = {"name": "p", "source": {"url": tmp_path.as_uri()}, "box": {"auth": auth}}
    plan.write_text(json.dumps(document | {"state_url": f"sqlite:///{tmp_path}/p.db"}))
    code = f"import sys; sys.modules['pycurl'] = None; sys.argv = ['boxhaul', 'migrate', {str(plan)!r}]\n"
    code += "from flows.cli import main; main()"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)

    assert 3 == told.returncode, told.stderr
    assert "pip install pycurl" in told.stderr
    assert "Traceback" not in told.stderr
