"""Box's refusals and the SDK's exceptions → connectors.errors: one table by code, one by status.

What is sent again stands in retries.py. No retrying here, no HTTP. Whatever leaves this module holds no token:
requests and frames are taken off the exceptions that are kept as cause.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from box_sdk_gen.box.errors import BoxAPIError, BoxSDKError
from box_sdk_gen.internal.errors import GeneratedCodeError

from connectors.box.client.faults import NetworkFault
from connectors.box.client.network import network_error
from connectors.box.client.refusal import Refusal, printable
from connectors.box.client.retries import RETRIED_5XX, RETRIED_CODES, RETRIED_STATUSES
from connectors.box.values import text_of
from connectors.errors import (
    AuthenticationFailed,
    ConnectorError,
    DestinationGone,
    DigestMismatch,
    LockedInBox,
    NameInUse,
    NameRejected,
    NotPermitted,
    PermissionMissing,
    QuotaExceeded,
    RateLimited,
    Rejected,
    RequestTooLarge,
    ServerBusy,
    TooLarge,
)


class Unauthorised(AuthenticationFailed):
    """Box refused the access token, and a new one as well; is the app still authorised?"""


class LimitedAccessApp(PermissionMissing):
    """This is a limited-access app (App Token, Box View): it may neither collaborate nor look at users, so it cannot
    migrate. Create a custom app with server authentication (JWT or client credentials) in the developer console."""


class NotBox(Exception):
    """Carries somebody else's error (a source's, while its file was being sent) past the mapping, untouched."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


#: The class decides what happens next. Codes are an open set: what is not here goes by its status.
BY_CODE: Mapping[str, type[ConnectorError]] = {
    "unauthorized": Unauthorised,
    "invalid_token": Unauthorised,
    "expired_token": Unauthorised,
    "terms_of_service_required": AuthenticationFailed,
    "password_reset_required": AuthenticationFailed,
    "user_email_confirmation_required": AuthenticationFailed,
    "access_denied_insufficient_permissions": NotPermitted,  # of users and groups: see ADMINISTRATION
    "insufficient_scope": PermissionMissing,
    "access_from_location_blocked": PermissionMissing,
    "storage_limit_exceeded": QuotaExceeded,
    "file_size_limit_exceeded": TooLarge,
    "request_entity_too_large": RequestTooLarge,
    "item_name_invalid": NameRejected,
    "item_name_too_long": NameRejected,
    "item_name_in_use": NameInUse,
    "bad_digest": DigestMismatch,
    "digest_mismatch": DigestMismatch,  # what a commit answers (facts §3.7)
    "access_denied_item_locked": LockedInBox,
    "not_found": DestinationGone,
    "trashed": DestinationGone,
    **RETRIED_CODES,
}

#: Routes that work for all users or groups, or for none: whom Box refuses here is the account, not one item.
ADMINISTRATION = re.compile(r"[A-Z]+ /(users|groups)\b")

#: What a person does about a refusal that the class alone does not explain.
ADVICE: Mapping[str, str] = {
    "insufficient_scope": (
        " Tick the scope in the developer console (App > Configuration > Application Scopes), then an admin has to "
        "authorise the app anew in the Admin Console, and the next login brings it into force."
    ),
}

BY_STATUS: Mapping[int, type[ConnectorError]] = {
    400: Rejected,
    401: Unauthorised,
    403: Rejected,
    404: DestinationGone,
    405: Rejected,
    409: Rejected,
    410: DestinationGone,
    411: Rejected,
    412: Rejected,
    413: RequestTooLarge,
    415: Rejected,
    416: Rejected,
    **RETRIED_STATUSES,
}

#: Every exception class of the SDK and how it is met; a test fails when the SDK grows one that is not here.
SDK_EXCEPTIONS: tuple[type[Exception], ...] = (BoxAPIError, BoxSDKError, GeneratedCodeError)


_CHALLENGE = re.compile(r'\b(error|error_description)="([^"]*)"')


