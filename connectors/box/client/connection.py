"""BoxConnection: one Box user's paced and retried call around the SDK's client.

SDK retries are off; what is retried, how often and how long is the table of
retries.py. Verbs live elsewhere.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from box_sdk_gen.internal.utils import ByteStream
from box_sdk_gen.networking.fetch_options import FetchOptions
from box_sdk_gen.networking.fetch_response import FetchResponse
from box_sdk_gen.networking.network import NetworkSession

from connectors.box.client.auth import BoxAuthentication, Credentials, load_credentials
from connectors.box.client.calls import TypedCalls
from connectors.box.client.curl import Body
from connectors.box.client.errors import NotBox, Unauthorised, scrub, to_connector_error
from connectors.box.client.faults import NetworkFault
from connectors.box.client.network import is_foreign, not_box
from connectors.box.client.pacer import Pacer
from connectors.box.client.refusal import code_of
from connectors.box.client.retries import BLOCKED_CODES, asked_seconds, rule_of
from connectors.box.client.tokens import TokenFile
from connectors.box.client.transport import (
    READ_SECONDS,
    SLOW_READ_SECONDS,
    UPLOAD_ROUTES,
    Transport,
    asked_address,
    current_route,
    network_session,
)
from connectors.box.config import BlockAuthConfig, BoxConfig
from connectors.box.values import json_object
from connectors.errors import (
    BoxUnreachable,
    ConnectorError,
    RateLimited,
    Stopped,
    TransientError,
)
from connectors.tracing import note, span

T = TypeVar("T")

#: The cheapest call: does Box answer at all?
PROBE_ROUTE = "GET /users/me"
#: The cheapest call that Box's upload host serves (facts §1): a session that is not there. A 404 is an answer.
UPLOAD_PROBE_ROUTE, UPLOAD_PROBE_PATH = "GET /files/upload_sessions/:id", "/files/upload_sessions/0"

#: Outages that one call sits out; after those its failure is its own, whatever a probe says.
OUTAGES_OF_A_CALL = 3


@dataclass
class _Patience:
    """What one call has used up, and how many outages of each host were over when it began or began anew."""

    ended_outages: dict[str, int]
    sat_out: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    waited_seconds: float = 0.0
    renewed: bool = False

    def begin_anew(self, ended_outages: dict[str, int]) -> None:
        """Forget what was used up: an outage used it up."""
        self.ended_outages = ended_outages
        self.sat_out += 1
        self.failures.clear()
        self.waited_seconds, self.renewed = 0.0, False


class BoxConnection:
    """One Box user's way to Box: the SDK's calls, the user's budget, and the retried call. Safe for many threads."""

    def __init__(
        self,
        client: TypedCalls,
        auth: BoxAuthentication,
        pacer: Pacer,
        transport: Transport,
        *,
        slow_session: NetworkSession,
        first_backoff_seconds: float,
        user_id: str | None = None,
    ) -> None:
        self.client = client
        self.auth = auth
        self.pacer = pacer
        self.transport = transport
        #: The Box user who acts; None for the service account before whoami().
        self.user_id = user_id
        self.retries = 0
        self._slow_session = slow_session
        self._first_backoff_seconds = first_backoff_seconds

    def call(
        self,
        route: str,
        send: Callable[[], T],
        *,
        attempts: int | None = None,
        settled: Callable[[], T | None] | None = None,
    ) -> T:
        """Run send() within the user's budget, and again while that helps; route names it for budget and meter.

        send() is repeated as a whole, so it opens what it reads by itself. Raises connectors.errors only; NotBox is
        unwrapped: what it carries is raised as it was, without a repeat. attempts bounds the table's own number.
        Without it an outage of Box is waited for, and BoxUnreachable says that it lasted too long.
        settled() is asked before a repeat whether the attempt without an answer took effect: its result, or None.
        """
        with span(route):
            return self._called(route, send, attempts, settled)

    def _called(
        self, route: str, send: Callable[[], T], attempts: int | None, settled: Callable[[], T | None] | None
    ) -> T:
        patience, retries = _Patience(self.transport.outages.ended()), 0
        while True:
            try:
                return self._once(route, send)
            except NotBox as carrier:
                foreign = carrier.error
                break
            except Unauthorised:
                if patience.renewed:
                    raise
                patience.renewed = True
                self.auth.reject()
            except Stopped:
                raise
            except TransientError as exc:
                self._wait(exc, patience, attempts)
                if settled and not isinstance(exc, RateLimited) and (effect := settled()) is not None:
                    return effect
            self.retries, retries = self.retries + 1, retries + 1
            note({"boxhaul.retries": retries})
        raise foreign

    def ask(
        self,
        route: str,
        url: str,
        *,
        params: dict[str, str] | None = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
        slow: bool = False,
        attempts: int | None = None,
    ) -> FetchResponse:
        """Make a JSON call that the SDK has no typed method for, or whose typed answer costs too much.

        url: a path below the API's version, or a whole URL.
        """
        method = route.split(" ", 1)[0]
        return self.call(
            route,
            lambda: self.fetch(method, url, params=params, data=data, headers=headers, slow=slow),
            attempts=attempts,
        )

    def fetch(
        self,
        method: str,
        url: str,
        *,
        params: dict[str, str] | None = None,
        data: Any = None,
        body: Body | None = None,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        slow: bool = False,
    ) -> FetchResponse:
        """Send one request as this user, once, through the SDK's seam: for send() of call() alone.

        url: as for ask(). data: goes out as JSON; body: as it is, with its content type. The answer's JSON is raw.
        """
        return self.transport.fetch(
            FetchOptions(
                url=url if "://" in url else self._url(url),
                method=method,
                params=params,
                data=data,
                file_stream=cast("ByteStream", body),
                content_type=content_type,
                headers=headers,
                auth=self.auth,
                network_session=self._slow_session if slow else self.client.network_session,
            )
        )

    def upload_url(self, path: str) -> str:
        """Return the address of a path below the version on Box's upload host."""
        return f"{self.client.network_session.base_urls.upload_url}/2.0{path}"

    # --- private ---

    def _once(self, route: str, send: Callable[[], T]) -> T:
        with self.pacer.call(upload=route in UPLOAD_ROUTES):
            name = current_route.set(route)
            try:
                return send()
            except (NotBox, ConnectorError):
                raise
            except Exception as exc:  # noqa: BLE001  (whatever it is: it becomes one of ours)
                error = to_connector_error(exc, route)
                if isinstance(exc, NetworkFault) and exc.cut:
                    self.auth.reject()  # how the edge ends a long upload whose token expired, in place of a 401
                raise error from scrub(exc)
            finally:
                current_route.reset(name)

    def _wait(self, error: TransientError, patience: _Patience, attempts: int | None) -> None:
        """Wait before the next attempt, or until Box is back; raises the error when it is not worth another."""
        patience.failures[error.reason] += 1
        count = patience.failures[error.reason]
        rule = replace(rule_of(error), first_seconds=self._first_backoff_seconds)
        asked, own = asked_seconds(error), rule.seconds(count)
        if asked > max(self.transport.outages.limit_seconds, rule.total_seconds):
            raise BoxUnreachable(
                f"Box asks for a pause of {round(asked / 60)} minutes (Retry-After); no file is to blame, and the next "
                "run goes on where this one stopped."
            )
        if isinstance(error, RateLimited):
            self.pacer.pause(asked or own)
        tries = min(rule.attempts, attempts or rule.attempts)
        if count >= tries or (not asked and patience.waited_seconds + own > rule.total_seconds):
            if attempts or not self._was_an_outage(error, patience):
                raise error
            patience.begin_anew(self.transport.outages.ended())
            return
        self.pacer.wait(asked if isinstance(error, RateLimited) and asked else max(asked, own))
        patience.waited_seconds += 0 if asked else own

    def _was_an_outage(self, error: TransientError, patience: _Patience) -> bool:
        """Return True when Box was away, or the host that was asked, and is back. BoxUnreachable when it stays away."""
        outages, asked = self.transport.outages, urlsplit(asked_address.get())
        if isinstance(error, RateLimited) or code_of(error) in BLOCKED_CODES:
            return False
        if not outages.heard or patience.sat_out >= OUTAGES_OF_A_CALL:
            return False

        asks_uploads = asked.netloc not in ("", outages.api_host)
        if asks_uploads and is_foreign(error) and not outages.has_answered(asked.netloc):
            raise BoxUnreachable(not_box(asked.netloc, str(error)))

        def was_away(host: str, route: str, address: str) -> bool:
            return outages.of(host).was_waited_out(
                patience.ended_outages.get(host, 0), lambda: self._answers(route, address), self.pacer.wait
            )

        if was_away(outages.api_host, PROBE_ROUTE, self._url("/users/me?fields=id")):
            return True
        if asked.netloc in ("", outages.api_host):
            return False
        # Box's session endpoints have the same path on every host.
        path = f"{urlsplit(self.upload_url('')).path}{UPLOAD_PROBE_PATH}"
        return was_away(asked.netloc, UPLOAD_PROBE_ROUTE, f"{asked.scheme}://{asked.netloc}{path}")

    def _answers(self, route: str, url: str) -> bool:
        """Make one call without a repeat; whatever Box itself says counts as an answer, also a refusal."""
        try:
            with span(route):
                self._once(route, lambda: json_object(self.fetch("GET", url).data, route))
        except (Stopped, BoxUnreachable):
            raise
        except RateLimited as exc:
            self.pacer.pause(exc.retry_after_seconds)
        except TransientError:
            return False
        except ConnectorError:
            return True
        return True

    def _url(self, path: str) -> str:
        return f"{self.client.network_session.base_urls.base_url}/2.0{path}"


