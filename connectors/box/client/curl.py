"""HTTP over libcurl: one easy handle a thread, one request, one answer. Knows nothing of Box.

Nothing is sent twice: libcurl by itself repeats a request whose kept connection breaks before an answer. Bodies are
read through a callback that cannot go back to the start, and a second start of any request is refused.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from requests.utils import select_proxy

from connectors.box.client.faults import NetworkFault, fault_of
from connectors.box.client.trust import Trust
from connectors.errors import BoxUnreachable

try:
    import pycurl
except ImportError as exc:  # a platform without a wheel, or a wheel without its library
    raise BoxUnreachable(
        f"Box is reached through libcurl, and pycurl cannot be loaded here ({exc}). Install it with "
        "pip install pycurl; where no wheel fits this machine, that needs a C compiler and libcurl's headers (Debian: "
        "libcurl4-openssl-dev, libssl-dev). Nothing was sent."
    ) from None

#: What is read from a body, and given to TLS, at once.
SEND_BLOCK_BYTES = 128 * 1024
RECEIVE_BLOCK_BYTES = 64 * 1024
#: A connection that was idle for longer is not used again: Box's edge may be about to end it.
MAX_IDLE_SECONDS = 100
#: Slower than this for the read timeout counts as no answer.
SLOWEST_BYTES_PER_SECOND = 1
#: libcurl's names of its errors; some have an older one beside it, from FTP.
_ERROR_NAMES: dict[int, str] = {
    getattr(pycurl, name): name.removeprefix("E_")
    for name in sorted(dir(pycurl), key=lambda name: not name.startswith("E_FTP"))
    if name.startswith("E_") and not name.startswith("E_MULTI")
}


class Reader(Protocol):
    """A body that is read while it is sent; `len` is its length in bytes."""

    len: int

    def read(self, size: int, /) -> bytes | memoryview:
        """Return up to `size` bytes, none at the end."""
        ...


Content = bytes | bytearray | memoryview
Body = Content | Reader


class Headers(Mapping[str, str]):
    """Header fields of an answer, by names in any case. Parsed when somebody looks: hardly anybody does."""

    __slots__ = ("_fields", "_lines")

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines
        self._fields: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._parsed()[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parsed())

    def __len__(self) -> int:
        return len(self._parsed())

    def _parsed(self) -> dict[str, str]:
        if self._fields is None:
            fields: dict[str, str] = {}
            for line in self._lines:
                name, colon, value = line.decode("latin-1").partition(":")
                if name.startswith("HTTP/"):
                    fields.clear()  # what came before was a proxy's answer to CONNECT, or "100 Continue"
                elif colon:
                    key, text = name.strip().lower(), value.strip()
                    fields[key] = f"{fields[key]}, {text}" if key in fields else text
            self._fields = fields
        return self._fields


#: How a request is made: method, whether it has a body, seconds for the connection and for nothing passing, proxy.
_Way = tuple[str, bool, float, float, str | None]


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Headers
    body: bytes


class EasyHandles:
    """An easy handle for each thread that asks, with connections of its own; they end with the thread, or by close().

    Safe for many threads, and after a fork: the child opens connections of its own.
    """

    def __init__(self, trust: Trust, proxies: Mapping[str, str]) -> None:
        """proxies: by scheme, as requests' environment proxies are. Nothing else is taken from the environment."""
        self.proxies = dict(proxies)
        self._trust = trust
        self._local = threading.local()

    def send(
        self,
        method: str,
        url: str,
        headers: Sequence[str],
        body: Body | None,
        *,
        connect_seconds: float,
        read_seconds: float,
    ) -> Answer:
        """Send one request, once. NetworkFault when there is no answer; what a Reader raised leaves as it is.

        headers: lines "Name: value"; ValueError for a line that holds another one. read_seconds: how long nothing at
        all may pass in either direction. A redirect is an answer like any other: it is not followed.
        """
        text = "".join(headers)
        if "\n" in text or "\r" in text:
            raise ValueError("a header field holds a line break")
        handle = self._mine()
        curl, failures = handle.curl, []  # type: tuple[Any, list[BaseException]]
        set_option = curl.setopt
        proxy = select_proxy(url, self.proxies) if self.proxies else None
        handle.prepare(url, headers, (method, body is not None, connect_seconds, read_seconds, proxy))
        if body is not None:
            set_option(pycurl.INFILESIZE_LARGE, len(body) if isinstance(body, Content) else body.len)
            set_option(pycurl.READFUNCTION, _reading(body, failures))
        try:
            return handle.perform()
        except pycurl.error as exc:
            if failures:
                raise failures[0] from None
            raise _fault(curl, exc, url, proxied=proxy is not None) from None
        finally:
            if body is not None:
                set_option(
                    pycurl.READFUNCTION, _read_nothing
                )  # else the handle keeps the body until the next one

    def close(self) -> None:
        """Close the connections of all threads, of one that is asking when it is done. Whoever asks again opens new."""
        self._local = threading.local()

    def _mine(self) -> _Handle:
        handle: _Handle | None = getattr(self._local, "handle", None)
        if handle is None or handle.pid != os.getpid():
            handle = self._local.handle = _Handle(self._trust)
        return handle


class _Exchange:
    """What libcurl's callbacks collect. It does not know the handle: a circle would outlive its thread."""

    __slots__ = ("body", "head", "started")

    def __init__(self) -> None:
        self.head: list[bytes] = []
        self.body: list[bytes] = []
        self.started = False

    def may_start(self, *_: object) -> Any:
        """Refuse to send the same request a second time, on a new connection."""
        again, self.started = self.started, True
        return pycurl.PREREQFUNC_ABORT if again else pycurl.PREREQFUNC_OK


