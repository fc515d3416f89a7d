"""Box's error codes and bodies, as exceptions that the rules raise and the dispatcher renders.

Not the errors of our client: those are in `connectors.errors`.

* SandboxError
  x BoxError        an answer of the API: status, code, message, context_info
    + MetadataError   the same without the ClientError's envelope
    + BearerError     explained by a WWW-Authenticate header; Box sends no body with it
  x OAuthError      an answer of the token endpoint, which has another body shape
"""

from __future__ import annotations

from typing import Any

HELP_URL = "http://developers.box.com/docs/#errors"


class SandboxError(Exception):
    """Base of what a rule may raise; everything else is a defect of the sandbox."""

    status = 500
    headers: tuple[tuple[bytes, bytes], ...] = ()


class BoxError(SandboxError):
    """A refusal with Box's ClientError body (OpenAPI `ClientError`)."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        context_info: dict[str, Any] | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.context_info = context_info
        self.headers = headers

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON object that Box sends, with the request's id."""
        body: dict[str, Any] = {
            "type": "error",
            "status": self.status,
            "code": self.code,
            "help_url": HELP_URL,
            "message": self.message,
            "request_id": request_id,
        }
        if self.context_info is not None:
            body["context_info"] = self.context_info
        return body


class MetadataError(BoxError):
    """A refusal about metadata instances, which has a smaller body (OpenAPI `MetadataError`)."""

    def body(self, request_id: str) -> dict[str, Any]:
        """code, message and request_id alone."""
        return {"code": self.code, "message": self.message, "request_id": request_id}


class BearerError(BoxError):
    """A refusal that its WWW-Authenticate header explains; the body is empty unless a setting says otherwise."""

    def __init__(self, status: int, code: str, message: str, error: str, description: str) -> None:
        header = f'Bearer realm="Service", error="{error}", error_description="{description}"'
        super().__init__(status, code, message, None, ((b"www-authenticate", header.encode()),))


class OAuthError(SandboxError):
    """A refusal of `/oauth2/token`: `{"error", "error_description"}`, not the ClientError shape."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status

    def body(self) -> dict[str, Any]:
        """The JSON object that Box sends."""
        return {"error": self.error, "error_description": self.description}


def bad_request(
    message: str = "Bad Request", name: str | None = None, reason: str = "invalid_parameter"
) -> BoxError:
    """400 bad_request, with the offending parameter in `context_info.errors` when it is known."""
    context = {"errors": [{"reason": reason, "name": name, "message": message}]} if name else None
    return BoxError(400, "bad_request", message if name is None else "Bad Request", context)


def missing(name: str) -> BoxError:
    """400 bad_request for a required parameter that is absent."""
    return bad_request(f"'{name}' is required", name, "missing_parameter")


def not_found(name: str = "item", value: str = "") -> BoxError:
    """404 for what does not exist and for what the caller may not see: Box does not tell the two apart."""
    message = f"Invalid value '{value}'."
    return BoxError(
        404,
        "not_found",
        "Not Found",
        {"errors": [{"reason": "invalid_parameter", "name": name, "message": message}]},
    )


def trashed() -> BoxError:
    """404 for an item that lies in the trash."""
    return BoxError(404, "trashed", "Item is trashed")


def forbidden(message: str = "Access denied - insufficient permission") -> BoxError:
    """403 for a visible item on which the caller's role does not allow the operation."""
    return BoxError(403, "access_denied_insufficient_permissions", message)


def insufficient_scope() -> BearerError:
    """403 for a call that the application's scopes do not cover."""
    text = "The request requires higher privileges than provided by the access token."
    return BearerError(403, "insufficient_scope", text, "insufficient_scope", text)


def policy_violated(reason: str, message: str) -> BoxError:
    """403 forbidden_by_policy, with the reason that an administrator's rule gives."""
    errors = [{"reason": reason, "name": "accessible_by", "message": message}]
    return BoxError(403, "forbidden_by_policy", message, {"errors": errors})


def invalid_as_user(user_id: str) -> BoxError:
    """404 for an As-User header that names nobody of the enterprise."""
    return BoxError(404, "not_found", "Not Found", {"invalid_user_id": user_id})


def invalid_name(
    name: str, message: str = "The name has characters or a form that is not allowed"
) -> BoxError:
    """400 item_name_invalid, with the name in `context_info.errors`."""
    errors = [
        {"reason": "invalid_parameter", "name": "name", "message": f"Invalid value '{name}'. {message}."}
    ]
    return BoxError(400, "item_name_invalid", "Item name invalid", {"errors": errors})


def group_name_taken(name: str) -> BoxError:
    """409 conflict for a group's name; unlike other conflicts it names no item (windows-sdk#571)."""
    message = f"Invalid value '{name}'. Resource with the same name already exists"
    errors = [{"reason": "invalid_parameter", "name": "group_tag_name", "message": message}]
    return BoxError(409, "conflict", "Resource with the same name already exists", {"errors": errors})


def name_in_use(conflicts: Any) -> BoxError:
    """409 item_name_in_use; `conflicts` is an array for folder calls and one object for file calls."""
    return BoxError(
        409, "item_name_in_use", "Item with the same name already exists", {"conflicts": conflicts}
    )


def precondition_failed() -> BoxError:
    """412 for an If-Match that does not hold."""
    return BoxError(
        412,
        "precondition_failed",
        "The resource has been modified. Please retrieve the resource again and retry",
    )


def storage_limit_exceeded() -> BoxError:
    """403 when the owner of the folder has no room left."""
    return BoxError(403, "storage_limit_exceeded", "Account storage limit reached")


def file_size_limit_exceeded() -> BoxError:
    """403 when the file is larger than the folder owner may store."""
    return BoxError(403, "file_size_limit_exceeded", "File size exceeds the folder owner's file size limit")


def method_not_allowed() -> BoxError:
    """405 for a known path with another method."""
    return BoxError(405, "method_not_allowed", "Method Not Allowed")


def rate_limited(retry_after_seconds: int, form: str = "429") -> BoxError:
    """The refusal of a call beyond a limit, with the whole seconds after which one fits again.

    form: "429"; "429_bare" leaves Retry-After out; "403" is a 403 with Retry-After. All three have been seen.
    """
    headers = () if form == "429_bare" else ((b"retry-after", str(retry_after_seconds).encode()),)
    if form == "403":
        return BoxError(403, "forbidden", "Forbidden", None, headers)
    text = "Request rate limit exceeded, please try again later"
    return BoxError(429, "rate_limit_exceeded", text, None, headers)


def unauthorized(expired: bool) -> BearerError:
    """401 for a token that is unknown, revoked or expired, or whose user is gone: `invalid_token` for all."""
    text = "The access token provided has expired." if expired else "The access token provided is invalid."
    return BearerError(401, "unauthorized", "Unauthorized", "invalid_token", text)


def session_gone(code: str = "session_expired") -> BoxError:
    """410 for an upload session past its life."""
    return BoxError(410, code, "Upload session expired")
