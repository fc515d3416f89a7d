"""Transport: the SDK's network client over libcurl, metered per route.

It neither repeats nor waits: that is BoxConnection's business.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from box_sdk_gen.box.errors import BoxAPIError, RequestInfo, ResponseInfo
from box_sdk_gen.networking.base_urls import BaseUrls
from box_sdk_gen.networking.box_network_client import USER_AGENT_HEADER, X_BOX_UA_HEADER
from box_sdk_gen.networking.fetch_options import FetchOptions
from box_sdk_gen.networking.fetch_response import FetchResponse
from box_sdk_gen.networking.network import NetworkSession
from box_sdk_gen.networking.network_client import NetworkClient
from box_sdk_gen.networking.retries import RetryStrategy
from box_sdk_gen.networking.timeout_config import TimeoutConfig
from requests.utils import get_environ_proxies

from connectors.box.client.bandwidth import Bandwidth
from connectors.box.client.clock import Heard, skew_seconds
from connectors.box.client.curl import Answer, Body, EasyHandles
from connectors.box.client.errors import NotBox
from connectors.box.client.outage import Outages
from connectors.box.client.refusal import printable
from connectors.box.client.trust import trusting
from connectors.box.config import BoxConfig, checked_url, is_loopback
from connectors.box.types import Statistics
from connectors.errors import BoxUnreachable, ConnectorError, ServerBusy
from connectors.tracing import note, span

TOKEN_ROUTE = "POST /oauth2/token"  # noqa: S105  (a route, not a password)
#: What counts as an upload in Box's window, too: sending a file, opening and committing a session (facts §6).
UPLOAD_ROUTES = frozenset(
    {
        "POST /files/content",
        "POST /files/:id/content",
        "POST /files/upload_sessions",
        "POST /files/:id/upload_sessions",
        "POST /files/upload_sessions/:id/commit",
    }
)
CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0
#: Commits of large files and deletions of folders answer late.
SLOW_READ_SECONDS = 660.0
#: An address that all parsers of URLs read alike: no backslash, blank or user name before the path. Its origin.
_PLAIN_ADDRESS = re.compile(r"(https?://[A-Za-z0-9.:\[\]-]+)(/[!-?A-\[\]-~]*)?\Z")
#: Box's own; session endpoints name hosts of many regions below them.
BOX_DOMAINS = ("box.com", "boxcloud.com")
#: Good answers of Box that have no body: a commit under way, a deletion.
EMPTY_ANSWERS = frozenset({202, 204})
#: The route that this thread is asking, for the meter.
current_route: ContextVar[str] = ContextVar("current_route", default="?")
#: The address that this thread asked last: an upload session may be served by a host of its own (facts §4).
asked_address: ContextVar[str] = ContextVar("asked_address", default="")


class NoRetries(RetryStrategy):
    """The SDK sleeps uninterruptibly, repeats an assertion, and stumbles over HTTP dates: it does not retry here."""

    def should_retry(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def retry_after(self, *args: Any, **kwargs: Any) -> float:
        return 0.0


class Addresses:
    """Where a token may go: the hosts that the plan names, and Box's own domains over TLS."""

    def __init__(self, *configured: str) -> None:
        self._configured = {_origin(url) for url in configured}
        #: Origins that were looked at: every call has one of a handful.
        self._looked_at: dict[str, bool] = {}

    def allows(self, url: str) -> bool:
        """Return True when a request with a token may be sent to this address."""
        plain = _PLAIN_ADDRESS.match(url)
        if plain is None:
            return False
        allowed = self._looked_at.get(plain[1])
        if allowed is None:
            allowed = self._looked_at[plain[1]] = self._allows_origin(plain[1])
        return allowed

    def require(self, url: str) -> None:
        """Raise BoxUnreachable for any other address: session endpoints come from answers, and from a database."""
        if not self.allows(url):
            named = printable(urlsplit(url).netloc.rpartition("@")[2], limit=80)
            raise BoxUnreachable(
                f"Box's answer, or the checkpoint, names the address {named!r}, which is neither in the plan "
                "(base_url, upload_url) nor Box's own over TLS; nothing was sent there."
            )

    def _allows_origin(self, url: str) -> bool:
        try:
            checked_url(url)
            scheme, host, port = origin = _origin(url)
        except ValueError:
            return False
        of_box = any(host == domain or host.endswith(f".{domain}") for domain in BOX_DOMAINS)
        return origin in self._configured or (of_box and (scheme, port) == ("https", 443))


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").rstrip("."), port


