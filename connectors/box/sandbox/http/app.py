"""The ASGI application: finds the route, checks token, limits and faults, calls the handler, counts the call.

Plain ASGI with a table of its own, because a router, request and response classes cost more than Box's rules do
in the small upload that benchmarks are made of. The control pages under `/_sandbox` are a Starlette application.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.box.sandbox.control.faults import Effect
from connectors.box.sandbox.control.observe import FORM_STATUSES, STATE_CODES
from connectors.box.sandbox.core import Core
from connectors.box.sandbox.errors import (
    BearerError,
    BoxError,
    OAuthError,
    forbidden,
    insufficient_scope,
    method_not_allowed,
    not_found,
    unauthorized,
)
from connectors.box.sandbox.http.openapi import Validator
from connectors.box.sandbox.http.routes.files import download
from connectors.box.sandbox.http.routes.table import PART, Route, Table
from connectors.box.sandbox.store.downloads import DOWNLOADS
from connectors.box.sandbox.wire import (
    JSON_TYPE,
    REGION,
    Request,
    Response,
    dump,
    error_response,
    json_response,
)

log = logging.getLogger(__name__)

CONTROL = "/_sandbox"
_ITEM_PREFIXES = ("/files", "/folders", "/collaborations", "/shared_items", "/metadata")
_SHA1 = re.compile(rb'"sha1":"[0-9a-f]{40}"')
_ANOTHER_SHA1 = b'"sha1":"%s"' % (b"0" * 40)
_HTML = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center></body>\r\n</html>\r\n"
)


class Disconnected(Exception):
    """The client went away before its request was complete."""


class Application:
    """Box over ASGI."""

    def __init__(self, core: Core, control: ASGIApp, validator: Validator | None = None) -> None:
        self.core = core
        self.control = control
        self.validator = validator
        self.table = Table()
        self._date = (0, b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        path: str = scope["path"]
        if path.startswith(CONTROL):
            await self.control(scope, receive, send)
            return
        started = time.time()
        request = _request(scope, path)
        route, template, refusal = self._route(request)
        request.route = template
        try:
            await self._read(request, receive)
        except Disconnected:
            return
        effect = self._fault(request)
        response: Response | None
        if effect is None:
            response = await self._answer(request, route, refusal)
        else:
            response = await self._answer_badly(request, route, refusal, effect)
        self._record(request, response, started)
        if response is None:
            await _reset(scope, receive)
            return
        await self._send(send, response, truncated=effect is not None and effect.truncate)
        if effect is not None and effect.truncate:
            scope["state"]["transport"].close()
            await _gone(receive)

    # --- finding ---

    def _route(self, request: Request) -> tuple[Route | None, str, BoxError | None]:
        """(route, template, refusal); tokens have a template but no route."""
        if request.path in TOKEN_PATHS:
            return None, f"{request.method} {request.path}", None
        if request.path.startswith(DOWNLOADS + "/"):
            return None, f"{request.method} {DOWNLOADS}", None
        route, ids, known = self.table.find(request.method, request.path)
        request.params = ids
        if route is not None:
            return route, route.template, None
        return (
            None,
            f"{request.method} unknown",
            method_not_allowed() if known else not_found("path", request.path),
        )

    def _fault(self, request: Request) -> Effect | None:
        faults = self.core.faults
        if not faults.rules:
            return None
        with self.core.store.lock:
            return faults.find(
                request.route, lambda word: request.mentions(word) or self.core.auth.is_by(request, word)
            )

    # --- answering ---

    async def _answer(self, request: Request, route: Route | None, refusal: BoxError | None) -> Response:
        latency = self.core.limits.latency_seconds
        if latency:
            await asyncio.sleep(latency)
        try:
            if route is None:
                return self._without_token(request) if refusal is None else self._refuse(request, refusal)
            outcome = self._handle(request, route)
            return await outcome if isinstance(outcome, Awaitable) else outcome
        except BoxError as error:
            return self._refuse(request, error)
        except OAuthError as error:
            return json_response(error.body(), error.status)
        except Exception as error:  # a defect of ours must answer 500 and be seen by the tests
            log.exception("defect in %s", request.route)
            self.core.violate(request.route, "defect", f"{type(error).__name__}: {error}")
            return error_response(
                BoxError(500, "internal_server_error", "Internal Server Error"), _request_id()
            )

    def _handle(self, request: Request, route: Route) -> Response | Awaitable[Response]:
        core = self.core
        with core.store.lock:
            core.auth.identify(request)
            self._permit(request, route)
            self._charge(request, route)
            outcome = route.handler(core, request)
            if not route.read_only:
                core.store.flush()
            return outcome

    def _without_token(self, request: Request) -> Response:
        """The token endpoint and the download host, which ask for no bearer token."""
        core = self.core
        if request.path.startswith(DOWNLOADS):
            if request.method != "GET":
                raise method_not_allowed()
            with core.store.lock:
                return download(core, request)
        if request.method != "POST":
            raise method_not_allowed()
        with core.store.lock:
            try:
                if request.path == "/oauth2/revoke":
                    core.auth.revoke(request)
                    return Response(200)
                return json_response(core.auth.token(request))
            finally:
                core.store.flush()

    def _permit(self, request: Request, route: Route) -> None:
        """403 for what the application's scopes, its kind or the user's status do not allow."""
        settings = self.core.settings
        if settings.only_session_endpoints and _is_constructed(request, route):
            raise not_found("upload_session", request.params[0])
        if settings.limited_access_app and not route.limited:
            raise insufficient_scope()
        scopes = settings.scopes
        readable = route.read_only and "root_readonly" in scopes
        about_items = route.template.partition(" ")[2].startswith(_ITEM_PREFIXES)
        if "root_readwrite" not in scopes and about_items and not readable:
            raise insufficient_scope()
        if "enterprise_content" in scopes and not route.read_only and b"as-user" not in request.headers:
            raise forbidden("Global Content Manager applications write with the as-user header only")
        status = request.user.status
        if status != "active":
            if request.method in {"DELETE", "PUT"}:
                raise forbidden("The user may not delete or edit")
            if route.is_upload and status == "cannot_delete_edit_upload":
                raise forbidden("The user may not upload")

    def _charge(self, request: Request, route: Route) -> None:
        core = self.core
        limits = core.limits
        if limits.calls_per_month is not None:
            limits.check_allotment(core.calls.this_month)
        if limits.calls_per_minute is None and limits.uploads_per_minute is None:
            return
        is_upload = route.is_upload or (core.settings.parts_count_as_uploads and route.template == PART)
        token_id, acting_id = request.token_user.id, request.user.id
        by = core.settings.as_user_charges
        charged = {token_id} if by == "token" else {acting_id} if by == "acting" else {token_id, acting_id}
        limits.charge(tuple(charged), is_upload)

    def _refuse(self, request: Request, error: BoxError) -> Response:
        if error.status in FORM_STATUSES and error.code not in STATE_CODES:
            self.core.violate(request.route, "refused", f"{error.status} {error.code}: {error.message}")
        return self._render(error)

    def _render(self, error: BoxError) -> Response:
        if isinstance(error, BearerError) and self.core.settings.empty_auth_bodies:
            return Response(error.status, b"", error.headers)
        return error_response(error, _request_id())

    # --- faults ---

    async def _answer_badly(
        self, request: Request, route: Route | None, refusal: BoxError | None, effect: Effect
    ) -> Response | None:
        """The answer under a fault; None means that the connection is to be dropped."""
        if effect.delay_seconds:
            await asyncio.sleep(effect.delay_seconds)
        if effect.expire_token:
            self.core.auth.expire((request.header(b"authorization") or "").partition(" ")[2])
        if effect.reset == "before_effect":
            return None
        if effect.status is not None and not effect.after_effect:
            return self._faulty(request, effect)
        request.corrupt = effect.wrong_digest
        response = await self._answer(request, route, refusal)
        if effect.reset == "after_effect":
            return None
        if effect.wrong_answer:
            response.body = _SHA1.sub(_ANOTHER_SHA1, response.body)
        return response if effect.status is None else self._faulty(request, effect)

    def _faulty(self, request: Request, effect: Effect) -> Response:
        status = effect.status or 500
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if effect.retry_after is not None:
            headers = ((b"retry-after", effect.retry_after.encode()),)
        if effect.html:
            return Response(status, _page(status), (*headers, (b"content-type", b"text/html")))
        if isinstance(effect.body, bytes):
            return Response(status, effect.body, headers)
        if effect.body is not None:
            return Response(status, dump(effect.body), (*headers, JSON_TYPE))
        code = effect.code or _CODES.get(status, "error")
        message = effect.message or code.replace("_", " ")
        if request.path in TOKEN_PATHS:
            return json_response(OAuthError(code, message).body(), status, headers)
        if code in _BEARER and not headers:
            return self._render(_BEARER[code]())
        return error_response(BoxError(status, code, message, effect.context, headers), _request_id())

    # --- bodies ---

    async def _read(self, request: Request, receive: Receive) -> None:
        pace = self.core.limits.bytes_per_second
        chunks = request.chunks
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            if chunk:
                chunks.append(chunk)
                size += len(chunk)
                if pace:
                    await asyncio.sleep(len(chunk) / pace)
            if not message.get("more_body", False):
                break
        request.size = size

    async def _send(self, send: Send, response: Response, *, truncated: bool) -> None:
        headers = [
            (b"date", self._date_header()),
            (b"box-request-id", _request_id().encode()),
            *response.headers,
        ]
        if response.status not in {204, 304}:
            headers.append((b"content-length", str(response.size).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if truncated:
            body = response.body or b"".join(response.stream or ())
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            return
        pace = self.core.limits.bytes_per_second
        for piece in response.stream or ():
            if pace:
                await asyncio.sleep(len(piece) / pace)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": response.body})

    def _date_header(self) -> bytes:
        now = int(time.time() + self.core.settings.clock_offset_seconds)
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True).encode())
        return self._date[1]

    # --- observing ---

    def _record(self, request: Request, response: Response | None, started: float) -> None:
        status = 0 if response is None else response.status
        user = request.user.id if request.user is not None else None
        self.core.calls.count(request.route, status, user, started, request.size)
        if self.validator is not None and response is not None:
            for violation in self.validator.check(request, response):
                self.core.violate(*violation)


def _request(scope: Scope, path: str) -> Request:
    request = Request(scope["method"], path, scope["query_string"], dict(scope["headers"]))
    host = request.headers.get(b"host", b"127.0.0.1").decode("latin-1")
    request.base_url = f"{scope['scheme']}://{host}"
    return request


def _is_constructed(request: Request, route: Route) -> bool:
    about_session = " /files/upload_sessions/:id" in route.template
    return about_session and not request.path.startswith(REGION)


#: They answer in a form of their own, whatever the status.
TOKEN_PATHS = frozenset({"/oauth2/token", "/oauth2/revoke"})

_CODES = {
    401: "unauthorized",
    403: "access_denied_insufficient_permissions",
    404: "not_found",
    409: "operation_blocked_temporary",
    412: "precondition_failed",
    429: "rate_limit_exceeded",
    500: "internal_server_error",
    502: "bad_gateway",
    503: "unavailable",
    504: "gateway_timeout",
}


#: Codes that stand in the WWW-Authenticate header.
_BEARER: dict[str, Callable[[], BoxError]] = {
    "unauthorized": lambda: unauthorized(expired=False),
    "insufficient_scope": insufficient_scope,
}


def _page(status: int) -> bytes:
    """What a proxy or the edge puts in place of an answer of Box."""
    return _HTML.format(f"{status} {HTTPStatus(status).phrase}").encode()


def _request_id() -> str:
    return secrets.token_hex(8)


async def _reset(scope: Scope, receive: Receive) -> None:
    """Drop the connection with RST, as a failing proxy or network does."""
    transport: Any = scope["state"]["transport"]
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the server knows that the client is gone; it would answer 500 otherwise."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