def connect(
    config: BoxConfig,
    transport: Transport,
    *,
    base_dir: Path | None = None,
    stop: threading.Event | None = None,
    user_id: str | None = None,
) -> BoxConnection:
    """Return a connection that acts as the service account, or as one of its uploader app users. Sends nothing yet."""
    credentials = load_credentials(config.auth, base_dir)
    if user_id is not None:
        credentials = credentials.for_user(user_id)
    auth = BoxAuthentication(credentials, token_file=_token_file(config, credentials, base_dir, user_id))
    session = network_session(config, transport, READ_SECONDS)
    auth.bind(session)
    limits = config.limits
    pacer = Pacer(
        uploads=limits.uploads_per_minute,
        calls=limits.calls_per_minute,
        window_seconds=limits.window_seconds,
        stop=stop,
    )
    return BoxConnection(
        TypedCalls(auth, session),
        auth,
        pacer,
        transport,
        slow_session=network_session(config, transport, SLOW_READ_SECONDS),
        first_backoff_seconds=limits.backoff_seconds,
        user_id=user_id,
    )


def _token_file(
    config: BoxConfig, credentials: Credentials, base_dir: Path | None, user_id: str | None
) -> TokenFile | None:
    if isinstance(config.auth, BlockAuthConfig) or config.auth.token_file is None:
        return None
    path = (base_dir or Path()) / config.auth.token_file
    if user_id is not None:
        path = path.with_name(f"{path.name}.{user_id}")
    who = f"{config.base_url} {credentials.client_id} {credentials.subject_type} {credentials.subject_id}"
    return TokenFile(path, hashlib.sha256(who.encode()).hexdigest())