def to_connector_error(error: Exception, route: str) -> ConnectorError:
    """Return our error for any exception of an SDK call; its class says what to do. Never raises."""
    if isinstance(error, ConnectorError):
        return error
    if isinstance(error, BoxAPIError):
        return from_refusal(read_refusal(error), route)
    cause = error.error if isinstance(error, BoxSDKError) and error.error is not None else error
    if isinstance(cause, NetworkFault | OSError):
        return network_error(cause, route)
    return ServerBusy(
        f"{route}: the answer is not one of Box's ({type(error).__name__}); is a proxy in the way?"
    )


def from_refusal(refusal: Refusal, route: str) -> ConnectorError:
    """Return our error for what Box answered; the answer hangs on it as `refusal`."""
    kind = _kind_of(refusal, route)
    message = f"{(kind.__doc__ or '').splitlines()[0]}{ADVICE.get(refusal.code or '', '')} Box to {route}: {refusal}"
    error: ConnectorError
    if issubclass(kind, NameInUse):
        error = _name_in_use(refusal, message)
    elif issubclass(kind, RateLimited):
        error = kind(message, retry_after_seconds=refusal.retry_after_seconds or 0.0)
    else:
        error = kind(message)
    error.refusal = refusal  # type: ignore[attr-defined]
    return error


def read_refusal(error: BoxAPIError) -> Refusal:
    """Return the parts of an SDK exception that may be kept. The body may be HTML, empty or OAuth's."""
    info = error.response_info
    body: Mapping[str, Any] = info.body if isinstance(info.body, dict) else {}
    headers = {str(name).lower(): str(value) for name, value in (info.headers or {}).items()}
    # A missing scope and a bad token come with an empty body; the reason is in this header alone (facts §3.7).
    challenge = dict(_CHALLENGE.findall(headers.get("www-authenticate", "")))
    code = body.get("code") or body.get("error") or challenge.get("error")
    said = body.get("message") or body.get("error_description") or challenge.get("error_description")
    context = body.get("context_info")
    return Refusal(
        status=info.status_code,
        code=printable(str(code)) if code else None,
        message=printable(str(said or "")),
        request_id=printable(str(body.get("request_id") or headers.get("box-request-id") or "")) or None,
        retry_after_seconds=retry_after_seconds(headers.get("retry-after")),
        context=context if isinstance(context, Mapping) else {},
    )


def scrub(error: Exception) -> Exception:
    """Take what may hold a token off an exception that is kept as a cause: requests, headers, frames."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, BoxAPIError):
            current.request_info.headers = {}
            current.request_info.body = None
        current.__traceback__ = None
        pending += [current.__cause__, current.__context__, getattr(current, "error", None)]
    return error


def retry_after_seconds(header: str | None, *, now: datetime | None = None) -> float | None:
    """Return Retry-After in seconds: a number or an HTTP date (RFC 9110 §10.2.3); None when there is no sense in it."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - (now or datetime.now(UTC))).total_seconds())


# --- private ---


def _kind_of(refusal: Refusal, route: str) -> type[ConnectorError]:
    kind = BY_CODE.get(refusal.code or "")
    if kind is NotPermitted and ADMINISTRATION.match(route):
        return PermissionMissing
    if kind is None and refusal.status == 403 and refusal.retry_after_seconds is not None:
        return RateLimited  # a rate limit in other words (facts §3.7)
    return kind or BY_STATUS.get(refusal.status) or (RETRIED_5XX if refusal.status >= 500 else Rejected)


def _name_in_use(refusal: Refusal, message: str) -> NameInUse:
    conflict = refusal.conflict
    version = conflict.get("file_version")
    return NameInUse(
        message,
        box_id=text_of(conflict.get("id")),
        box_type=text_of(conflict.get("type")),
        sha1=text_of(conflict.get("sha1")),
        etag=text_of(conflict.get("etag")),
        version_id=text_of(version.get("id")) if isinstance(version, Mapping) else None,
        box_name=text_of(conflict.get("name")),
    )
