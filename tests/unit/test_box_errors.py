"""Every answer of Box and every exception of the SDK has exactly one meaning."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import box_sdk_gen
import pytest
from box_sdk_gen.box.errors import BoxAPIError, BoxSDKError, RequestInfo, ResponseInfo
from box_sdk_gen.internal.errors import GeneratedCodeError

from connectors import errors
from connectors.box.client.errors import (
    BY_CODE,
    BY_STATUS,
    SDK_EXCEPTIONS,
    Unauthorised,
    from_refusal,
    read_refusal,
    retry_after_seconds,
    scrub,
    to_connector_error,
)
from connectors.box.client.faults import Fault, NetworkFault, fault_of
from connectors.box.client.refusal import Refusal, code_of, printable, refusal_of, status_of
from connectors.box.values import json_object
from connectors.errors import (
    BoxUnreachable,
    ConnectionLost,
    ConnectorError,
    FatalError,
    ItemError,
    NameInUse,
    NotPermitted,
    PermissionMissing,
    RateLimited,
    ServerBusy,
    TransientError,
)

#: Nobody tries again.
FATAL_FAULTS = (Fault.UNTRUSTED, Fault.TUNNEL)
ROUTE = "POST /files/content"


def answer(
    status: int, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> BoxAPIError:
    """What the SDK raises for an answer."""
    body = body or {}
    return BoxAPIError(
        message="refused",
        request_info=RequestInfo(
            "POST", "https://api.box.com/x", {}, {"Authorization": "Bearer sesame"}, "sesame"
        ),
        response_info=ResponseInfo(
            status, headers or {}, body, "", body.get("code"), body.get("context_info")
        ),
    )


def subclasses(kind: type) -> set[type]:
    """All classes below, however deep."""
    below = set(kind.__subclasses__())
    return below | {deeper for each in below for deeper in subclasses(each)}


def test_every_exception_of_the_sdk_is_known() -> None:
    """When the SDK grows an exception class, somebody has to say what it means."""
    found = {
        each for each in subclasses(BaseException) if each.__module__.split(".")[0] == box_sdk_gen.__name__
    }

    assert set(SDK_EXCEPTIONS) == found


@pytest.mark.parametrize(
    "error",
    [
        GeneratedCodeError("x"),
        BoxSDKError("x"),
        BoxSDKError("x", error=NetworkFault(Fault.BROKEN)),
        answer(500),
        *(NetworkFault(kind) for kind in Fault if kind not in FATAL_FAULTS),
        OSError(104, "reset"),
        TypeError("html"),
        ValueError("date"),
        AttributeError("none"),
        AssertionError(),
        KeyError("id"),
    ],
)
def test_whatever_the_sdk_lets_out_is_transient(error: Exception) -> None:
    """Nothing foreign leaves, and an unclear answer is asked again."""
    assert isinstance(to_connector_error(error, ROUTE), TransientError)


def test_what_the_network_did_is_told_apart() -> None:
    """Lost connections are repeated; an untrusted certificate is not; an alien answer is named."""
    lost = to_connector_error(NetworkFault(Fault.BROKEN, name="SEND_ERROR"), ROUTE)
    slow = to_connector_error(NetworkFault(Fault.TIMEOUT), ROUTE)
    alien = to_connector_error(TypeError("missing id"), ROUTE)

    assert (ConnectionLost, ConnectionLost, ServerBusy) == (type(lost), type(slow), type(alien))
    assert "broke (SEND_ERROR)" in str(lost)
    assert "in time" in str(slow)
    assert isinstance(to_connector_error(NetworkFault(Fault.UNTRUSTED), ROUTE), BoxUnreachable)
    assert "proxy" in str(alien)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (407, BoxUnreachable, "asks for a login"),
        (403, BoxUnreachable, "refuses the connection"),
        (502, ConnectionLost, "does not reach Box"),
        (302, ConnectionLost, "does not reach Box"),
    ],
)
def test_what_a_proxy_answers_to_connect(status: int, kind: type[ConnectorError], words: str) -> None:
    """A refusal is final, and a login is not tried again; a proxy in trouble may be better in a while."""
    error = to_connector_error(NetworkFault(Fault.TUNNEL, tunnel_status=status), ROUTE)

    assert kind is type(error)
    assert words in str(error)


@pytest.mark.parametrize(
    ("code", "more", "expected"),
    [
        (6, {"connected": False, "proxied": False}, Fault.NAME),
        (5, {"connected": False, "proxied": True}, Fault.PROXY_NAME),
        (7, {"connected": False, "proxied": True}, Fault.PROXY_SILENT),
        (28, {"connected": False, "proxied": True}, Fault.PROXY_SILENT),
        (28, {"connected": True, "proxied": True}, Fault.TIMEOUT),
        (28, {"connected": False, "proxied": False}, Fault.TIMEOUT),
        (7, {"connected": False, "proxied": False}, Fault.BROKEN),
        (60, {"connected": True, "proxied": True}, Fault.UNTRUSTED),
        (97, {"connected": True, "proxied": True}, Fault.PROXY_SILENT),
        (97, {"connected": True, "proxied": True, "proxy_error": 33}, Fault.TUNNEL),
        (56, {"connected": True, "proxied": True, "tunnel_status": 407}, Fault.TUNNEL),
        (56, {"connected": True, "proxied": True, "tunnel_status": 200}, Fault.BROKEN),
        (65, {"connected": True, "proxied": False}, Fault.BROKEN),
        (42, {"connected": True, "proxied": False}, Fault.BROKEN),
    ],
)
def test_what_libcurls_numbers_mean(code: int, more: dict[str, Any], expected: Fault) -> None:
    """Proxy, name server, certificate, patience, or the line itself; any other number is the line."""
    assert expected is fault_of(code, **more)[0]


@pytest.mark.parametrize(("code", "kind"), list(BY_CODE.items()))
def test_a_code_decides_whatever_the_status(code: str, kind: type[ConnectorError]) -> None:
    """409 means five things, so the code goes first."""
    error = from_refusal(Refusal(status=409, code=code), ROUTE)

    assert kind is type(error)
    assert (409, code) == (status_of(error), code_of(error))


@pytest.mark.parametrize("status", range(400, 600))
def test_every_status_has_a_meaning(status: int) -> None:
    """Without a known code the status decides; 4xx concern the item or the account, 5xx pass."""
    error = from_refusal(Refusal(status=status, code="something_new"), ROUTE)

    assert isinstance(error, TransientError) == (status >= 500 or status in (408, 429))
    assert isinstance(error, FatalError) == (status == 401)
    assert status in BY_STATUS or type(error) in (errors.Rejected, errors.ServerBusy)
    assert "something_new" in str(error)


def test_the_three_classes_are_disjoint() -> None:
    """What is retried is never recorded against an item, and neither stops the pass."""
    for kind in {*BY_CODE.values(), *BY_STATUS.values()}:
        assert 1 == sum(issubclass(kind, base) for base in (TransientError, ItemError, FatalError))


@pytest.mark.parametrize("listed", [True, False])
def test_both_shapes_of_a_conflict(listed: bool) -> None:
    """An object for files, an array for folders; the specification has it wrong."""
    item = {"type": "file", "id": 99, "etag": "3", "sha1": "ab", "name": "a", "file_version": {"id": "88"}}
    body = {"code": "item_name_in_use", "context_info": {"conflicts": [item] if listed else item}}
    error = to_connector_error(answer(409, body), ROUTE)

    assert isinstance(error, NameInUse)
    assert ("99", "file", "ab", "3", "88", "a") == (
        error.box_id,
        error.box_type,
        error.sha1,
        error.etag,
        error.version_id,
        error.box_name,
    )


@pytest.mark.parametrize(
    "context", [None, {}, {"conflicts": None}, {"conflicts": []}, {"conflicts": ["x"]}, "x"]
)
def test_a_conflict_without_details(context: Any) -> None:
    """The item may be missing; the error is the same."""
    error = to_connector_error(answer(409, {"code": "item_name_in_use", "context_info": context}), ROUTE)

    assert isinstance(error, NameInUse)
    assert error.box_id is None


def test_an_answer_that_is_no_json() -> None:
    """Bodies may be HTML or empty."""
    refusal = read_refusal(answer(502, {}, {"Retry-After": "7", "box-request-id": "abc"}))

    assert (502, None, "abc", 7.0) == (
        refusal.status,
        refusal.code,
        refusal.request_id,
        refusal.retry_after_seconds,
    )


def test_retry_after_in_both_forms() -> None:
    """Seconds or an HTTP date (RFC 9110); nonsense and the past are no wait."""
    now = datetime(2026, 1, 1, tzinfo=UTC)

    assert 100.0 == retry_after_seconds("100")
    assert 30.0 == retry_after_seconds("Thu, 01 Jan 2026 00:00:30 GMT", now=now)
    assert 0.0 == retry_after_seconds("Wed, 31 Dec 2025 00:00:00 GMT", now=now)
    assert 0.0 == retry_after_seconds("-5")
    assert [None, None, None] == [retry_after_seconds(each) for each in (None, "", "soon")]


def test_rate_limited_carries_the_wait() -> None:
    """429 with a date or a number is one and the same error."""
    error = to_connector_error(answer(429, {}, {"retry-after": "100"}), ROUTE)

    assert isinstance(error, RateLimited)
    assert 100.0 == error.retry_after_seconds


def test_no_token_stays_on_a_cause() -> None:
    """What is kept as cause has lost its request, headers and frames."""
    refused, lost = answer(500), BoxSDKError("x", error=NetworkFault(Fault.BROKEN))
    refused.request_info.headers = {"Authorization": "Bearer sesame"}
    refused.request_info.body = "assertion=sesame"
    for error in (refused, lost):
        try:
            raise error
        except BoxSDKError:
            scrub(error)

    assert {} == refused.request_info.headers
    assert None is refused.request_info.body
    assert None is refused.__traceback__
    assert "sesame" not in str(refused)


def test_messages_are_one_printable_line() -> None:
    """What a server says may end on a terminal."""
    assert "a [31mb c" == printable("a\x1b[31mb\nc")
    assert 301 == len(printable("x" * 1000))
    assert "\n" not in str(from_refusal(Refusal(status=400, code="bad_request", message="x"), ROUTE))


@pytest.mark.parametrize("data", [None, {}, [], "html", [{"id": 1}]])
def test_what_is_no_object_is_alien(data: object) -> None:
    """Empty bodies and pages of proxies are asked again."""
    with pytest.raises(ServerBusy, match="proxy"):
        json_object(data, ROUTE)


def test_errors_of_others_have_no_refusal() -> None:
    """Status and code exist only where Box answered."""
    assert (None, 0, None) == (refusal_of(OSError()), status_of(OSError()), code_of(OSError()))


def test_every_error_says_what_to_do() -> None:
    """The docstring of each class is its default message: one sentence, and a reason code of its own."""
    classes = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ConnectorError)
    ]

    assert [] == [each.__name__ for each in classes if not str(each()).endswith(".")]
    assert len(classes) == len({each.reason for each in classes})


@pytest.mark.parametrize(
    ("status", "challenge", "kind"),
    [
        (403, 'Bearer realm="Service", error="insufficient_scope"', PermissionMissing),
        (401, 'Bearer realm="Service", error="invalid_token"', Unauthorised),
        (
            401,
            'Bearer realm="Service", error="expired_token", error_description="has expired."',
            Unauthorised,
        ),
    ],
)
def test_an_empty_refusal_has_its_reason_in_a_header(
    status: int, challenge: str, kind: type[ConnectorError]
) -> None:
    """A missing scope and a bad token come without a body; WWW-Authenticate alone says which it is."""
    error = to_connector_error(answer(status, headers={"WWW-Authenticate": challenge}), ROUTE)

    assert kind is type(error)
    assert challenge.split('error="')[1].split('"')[0] == code_of(error)


@pytest.mark.parametrize(
    ("route", "kind"),
    [
        ("POST /files/content", NotPermitted),
        ("POST /files/:id/upload_sessions", NotPermitted),
        ("POST /folders", NotPermitted),
        ("POST /collaborations", NotPermitted),
        ("GET /folders/:id/items", NotPermitted),
        ("GET /users", PermissionMissing),
        ("PUT /users/:id", PermissionMissing),
        ("GET /groups", PermissionMissing),
        ("POST /groups", PermissionMissing),
    ],
)
def test_a_missing_role_concerns_what_was_asked_for(route: str, kind: type[ConnectorError]) -> None:
    """It is one item's failure, but where all users or groups are refused alike."""
    refusal = Refusal(status=403, code="access_denied_insufficient_permissions")

    assert kind is type(from_refusal(refusal, route))