class _Handle:
    """An easy handle of one thread of one process."""

    __slots__ = ("__weakref__", "_exchange", "_headers", "_url", "_way", "curl", "pid")

    def __init__(self, trust: Trust) -> None:
        self.pid = os.getpid()
        self.curl: Any = pycurl.Curl()
        #: What the last request was prepared with: mostly it is what the next one needs.
        self._url = ""
        self._headers: Sequence[str] = ()
        self._way: _Way | None = None
        self._exchange = exchange = _Exchange()
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.PROXY, ""),
            (pycurl.NOPROXY, ""),
            (pycurl.ACCEPT_ENCODING, "gzip, deflate"),
            (pycurl.UPLOAD_BUFFERSIZE, SEND_BLOCK_BYTES),
            (pycurl.BUFFERSIZE, RECEIVE_BLOCK_BYTES),
            (pycurl.MAXAGE_CONN, MAX_IDLE_SECONDS),
            (pycurl.LOW_SPEED_LIMIT, SLOWEST_BYTES_PER_SECOND),
            (pycurl.HEADERFUNCTION, exchange.head.append),
            (pycurl.WRITEFUNCTION, exchange.body.append),
            (pycurl.PREREQFUNCTION, exchange.may_start),
        ):
            self.curl.setopt(option, value)
        _believe(self.curl, trust)
        if threading.current_thread() is threading.main_thread():
            # libcurl waits without Python: Ctrl-C would be noticed when it is done.
            self.curl.setopt(pycurl.NOPROGRESS, 0)
            self.curl.setopt(pycurl.XFERINFOFUNCTION, _go_on)

    def prepare(self, url: str, headers: Sequence[str], way: _Way) -> None:
        """Set what differs from the request before."""
        set_option = self.curl.setopt
        if url != self._url:
            set_option(pycurl.URL, url)
            self._url = url
        if headers != self._headers:
            set_option(pycurl.HTTPHEADER, headers)
            self._headers = headers
        if way != self._way:
            self._way = None  # until all of it is set
            method, has_body, connect_seconds, read_seconds, proxy = way
            set_option(pycurl.CONNECTTIMEOUT_MS, round(connect_seconds * 1000))
            set_option(pycurl.LOW_SPEED_TIME, max(1, round(read_seconds)))
            set_option(pycurl.PROXY, proxy or "")
            set_option(*((pycurl.UPLOAD, 1) if has_body else (pycurl.HTTPGET, 1)))
            set_option(pycurl.CUSTOMREQUEST, method)
            self._way = way

    def perform(self) -> Answer:
        exchange = self._exchange
        exchange.started = False
        exchange.head.clear()
        exchange.body.clear()
        try:
            self.curl.perform()
            return Answer(
                self.curl.getinfo(pycurl.RESPONSE_CODE),
                Headers(tuple(exchange.head)),
                b"".join(exchange.body),
            )
        finally:
            exchange.body.clear()

    def __del__(self) -> None:
        if self.pid != os.getpid():
            # Inherited by a fork. Closing it would say farewell on the parent's connections: it is kept for good.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.curl))


def _believe(curl: Any, trust: Trust) -> None:
    """Trust these certificates and no others, for Box and for a proxy that is spoken to over TLS."""
    for option, value in (
        (pycurl.CAINFO, trust.file),
        (pycurl.CAPATH, trust.folder),
        (pycurl.PROXY_CAINFO, trust.file),
        (pycurl.PROXY_CAPATH, trust.folder),
    ):
        # Unset, not left out: libcurl has places of its own built in.
        curl.unsetopt(option) if value is None else curl.setopt(option, value)
    if trust.native:
        curl.setopt(pycurl.SSL_OPTIONS, pycurl.SSLOPT_NATIVE_CA)
        curl.setopt(pycurl.PROXY_SSL_OPTIONS, pycurl.SSLOPT_NATIVE_CA)


def _reading(body: Body, failures: list[BaseException]) -> Callable[[int], Any]:
    """Return libcurl's read callback; what a Reader raises is put into failures, and ends the request."""
    if isinstance(body, Content):
        view, at = memoryview(body), 0

        def read_bytes(size: int) -> memoryview:
            nonlocal at
            piece = view[at : at + size]
            at += len(piece)
            return piece

        return read_bytes

    def read(size: int) -> Any:
        try:
            return body.read(size)
        except BaseException as exc:  # noqa: BLE001  (libcurl would print it; it is raised again after the request)
            failures.append(exc)
            return pycurl.READFUNC_ABORT

    return read


def _read_nothing(size: int) -> bytes:
    return b""


def _go_on(*_: object) -> int:
    return 0


def _fault(curl: Any, error: pycurl.error, url: str, *, proxied: bool) -> NetworkFault:
    code, text = error.args[0], str(error.args[1])
    kind, tunnel_status = fault_of(
        code,
        connected=curl.getinfo(pycurl.CONNECT_TIME) > 0,
        proxied=proxied,
        tunnel_status=curl.getinfo(pycurl.HTTP_CONNECTCODE),
        proxy_error=curl.getinfo(pycurl.PROXY_ERROR),
    )
    return NetworkFault(
        kind,
        name=_ERROR_NAMES.get(code, f"libcurl {code}"),
        host=urlsplit(url).hostname or "",
        tunnel_status=tunnel_status,
        cut="unexpected eof" in text.lower(),
    )