class Transport(NetworkClient):
    """The SDK's network client, metered per route. Shared by all identities and threads."""

    def __init__(
        self, config: BoxConfig, *, base_dir: Path | None = None, bandwidth: Bandwidth | None = None
    ) -> None:
        """base_dir: what a relative ca_file is relative to. bandwidth: what content is sent by; None: at once."""
        super().__init__()  # type: ignore[no-untyped-call]  # the SDK leaves it unannotated
        trust = trusting((base_dir or Path()) / config.ca_file if config.ca_file else None)
        self._handles = EasyHandles(trust, environment_proxies(config.base_url))
        self._addresses = Addresses(config.base_url, config.upload_url)
        self.outages = Outages(
            urlsplit(config.base_url).netloc,
            limit_seconds=config.limits.outage_minutes * 60,
            first_pause_seconds=config.limits.backoff_seconds,
        )
        self._bandwidth = bandwidth
        self._lock = threading.Lock()
        self._routes: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._bytes_sent = 0
        self._heard = Heard({}, 0.0, 0.0)
        self._clock_skew_seconds: float | None = None

    def fetch(self, options: FetchOptions) -> FetchResponse:
        """Send one request, once, and return its answer. Refusals leave as the SDK's BoxAPIError, which holds no token;
        NetworkFault when there is no answer; what a body's reader or the token's request raised as it is.

        BoxConnection.call maps them. A good status without JSON is somebody else's page: ServerBusy, so that it is
        asked again.
        """
        self._addresses.require(options.url)
        if options.url.endswith("/oauth2/token"):
            with span(TOKEN_ROUTE):
                return self._fetch(options, TOKEN_ROUTE)
        return self._fetch(options, current_route.get())

    def _fetch(self, options: FetchOptions, route: str) -> FetchResponse:
        host = options.url.split("/", 3)[2]
        asked_at = time.time()
        try:
            answer = self._send(options)
        except ConnectorError:
            raise  # the token could not be had: this request was never sent
        except Exception as exc:
            asked_address.set(options.url)
            if not isinstance(exc, NotBox):
                self.outages.unanswered(host)
            self._count(route, 0)
            raise
        asked_address.set(options.url)  # not before: a token may have been asked for on the way
        self._count(route, answer.status, Heard(answer.headers, asked_at, time.time()))
        data = _json(answer.body)
        if answer.status >= 400:
            if answer.status >= 500:
                self.outages.unanswered(host)
            raise _refused(options, answer, data)
        if answer.status >= 300:  # whoever is behind it must not get a token or the client secret
            self.outages.unanswered(host)
            raise ServerBusy(f"{route}: the answer leads to another address; is a proxy in the way?")
        if not data and answer.status not in EMPTY_ANSWERS:
            self.outages.unanswered(host)
            raise ServerBusy(f"{route}: the answer is not one of Box's; is a proxy in the way?")
        self.outages.answered(host)
        return FetchResponse(
            url=options.url,
            status=answer.status,
            headers=cast("dict[str, str]", answer.headers),
            data=data,
        )

    @property
    def clock_skew_seconds(self) -> float | None:
        """Box's clock minus ours, by its answers; None before one."""
        self._clock_skew_seconds = skew_seconds(self._heard, self._clock_skew_seconds)
        return self._clock_skew_seconds

    @property
    def proxies(self) -> dict[str, str]:
        """The ways out, by scheme; empty where none is needed."""
        return self._handles.proxies

    def may_ask(self, url: str) -> bool:
        """Return True when a request with a token may be sent to this address."""
        return self._addresses.allows(url)

    def count_bytes(self, count: int) -> None:
        """Count content that Box took."""
        with self._lock:
            self._bytes_sent += count

    def counts_by_route(self) -> dict[str, int]:
        with self._lock:
            return dict(self._routes)

    def counts_by_status(self) -> dict[int, int]:
        with self._lock:
            return dict(self._statuses)

    def statistics(self, *, retries: int, paced_seconds: float) -> Statistics:
        """Return totals so far."""
        with self._lock:
            return Statistics(
                calls=self._routes.total(),
                uploads=sum(self._routes[route] for route in UPLOAD_ROUTES),
                bytes_sent=self._bytes_sent,
                rate_limited=self._statuses[429],
                retries=retries,
                paced_seconds=paced_seconds,
            )

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._handles.close()

    def _send(self, options: FetchOptions) -> Answer:
        session = options.network_session
        if session is None:
            raise ValueError("a request needs a network session")
        headers = [*_ALWAYS, f"Content-Type: {options.content_type}"]
        for named in (session.additional_headers, options.headers):
            headers += [f"{name}: {value}" for name, value in (named or {}).items()]
        if options.auth:
            headers.append(
                f"Authorization: {options.auth.retrieve_authorization_header(network_session=session)}"
            )
        url = options.url
        if options.params:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(options.params)}"
        patience = session.timeout_config
        return self._handles.send(
            options.method,
            url,
            headers,
            self._paced(options),
            connect_seconds=(patience.connection_timeout_ms or 0) / 1000,
            read_seconds=(patience.read_timeout_ms or 0) / 1000,
        )

    def _paced(self, options: FetchOptions) -> Body | None:
        body = _body(options)
        if self._bandwidth is None or body is None or options.file_stream is None:
            return body
        return self._bandwidth.paced(body)

    def _count(self, route: str, status: int, heard: Heard | None = None) -> None:
        with self._lock:
            self._routes[route] += 1
            self._statuses[status] += 1
            if heard is not None:
                self._heard = heard
        note({"http.response.status_code": status})


