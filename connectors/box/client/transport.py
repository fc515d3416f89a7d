"""Transport: the SDK's network client with connections of its own, metered per route.

It neither repeats nor waits: that is BoxConnection's business.
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from box_sdk_gen.box.errors import BoxAPIError
from box_sdk_gen.networking.base_urls import BaseUrls
from box_sdk_gen.networking.box_network_client import BoxNetworkClient
from box_sdk_gen.networking.fetch_options import FetchOptions
from box_sdk_gen.networking.fetch_response import FetchResponse
from box_sdk_gen.networking.network import NetworkSession
from box_sdk_gen.networking.retries import RetryStrategy
from box_sdk_gen.networking.timeout_config import TimeoutConfig
from requests.adapters import HTTPAdapter

from connectors.box.client.errors import NotBox
from connectors.box.client.outage import Outages
from connectors.box.client.refusal import printable
from connectors.box.client.trust import trusting
from connectors.box.config import BoxConfig, checked_url, is_loopback
from connectors.box.types import Statistics
from connectors.errors import BoxUnreachable, ConnectorError, ServerBusy

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
#: Connections kept per host; more threads than that open some for one call each.
POOL_SIZE = 64
SEND_BLOCK_BYTES = 128 * 1024
#: An address that all parsers of URLs read alike: no backslash, blank or user name before the path.
_PLAIN_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[!-\[\]-~]*)?$")
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

    def allows(self, url: str) -> bool:
        """Return True when a request with a token may be sent to this address."""
        try:
            if not _PLAIN_ADDRESS.match(url):
                return False
            checked_url(url)
            scheme, host, port = origin = _origin(url)
        except ValueError:
            return False
        of_box = any(host == domain or host.endswith(f".{domain}") for domain in BOX_DOMAINS)
        return origin in self._configured or (of_box and (scheme, port) == ("https", 443))

    def require(self, url: str) -> None:
        """Raise BoxUnreachable for any other address: session endpoints come from answers, and from a database."""
        if not self.allows(url):
            named = printable(urlsplit(url).netloc.rpartition("@")[2], limit=80)
            raise BoxUnreachable(
                f"Box's answer, or the checkpoint, names the address {named!r}, which is neither in the plan "
                "(base_url, upload_url) nor Box's own over TLS; nothing was sent there."
            )


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").rstrip("."), port


class Transport(BoxNetworkClient):
    """The SDK's network client with a pool of its own, metered per route. Shared by all identities and threads."""

    def __init__(self, config: BoxConfig, *, base_dir: Path | None = None) -> None:
        """base_dir: what a relative ca_file is relative to."""
        super().__init__(requests_session=_requests_session(config, base_dir))
        self._addresses = Addresses(config.base_url, config.upload_url)
        self.clock_skew_seconds: float | None = None
        self.outages = Outages(
            urlsplit(config.base_url).netloc,
            limit_seconds=config.limits.outage_minutes * 60,
            first_pause_seconds=config.limits.backoff_seconds,
        )
        self._lock = threading.Lock()
        self._routes: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._bytes_sent = 0

    def fetch(self, options: FetchOptions) -> FetchResponse:
        """Send one request and return its answer. The SDK's exceptions leave as they are; BoxConnection.call maps them.

        A good status without JSON is somebody else's page: ServerBusy, so that it is asked again.
        """
        self._addresses.require(options.url)
        host = urlsplit(options.url).netloc
        route = TOKEN_ROUTE if options.url.endswith("/oauth2/token") else current_route.get()
        try:
            response = super().fetch(options)
        except BoxAPIError as exc:
            asked_address.set(options.url)
            if exc.response_info.status_code >= 500:
                self.outages.unanswered(host)
            self._count(route, exc.response_info.status_code, exc.response_info.headers)
            raise
        except ConnectorError:
            raise  # the token could not be had: this request was never sent
        except Exception as exc:
            asked_address.set(options.url)
            if not isinstance(exc, NotBox):
                self.outages.unanswered(host)
            self._count(route, 0, {})
            raise
        asked_address.set(options.url)  # not before: a token may have been asked for on the way
        self._count(route, response.status, response.headers)
        if 300 <= response.status < 400:  # whoever is behind it must not get a token or the client secret
            self.outages.unanswered(host)
            raise ServerBusy(f"{route}: the answer leads to another address; is a proxy in the way?")
        if not response.data and response.status not in EMPTY_ANSWERS:
            self.outages.unanswered(host)
            raise ServerBusy(f"{route}: the answer is not one of Box's; is a proxy in the way?")
        self.outages.answered(host)
        return response

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
        self.requests_session.close()

    def _count(self, route: str, status: int, headers: Mapping[str, str]) -> None:
        skew = _skew(headers)
        with self._lock:
            self._routes[route] += 1
            self._statuses[status] += 1
            if skew is not None:
                self.clock_skew_seconds = skew


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


def _requests_session(config: BoxConfig, base_dir: Path | None) -> requests.Session:
    """Proxies and CA bundle of the environment are read once; ~/.netrc (it would replace the token) and cookies
    are not used; a sandbox on this machine is never reached through a proxy."""
    session = _Session()
    host = urlsplit(config.base_url).hostname or ""
    session.trust_env = False
    if not is_loopback(host):
        session.proxies = dict(requests.utils.get_environ_proxies(config.base_url))
    trust = trusting((base_dir or Path()) / config.ca_file if config.ca_file else None)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(trust, pool_connections=8, pool_maxsize=POOL_SIZE, max_retries=0))
    return session


class _Session(requests.Session):
    """Follows no redirect: the next host would get what was for Box."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: there is nowhere to go."""
        return None


class _Adapter(HTTPAdapter):
    """Sends bodies in larger blocks than the 16 KiB of http.client; believes the certificates that it is given."""

    def __init__(self, trust: ssl.SSLContext, **kwargs: Any) -> None:
        self._trust = trust
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, blocksize=SEND_BLOCK_BYTES, ssl_context=self._trust)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Through a proxy it is Box's certificate all the same."""
        return super().proxy_manager_for(
            proxy,
            **kwargs,
            blocksize=SEND_BLOCK_BYTES,
            ssl_context=self._trust,
            proxy_ssl_context=self._trust,
        )

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Verify as always, but add no bundle of requests' own to what is trusted."""
        super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]  # unannotated in requests
        conn.ca_certs = conn.ca_cert_dir = None


def _skew(headers: Mapping[str, str]) -> float | None:
    """Return Box's clock minus ours, by an answer's Date header; half a second stands for what it leaves out."""
    text = headers.get("Date") or headers.get("date")
    try:
        return parsedate_to_datetime(text).timestamp() + 0.5 - time.time() if text else None
    except ValueError:
        return None