def test_a_403_with_retry_after_is_a_limit() -> None:
    """Box has been seen to refuse too many calls with 403; only its time says that it passes."""
    error = to_connector_error(answer(403, {"code": "forbidden"}, {"Retry-After": "7"}), ROUTE)

    assert (RateLimited, 7.0) == (type(error), getattr(error, "retry_after_seconds", None))


@pytest.mark.parametrize(
    ("context", "said"),
    [
        (
            {"errors": [{"reason": "invalid_parameter", "name": "parent", "message": "Invalid value 'x'."}]},
            "400 bad_request (Bad Request; parent: Invalid value 'x'.)",
        ),
        ({"errors": [{"reason": "missing_parameter", "name": "name"}]}, "name: missing_parameter"),
        ({"invalid_user_id": 12}, "invalid_user_id: 12"),
        ({"errors": ["nonsense", {}]}, "400 bad_request (Bad Request)"),
        ({"conflicts": [{"id": "1"}]}, "400 bad_request (Bad Request)"),
        ({"reason": "two\nlines"}, "reason: two lines"),
    ],
)
def test_the_reason_of_a_refusal_is_told(context: dict[str, Any], said: str) -> None:
    """What Box names beside its code (the parameter, the rule) reaches the report, on one line."""
    body = {"code": "bad_request", "message": "Bad Request", "context_info": context}

    assert said in str(to_connector_error(answer(400, body), ROUTE))