def network_session(config: BoxConfig, transport: Transport, read_seconds: float) -> NetworkSession:
    return NetworkSession(
        network_client=transport,
        retry_strategy=NoRetries(),  # type: ignore[no-untyped-call]  # unannotated in the SDK
        base_urls=BaseUrls(
            base_url=config.base_url,
            upload_url=config.upload_url,
            oauth_2_url=f"{config.base_url}/api/oauth2",
        ),
        timeout_config=TimeoutConfig(
            connection_timeout_ms=int(CONNECT_SECONDS * 1000), read_timeout_ms=int(read_seconds * 1000)
        ),
    )


def environment_proxies(base_url: str) -> dict[str, str]:
    """Return the proxies of the environment, read once; a sandbox on this machine is never reached through one."""
    if is_loopback(urlsplit(base_url).hostname or ""):
        return {}
    return dict(get_environ_proxies(base_url))


#: Of every request. libcurl would ask for leave to send a large body, and wait for the answer.
_ALWAYS = (f"User-Agent: {USER_AGENT_HEADER}", f"X-Box-UA: {X_BOX_UA_HEADER}", "Accept: */*", "Expect:")


def _body(options: FetchOptions) -> Body | None:
    """Return what is sent: a prepared body as it is, the SDK's objects as text."""
    if options.multipart_data:
        raise ValueError("multipart bodies are prepared by whoever sends one")
    if options.file_stream is not None:
        return cast("Body", options.file_stream)
    if not options.data:
        return None
    if options.content_type == "application/x-www-form-urlencoded":
        return urlencode(cast("dict[str, str]", options.data)).encode()
    return json.dumps(options.data).encode()


def _json(body: bytes) -> Any:
    """Return the answer's JSON; an empty object for none, and for what is no JSON."""
    try:
        return json.loads(body) if body else {}
    except ValueError:
        return {}


def _refused(options: FetchOptions, answer: Answer, data: Any) -> BoxAPIError:
    """Return the SDK's exception for a refusal, without the request's headers and body: they hold a token."""
    said = data if isinstance(data, dict) else {}
    return BoxAPIError(
        message=f"{answer.status} {said.get('message', '')}; Request ID: {said.get('request_id', '')}",
        request_info=RequestInfo(method=options.method, url=options.url, query_params={}, headers={}),
        response_info=ResponseInfo(
            status_code=answer.status,
            headers=dict(answer.headers),
            body=said,
            raw_body=answer.body.decode(errors="replace"),
            code=said.get("code"),
            context_info=said.get("context_info", {}),
            request_id=said.get("request_id"),
            help_url=said.get("help_url"),
        ),
    )
