"""Requests over libcurl: nothing twice, nothing left behind, nothing believed or told that should not be."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from connectors.box.client.curl import Body, EasyHandles
from connectors.box.client.faults import Fault, NetworkFault
from connectors.box.client.trust import Trust
from connectors.box.config import BoxConfig
from connectors.box.destination import BoxDestination
from connectors.box.sandbox import Sandbox
from tests.integration.box.asking import ask, until
from tests.integration.box.files import content, opener, upload
from tests.servers.scripted_http import ScriptedHTTP, answer, hang_up, say_nothing


class Slow:
    """A body that is read as it is sent."""

    def __init__(self, data: bytes, at: int = -1, act: Callable[[], None] = lambda: None) -> None:
        self.len = len(data)
        self._data, self._given, self._at, self._act = data, 0, at, act

    def read(self, size: int, /) -> bytes:
        if 0 <= self._at <= self._given:
            self._act()
        piece = self._data[self._given : self._given + min(size, 1000)]
        self._given += len(piece)
        return piece


BODIES: dict[str, Callable[[], Body | None]] = {
    "GET": lambda: None,
    "DELETE": lambda: None,
    "POST": lambda: b"{}",
    "PUT": lambda: content(300_000),
    "POST empty": lambda: b"",
    "POST streamed": lambda: Slow(content(5_000)),
}


@pytest.mark.parametrize("request_", list(BODIES))
@pytest.mark.parametrize("used", [0, 1, 3])
def test_a_request_without_an_answer_was_sent_once(handles: EasyHandles, request_: str, used: int) -> None:
    """The connection ends in place of an answer, a new one or one that was kept: it is a fault, whatever the method,
    and who asks decides whether to ask again."""
    method = request_.split(" ", maxsplit=1)[0]
    with ScriptedHTTP(*[answer()] * used, hang_up) as server:
        for _ in range(used):
            ask(handles, server.url, method, BODIES[request_]())
        with pytest.raises(NetworkFault) as told:
            ask(handles, server.url, method, BODIES[request_]())

        assert Fault.BROKEN is told.value.kind
        assert [1] * (used + 1) == [each.connection for each in server.heard]
        assert 200 == ask(handles, server.url, method, BODIES[request_]()).status
        assert 1 < server.heard[-1].connection


def test_a_call_that_was_lost_is_counted_and_sent_again_by_us(config: BoxConfig) -> None:
    """What the meter says is what the server heard."""
    token = answer(b'{"access_token": "t", "expires_in": 3600, "token_type": "bearer"}')
    with ScriptedHTTP(token, answer(), hang_up) as server:
        there = config.model_copy(update={"base_url": server.url, "upload_url": server.url})
        with BoxDestination(there) as box:
            box.folder_info("1")
            box.folder_info("1")

            assert {"POST /oauth2/token": 1, "GET /folders/:id": 3} == box.call_counts()
            assert {200: 3, 0: 1} == box.call_counts_by_status()
        assert 4 == len(server.heard)


def test_a_kept_connection_that_ended_meanwhile_is_not_used(handles: EasyHandles) -> None:
    """Box's edge ends idle connections: the next request goes over a new one at once. libcurl looks at those that were
    idle for a second."""
    with ScriptedHTTP() as server:
        ask(handles, server.url)
        for sock in list(server.open):
            sock.shutdown(2)
        until(lambda: not server.open)
        time.sleep(1.1)

        assert 200 == ask(handles, server.url, "POST", b"{}").status
        assert [1, 2] == [each.connection for each in server.heard]


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
@pytest.mark.parametrize("streamed", [False, True])
def test_every_byte_of_a_body_arrives(handles: EasyHandles, size: int, streamed: bool) -> None:
    """Whole or streamed, after bodies of other kinds on the same connection; nothing is asked for beforehand."""
    data = content(size)
    with ScriptedHTTP() as server:
        ask(handles, server.url, "PUT", b"before", "If-Match: 3")
        ask(handles, server.url, "POST", Slow(data) if streamed else data, "Content-Type: x/y")
        ask(handles, server.url)

    put, post, get = server.heard
    assert (b"before", data, b"") == (put.body, post.body, get.body)
    assert ("PUT /", "POST /", "GET /") == (put.line, post.line, get.line)
    assert "Content-Type: x/y" in post.head
    assert "If-Match" not in post.head + get.head
    assert not any("Expect" in each.head or "chunked" in each.head for each in server.heard)


def test_a_reader_that_fails_ends_the_request(
    handles: EasyHandles, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its own error leaves as it is, nothing is printed, and the handle can be used again."""

    def fail() -> None:
        raise ZeroDivisionError("bad disk")

    with ScriptedHTTP() as server:
        with pytest.raises(ZeroDivisionError, match="bad disk"):
            ask(handles, server.url, "POST", Slow(content(9_000), at=3_000, act=fail))
        assert b"{}" == ask_and_hear(handles, server, b"{}")
    assert ("", "") == capfd.readouterr()


def ask_and_hear(handles: EasyHandles, server: ScriptedHTTP, body: bytes) -> bytes:
    ask(handles, server.url, "POST", body)
    return server.heard[-1].body


def test_a_reader_that_ends_early_ends_the_request(handles: EasyHandles) -> None:
    """No request is made up to its length."""
    short = Slow(content(5_000))
    short.len = 6_000
    with ScriptedHTTP() as server, pytest.raises(NetworkFault):
        ask(handles, server.url, "POST", short)

    assert [] == [each for each in server.heard if len(each.body) == 6_000]


def test_an_answer_in_the_middle_of_a_body_is_an_answer(handles: EasyHandles) -> None:
    """A refusal that comes before all was sent is read; the rest stays unsent."""
    with ScriptedHTTP(answer()) as server:
        refusing = subprocess.Popen([sys.executable, "-c", REFUSING], stdout=subprocess.PIPE, text=True)
        assert refusing.stdout is not None
        with refusing, refusing.stdout:
            port = int(refusing.stdout.readline())
            told = ask(handles, f"http://127.0.0.1:{port}", "POST", content(30_000_000))
            refusing.kill()

        assert (409, b'{"code": "x"}') == (told.status, told.body)
        assert 200 == ask(handles, server.url).status


#: Answers when it has the head, reads on slowly, then ends.
REFUSING = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sock, _ = listener.accept()
sock.recv(1000)
sock.sendall(b"HTTP/1.1 409 Conflict\\r\\nContent-Length: 13\\r\\n\\r\\n" + b'{"code": "x"}')
for _ in range(100):
    sock.recv(10_000)
    time.sleep(0.05)
"""


def test_an_answer_that_never_comes(handles: EasyHandles) -> None:
    """Nothing passes for the read timeout: no answer in time."""
    with ScriptedHTTP(last=say_nothing) as server:
        began = time.monotonic()
        with pytest.raises(NetworkFault) as told:
            ask(handles, server.url, "POST", b"{}", read_seconds=1)

    assert Fault.TIMEOUT is told.value.kind
    assert 0.9 < time.monotonic() - began < 20
    assert 1 == len(server.heard)


def test_headers_by_any_name() -> None:
    """Parsed when looked at; those of a proxy and of "100 Continue" before it do not count."""
    with ScriptedHTTP(answer(status="429 Slow down", headers="Retry-After: 7\r\nA: 1\r\nA: 2\r\n")) as server:
        handles = EasyHandles(Trust(), {})
        told = ask(handles, server.url)
        handles.close()

    assert (429, "7", "1, 2", None) == (
        told.status,
        told.headers["RETRY-AFTER"],
        told.headers.get("a"),
        told.headers.get("http/1.1 429 slow down"),
    )


@pytest.mark.parametrize("line", ["If-Match: 3\r\nX: y", "If-Match: 3\nX: y", "If-Match: 3\rX: y"])
def test_no_header_hides_in_another(handles: EasyHandles, line: str) -> None:
    """An etag comes out of an answer, or of a database."""
    with ScriptedHTTP() as server, pytest.raises(ValueError, match="line break"):
        ask(handles, server.url, "GET", None, line)

    assert [] == server.heard


def test_connections_end_with_their_thread(handles: EasyHandles) -> None:
    """Threads come and go; what they opened goes with them."""
    with ScriptedHTTP() as server:
        threads = [threading.Thread(target=ask, args=(handles, server.url)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {1, 2, 3, 4} == {each.connection for each in server.heard}
        until(lambda: not server.open)


def test_closing_ends_the_connections_of_all_threads(handles: EasyHandles) -> None:
    """Also of threads that live on; who asks afterwards opens a new one."""
    with ScriptedHTTP() as server:
        done = threading.Event()

        def stay() -> None:
            ask(handles, server.url)
            done.wait(20)

        thread = threading.Thread(target=stay)
        thread.start()
        ask(handles, server.url)
        until(lambda: 2 == len(server.heard))
        handles.close()
        handles.close()
        until(lambda: not server.open)
        assert 200 == ask(handles, server.url).status
        done.set()
        thread.join()


def test_a_large_body_is_not_kept(handles: EasyHandles) -> None:
    """A handle lives as long as its thread, a part of 64 MiB no longer than its request."""

    class Kept(Slow):
        alive = 0

        def __init__(self, data: bytes) -> None:
            super().__init__(data)
            Kept.alive += 1

        def __del__(self) -> None:
            Kept.alive -= 1

    with ScriptedHTTP() as server:
        ask(handles, server.url, "POST", Kept(b"abc"))
        gc.collect()

    assert 0 == Kept.alive


def test_bodies_of_put_arrive_as_they_are(destination: BoxDestination, box: Sandbox) -> None:
    """Small and large direct uploads, and a name and a content that look like the frame around them."""
    for name, data in {
        "empty": b"",
        "frame": b'--x\r\nContent-Disposition: form-data; name="attributes"\r\n\r\n{}\r\n--x--\r\n',
        'qu"ote \u00e9 \U0001f4a9.txt': content(4_999),
    }.items():
        receipt = destination.put(upload("0", name, data), opener(data))
        assert data == box.content(receipt.file_id)
        assert name == receipt.name
